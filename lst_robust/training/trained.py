"""Trained checkpoints of a suite: where they lie, and how one is made when it is not there yet."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from lst_robust.data import cached
from lst_robust.errors import CheckpointError, UsageError
from lst_robust.models.checkpoint import read_metadata, save_checkpoint
from lst_robust.runtime.cores import available_cores
from lst_robust.runtime.devices import amp_dtype
from lst_robust.runtime.file_lock import file_lock
from lst_robust.runtime.files import check_output, remove, write_output
from lst_robust.runtime.process_group import process_group
from lst_robust.runtime.progress import Silent
from lst_robust.runtime.resources import Resources
from lst_robust.suites import Suite
from lst_robust.training.finite import require_finite_in_half
from lst_robust.training.identity import differences
from lst_robust.training.loop import TrainingImages, fit
from lst_robust.training.planned import Training, code_of
from lst_robust.training.state import LOG_FIELDS, ResumeFile


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
            require_made_by(training, checkpoint, "give another --out")
    return wanted


def require_made_by(training: Training, checkpoint: Path, otherwise: str) -> None:
    """CheckpointError where another training made the checkpoint, as its header tells.

    otherwise: what else one can do than train again, for the message.
    """
    in_name_alone = not code_of(training.model) and not training.chosen_by()
    if in_name_alone and checkpoint.name == training.checkpoint.name:
        return
    header = read_metadata(checkpoint)
    if "recipe" not in header:
        reason = "lst-robust train did not make it"
    elif what := _differences(training, header):
        reason = f"another training made it ({what})"
    else:
        return
    raise CheckpointError(
        f"{checkpoint} is there already, and {reason}: train it again with lst-robust train --overwrite, or {otherwise}"
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
    resume_file, log_file = checkpoint.with_suffix(".resume"), checkpoint.with_suffix(".csv")
    recipe = training.recipe
    require_place_for_log(log_file)
    with process_group() as ranks:
        resources = resources if ranks.leader else replace(resources, observer=Silent())
        if start_over:
            remove(resume_file)  # by each of them: their folders may be different ones
        ranks.wait()  # nobody reads what another is about to delete
        identity = ranks.gather(training.identity if ranks.leader else None)[0]  # one of them reads all images for it
        origin = _origin(training) if ranks.leader else {}  # before the work, in which files may change
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
            write_output(log_file, fitted.log.encode())
            if fitted.best is None:
                _save(training, model, checkpoint, half, **origin, **facts)
            else:
                _save(training, model, checkpoint.with_suffix(".last.safetensors"), half, **origin, **facts)
                model.float().load_state_dict(fitted.best["model"])
                chosen = {"epoch": fitted.best["epoch"], "test_error": fitted.best["test_error"]}
                _save(training, model, checkpoint, half, **origin, **facts, chosen_by_test_error=chosen)
        ranks.wait()  # the checkpoint is there for everybody
        remove(resume_file)  # by each of them, as above
    return checkpoint


def require_place_for_log(file: Path) -> None:
    """UsageError where the log of a training cannot be written, or would replace a file that is no such log."""
    check_output("the log", file, regular=True)
    head = ",".join(LOG_FIELDS)
    try:
        begins = file.open(errors="replace").read(len(head)) if file.is_file() else ""
    except OSError as error:
        raise UsageError(f"the log {file} cannot be read ({error.strerror}): move it away") from error
    if begins not in ("", head):
        raise UsageError(f"the log of the training would replace {file}, which is another file: move it away")


def _origin(training: Training) -> dict[str, Any]:
    """What a checkpoint's header says of the images, the recipe and the network's own file."""
    return {
        **code_of(training.model),
        **training.chosen_by(),
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
        **more,
    )
