"""Trained checkpoints of a suite: where they lie, and how one comes to be when it is not there yet."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lst_robust.data import ImageSource, cached, open_source
from lst_robust.data.classes import require_same_classes
from lst_robust.errors import CheckpointError, UsageError
from lst_robust.models import create_model, fitting_options, model_info, without_image_size
from lst_robust.models.checkpoint import read_metadata, save_checkpoint
from lst_robust.models.external.file import code_digest
from lst_robust.runtime.cores import available_cores
from lst_robust.runtime.devices import amp_dtype
from lst_robust.runtime.file_lock import file_lock
from lst_robust.runtime.files import file_safe, remove, write_output
from lst_robust.runtime.process_group import process_group
from lst_robust.runtime.progress import Silent
from lst_robust.runtime.resources import Resources
from lst_robust.suites import Suite
from lst_robust.suites.recipe import Recipe, recipe_names
from lst_robust.training.finite import require_finite_in_half
from lst_robust.training.identity import Identity, differences
from lst_robust.training.loop import TrainingImages, fit
from lst_robust.training.state import ResumeFile

Options = Mapping[str, str | int | float | bool]


@dataclass(frozen=True)
class Training:
    """A training that is fully determined: its checkpoint's name is a hash of all that decides the weights."""

    model: str
    options: Options
    suite: Suite
    recipe: Recipe
    source: ImageSource
    test: ImageSource | None = None  # for the log; no part of what decides the weights

    @property
    def identity(self) -> Identity:
        """What decides the weights."""
        return self._identity({"content": self.source.pixels_digest(available_cores())})

    @property
    def checkpoint(self) -> Path:
        """File name of the checkpoint, without its folder."""
        return self._named(self.identity)

    @property
    def earlier_checkpoint(self) -> Path:
        """The file name that releases before 0.2 gave to it, which did not look at the images' pixels."""
        return self._named(self._identity({}))

    def _identity(self, more: Mapping[str, str]) -> Identity:
        fields = {
            "model": self.model,
            "options": dict(self.options),
            "image_size": self.suite.image_size,
            "pixels": self.suite.pixels.model_dump(mode="json"),
            "recipe": self.recipe.deciding(),
            "images": self.source.fingerprint(),
            **more,
        }
        return Identity(fields, _code(self.model))

    def _named(self, identity: Identity) -> Path:
        return Path(f"{file_safe(self.model)}-seed{self.recipe.seed}-{identity.digest}.safetensors")

    def build(self) -> nn.Module:
        """The untrained network, with initial weights that depend on the recipe's seed only."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed)
            options: dict[str, Any] = {"image_size": self.suite.image_size, **self.options}
            return create_model(self.model, len(self.source.classes), None, **options)


def find_checkpoint(training: Training, folder: Path) -> Path:
    """Where the checkpoint of a training is, or will be.

    Raises CheckpointError where there is only one of an earlier release: nobody knows of which pixels it is, and
    another training may take days.
    """
    checkpoint, earlier = folder / training.checkpoint, folder / training.earlier_checkpoint
    if not checkpoint.is_file() and earlier.is_file():
        raise CheckpointError(
            f"{earlier} was trained by an earlier release, which did not note the pixels of its training images: give "
            "it with --checkpoint, or move it away to train anew"
        )
    return checkpoint


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
        test = open_source(
            suite.dataset,
            "test",
            image_size=suite.image_size,
            data_dir=data_dir,
            subset=suite.subset,
            skip_unreadable=skip_unreadable,
        )
        require_same_classes(source, test)
        test = test if suite.limit is None else test.subset(suite.limit)
    options = fitting_options(model, suite.model_options) if options is None else without_image_size(options)
    return Training(model, options, suite, recipe, source, test)


def checkpoints_folder(results_dir: str | Path, suite: Suite) -> Path:
    """Where the checkpoints trained for a suite are kept."""
    return Path(results_dir) / suite.name / "checkpoints"


def ensure_trained(
    training: Training,
    checkpoint: Path,
    resources: Resources,
    *,
    overwrite: bool = False,
    resume: bool = True,
    half: bool = False,
) -> bool:
    """`run_training` unless `checkpoint` is there (or also then, to `overwrite` it); returns whether it trained.

    Of several processes that want the same checkpoint one trains, and the others wait for it. `resume`: go on with an
    interrupted training, where there is one, also to `overwrite`. Raises CheckpointError where the checkpoint that is
    there, or the interrupted training, is of another training, and else as `run_training`.
    """
    lock = checkpoint.parent / f".{checkpoint.name}.lock"
    with process_group() as ranks, file_lock(lock, wait=True) if ranks.leader else nullcontext():
        wanted = ranks.gather(overwrite or not checkpoint.is_file())[0]
        if wanted:
            run_training(training, checkpoint, resources, start_over=not resume, half=half)
        elif ranks.leader:
            _require_made_by(training, checkpoint)
    return wanted


def _require_made_by(training: Training, checkpoint: Path) -> None:
    """CheckpointError where another training made the checkpoint, as its header tells."""
    if checkpoint.name == training.checkpoint.name and not _code(training.model):  # the name says all
        return
    header = read_metadata(checkpoint)
    if "recipe" not in header:
        reason = "lst-robust train did not make it"
    elif what := _differences(training, header):
        reason = f"another training made it ({what})"
    else:
        return
    raise CheckpointError(
        f"{checkpoint} is there already, and {reason}: train it again with --overwrite, or give another --out"
    )


def _differences(training: Training, header: Mapping[str, Any]) -> str:
    """Between the training that a checkpoint's header names and this one, in words; "" where there is none."""
    config: Any = training.build().config  # knows all options, as the header does
    given = training.options.keys() | header["options"].keys()  # without those that only later releases have
    fields = {
        "model": config.name,
        "options": {name: value for name, value in config.options.items() if name in given},
        "image_size": config.input_size,
        **_origin(training),
    }
    fields = {key: value for key, value in fields.items() if key in header}  # earlier releases noted less
    return differences({key: header[key] for key in fields}, fields)


