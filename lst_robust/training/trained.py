"""Trained checkpoints of a suite: where they lie, and how one comes to be when it is not there yet."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from lst_robust.data import ImageSource, cached, open_source
from lst_robust.errors import UsageError
from lst_robust.files import file_safe, write_atomic
from lst_robust.models import create_model
from lst_robust.models.checkpoint import save_checkpoint
from lst_robust.progress import Observer
from lst_robust.suites import Recipe, Suite
from lst_robust.training.loop import fit

Options = Mapping[str, str | int | float | bool]


@dataclass(frozen=True)
class Training:
    """A training that is fully determined: its checkpoint's name is a hash of all that decides the weights."""

    model: str
    options: Options
    suite: Suite
    recipe: Recipe
    source: ImageSource

    @property
    def checkpoint(self) -> Path:
        """File name of the checkpoint, without its folder."""
        fields = {
            "model": self.model,
            "options": dict(self.options),
            "image_size": self.suite.image_size,
            "pixels": self.suite.pixels.model_dump(mode="json"),
            "recipe": self.recipe.deciding(),
            "images": self.source.fingerprint(),
        }
        digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:10]
        return Path(f"{file_safe(self.model)}-seed{self.recipe.seed}-{digest}.safetensors")

    def build(self) -> nn.Module:
        """The untrained network, with initial weights that depend on the recipe's seed only."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed)
            return create_model(
                self.model, len(self.source.classes), None, image_size=self.suite.image_size, **self.options
            )


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

    Raises UsageError when the suite has no recipe, DataError when the training images are not there.
    """
    recipe = recipe or suite.training
    if recipe is None:
        raise UsageError(f"suite {suite.name!r} has no training recipe: give a trained model with --checkpoint")
    source = open_source(
        suite.dataset, "train", image_size=suite.image_size, data_dir=data_dir, skip_unreadable=skip_unreadable
    )
    return Training(model, dict(suite.model_options) if options is None else options, suite, recipe, source)


def checkpoints_folder(results_dir: str | Path, suite: Suite) -> Path:
    """Where the checkpoints trained for a suite are kept."""
    return Path(results_dir) / suite.name / "checkpoints"


def run_training(
    training: Training,
    checkpoint: Path,
    *,
    device: torch.device,
    workers: int,
    observer: Observer,
    overwrite: bool = False,
    half: bool = False,
) -> Path:
    """Trains and writes `checkpoint` (safetensors) and, beside it, the log as CSV; returns `checkpoint`.

    An interrupted training leaves `<checkpoint>.resume` and goes on from its last whole epoch. With `overwrite` it
    starts over. `half` stores the weights as float16: half the size, to be loaded as float32 again.
    """
    resume_file = checkpoint.with_suffix(".resume")
    if overwrite:
        resume_file.unlink(missing_ok=True)
    model = training.build()
    log = fit(
        model,
        cached(training.source),
        training.recipe,
        training.suite.pixels,
        device=device,
        workers=workers,
        resume_file=resume_file,
        observer=observer,
        title=f"training {training.model}",
    )
    write_atomic(checkpoint.with_suffix(".csv"), log.encode())
    save_checkpoint(
        model.cpu().half() if half else model.cpu(),
        checkpoint,
        classes=list(training.source.classes),
        source=f"trained by lst-robust on suite {training.suite.name} v{training.suite.version}",
        train_images=training.source.fingerprint(),
        recipe=training.recipe.deciding(),
        train_seed=training.recipe.seed,
    )
    resume_file.unlink(missing_ok=True)
    return checkpoint
