"""A training that is asked for: what decides its weights, and the name of its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lst_robust.data import ImageSource, open_source
from lst_robust.data.classes import require_same_classes
from lst_robust.errors import UsageError
from lst_robust.models import create_model, fitting_options, model_info, without_image_size
from lst_robust.models.external.file import code_digest
from lst_robust.runtime.cores import available_cores
from lst_robust.runtime.files import file_safe
from lst_robust.suites import Suite
from lst_robust.suites.images import open_test_images
from lst_robust.suites.recipe import Recipe, recipe_names
from lst_robust.training.identity import Identity

Options = Mapping[str, str | int | float | bool]


@dataclass(frozen=True)
class Training:
    """A training that is fully determined: its checkpoint's name is a hash of all that decides the weights."""

    model: str
    options: Options
    suite: Suite
    recipe: Recipe
    source: ImageSource
    test: ImageSource | None = None  # for the log, and for the choice of the best epoch where that one is kept

    @property
    def identity(self) -> Identity:
        """What decides the weights."""
        return Identity(self._fields(self._content()), {**code_of(self.model), **self.chosen_by()})

    @property
    def checkpoint(self) -> Path:
        """File name of the checkpoint, without its folder."""
        return self._named(self._content())

    @property
    def earlier_checkpoint(self) -> Path:
        """The file name that releases before 0.2 gave to it, which did not look at the images' pixels."""
        return self._named({})

    def chosen_by(self) -> dict[str, str]:
        """The test images that choose the epoch which is kept; empty where it is the last one."""
        if self.test is None or self.recipe.keep != "best":
            return {}
        return {"test_images": self.test.fingerprint(), "test_pixels": self.test.pixels_digest(available_cores())}

    def _content(self) -> dict[str, str]:
        return {"content": self.source.pixels_digest(available_cores())}

    def _fields(self, more: Mapping[str, str]) -> dict[str, Any]:
        return {
            "model": self.model,
            "options": dict(self.options),
            "image_size": self.suite.image_size,
            "pixels": self.suite.pixels.model_dump(mode="json"),
            "recipe": self.recipe.deciding(),
            "images": self.source.fingerprint(),
            **more,
        }

    def _named(self, more: Mapping[str, str]) -> Path:
        digest = Identity(self._fields(more)).digest
        return Path(f"{file_safe(self.model)}-seed{self.recipe.seed}-{digest}.safetensors")

    def build(self) -> nn.Module:
        """The untrained network, with initial weights that depend on the recipe's seed only."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed)
            options: dict[str, Any] = {"image_size": self.suite.image_size, **self.options}
            return create_model(self.model, len(self.source.classes), None, **options)

    def seeded(self, seed: int) -> Training:
        """The same training with another seed."""
        return replace(self, recipe=self.recipe.changed({"seed": seed}))


def plan_training(
    model: str,
    suite: Suite,
    *,
    options: Options | None = None,
    recipe: Recipe | None = None,
    data_dir: str | Path | None = None,
    skip_unreadable: bool = False,
) -> Training:
    """The training of a model by a suite's recipe, or by another `recipe`; nothing is decoded or computed yet.

    options: of the model, over those of the suite that it has.

    Raises UsageError when the suite has no recipe and for a model whose name means weights, DataError when the training
    images are not there, or the test images that the recipe looks at are not there or have other classes.
    """
    if model_info(model).own_weights:
        raise UsageError(f"{model} comes with its weights, and is not trained here: evaluate it, or choose a structure")
    recipe = recipe or suite.training
    if recipe is None:
        raise UsageError(
            f"suite {suite.name!r} has no training recipe: give a trained model with --checkpoint, or train one by "
            f"lst-robust train --recipe ({', '.join(recipe_names())})"
        )
    source = open_source(
        suite.dataset, "train", image_size=suite.image_size, data_dir=data_dir, skip_unreadable=skip_unreadable
    )
    test = None
    if recipe.evaluate_every is not None:
        test = open_test_images(suite, data_dir, skip_unreadable=skip_unreadable)
        require_same_classes(source, test)
    options = {**fitting_options(model, suite.model_options), **without_image_size(options or {})}
    return Training(model, options, suite, recipe, source, test)


def require_untrained(training: Training) -> None:
    """UsageError for a network of one's own file that has the same weights whatever the seed.

    Its function probably loads them. A training nobody asked for would change them, and what is then measured would be
    another network than the one that was meant.
    """
    if model_info(training.model).family != "file":
        return
    others = training.seeded(training.recipe.seed ^ 1).build().state_dict()
    weights = training.build().state_dict()
    if weights and all(not value.is_meta and torch.equal(value, others[key]) for key, value in weights.items()):
        raise UsageError(
            f"{training.model} has the same weights each time: they are trained, or its code sets torch's seed. "
            "A training would change them: to measure them as they are, give the function a parameter 'weights' and "
            "the option --set weights=NAME; to train them, call lst-robust train"
        )


def code_of(model: str) -> dict[str, str]:
    """The digest of the file of a network of one's own; empty for other networks."""
    code = code_digest(model)
    return {} if code is None else {"code": code}