def run_training(
    training: Training,
    checkpoint: Path,
    resources: Resources,
    *,
    start_over: bool = False,
    half: bool = False,
) -> Path:
    """Trains and writes `checkpoint` (safetensors) and, beside it, the log as CSV; returns `checkpoint`.

    An interrupted training leaves `<checkpoint>.resume` and goes on from its last whole epoch, unless it shall
    `start_over`. CheckpointError where another training left that file. `half` stores the weights as float16: half the
    size, to be loaded as float32 again. Where the recipe keeps the best epoch, the last one's weights are beside it as
    `<checkpoint>.last.safetensors`. Under `torchrun` all ranks call this, and rank 0 writes. Raises as `fit`, and
    NonFiniteError where float16 cannot hold the weights.
    """
    resume_file = checkpoint.with_suffix(".resume")
    recipe = training.recipe
    with process_group() as ranks:
        resources = resources if ranks.leader else replace(resources, observer=Silent())
        if start_over:
            remove(resume_file)  # by each of them: their folders may be different ones
        ranks.wait()  # nobody reads what another is about to delete
        identity = ranks.gather(training.identity if ranks.leader else None)[0]  # one of them reads all images for it
        model = training.build()
        whole_images = recipe.augmentation.random_resized_crop is not None
        fitted = fit(
            model,
            TrainingImages(
                training.source if whole_images else cached(training.source),
                None if training.test is None else cached(training.test),
            ),
            recipe,
            training.suite.pixels,
            resources,
            resume_file=ResumeFile(resume_file, identity),
            title=f"training {training.model}",
            ranks=ranks,
        )
        if ranks.leader:
            dtype = amp_dtype(resources.amp, resources.device)
            facts = {} if dtype is None else {"train_precision": str(dtype).removeprefix("torch.")}
            if half:
                require_finite_in_half(model.state_dict())
                require_finite_in_half({} if fitted.best is None else fitted.best["model"])
            write_output(checkpoint.with_suffix(".csv"), fitted.log.encode())
            if fitted.best is None:
                _save(training, model, checkpoint, half, **facts)
            else:
                _save(training, model, checkpoint.with_suffix(".last.safetensors"), half, **facts)
                model.float().load_state_dict(fitted.best["model"])
                chosen = {"epoch": fitted.best["epoch"], "test_error": fitted.best["test_error"]}
                _save(training, model, checkpoint, half, **facts, chosen_by_test_error=chosen)
        ranks.wait()  # the checkpoint is there for everybody
        remove(resume_file)  # by each of them, as above
    return checkpoint


def _code(model: str) -> dict[str, str]:
    """The digest of the file of a network of one's own; empty for other networks."""
    code = code_digest(model)
    return {} if code is None else {"code": code}


def _origin(training: Training) -> dict[str, Any]:
    """What a checkpoint's header says of the images, the recipe and the network's own file."""
    return {
        **_code(training.model),
        "pixels": training.suite.pixels.model_dump(mode="json"),
        "train_images": training.source.fingerprint(),
        "train_pixels": training.source.pixels_digest(available_cores()),
        "recipe": training.recipe.deciding(),
    }


def _save(training: Training, model: nn.Module, path: Path, half: bool, **more: object) -> None:
    save_checkpoint(
        model.cpu().half() if half else model.cpu(),
        path,
        classes=list(training.source.classes),
        source=f"trained by lst-robust on suite {training.suite.name} v{training.suite.version}",
        train_seed=training.recipe.seed,
        **_origin(training),
        **more,
    )
