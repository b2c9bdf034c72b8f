"""The training loop: one recipe, one model, one checkpoint an epoch, the same weights for the same seed.

Shuffling, augmentation and dropout of an epoch are drawn from generators seeded by (seed, epoch), so a training that
was interrupted and resumed goes through the same numbers as one that was not. Under torchrun each process takes its
part of every batch and the gradients are averaged (DDP), so that a step means the same for any number of processes. BN
sees the parts on a CPU; on CUDA it is synchronised over the whole batch (SyncBatchNorm).
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from lst_robust.data import ImageSource
from lst_robust.errors import UsageError
from lst_robust.models.preprocess import Preprocess
from lst_robust.runtime.devices import amp_dtype
from lst_robust.runtime.process_group import Ranks
from lst_robust.runtime.resources import Resources
from lst_robust.suites import PixelStatistics
from lst_robust.suites.recipe import Recipe
from lst_robust.training.batches import Plan
from lst_robust.training.failures import training_errors
from lst_robust.training.feeds import feed_of
from lst_robust.training.finite import not_finite, require_finite
from lst_robust.training.state import Best, ResumeFile, TrainingState
from lst_robust.training.test_set import error_measurer
from lst_robust.training.trainer import Trainer

logger = logging.getLogger(__name__)
ENOUGH_EPOCHS = 3  # to expect something of a training
LEARNT = 0.95  # of the error by guessing: above it nothing worth mentioning was learnt


class TrainingImages(NamedTuple):
    """train: those to learn from; test: those whose error goes to the log, where the recipe says how often."""

    train: ImageSource
    test: ImageSource | None = None


class Fitted(NamedTuple):
    """The log as CSV text, and the best epoch where the recipe asks for it."""

    log: str
    best: Best | None


def fit(
    model: nn.Module,
    images: TrainingImages,
    recipe: Recipe,
    pixels: PixelStatistics,
    resources: Resources,
    *,
    resume_file: ResumeFile,
    title: str,
    ranks: Ranks = Ranks(),  # noqa: B008 - immutable
) -> Fitted:
    """Trains `model` in place.

    resume_file: written (by rank 0) after each epoch, and again when its test error is known. It is read first when it
    is there; deleting it is the caller's, once the result is safe.

    Raises CheckpointError when another training left it, and UsageError where the ranks see different files there.
    Raises NonFiniteError when the loss or a weight stops being a number, and LstRobustError when the device has not
    enough memory or does not answer any more; the last good epoch is then still in `resume_file`.
    """
    source, test = images
    device, workers, observer = resources.device, resources.workers, resources.observer
    plan = Plan.of(recipe, len(source), ranks.world)
    with training_errors(resources, recipe):
        model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if ranks.world > 1 and device.type == "cuda":
            _require_own_device(device)
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        dtype = amp_dtype(resources.amp, device)
        state = TrainingState.create(model, recipe, plan.steps_per_epoch, plan.total_steps, device, dtype)
        constant = not_finite(model.state_dict())
        if resume_file.path.exists():
            state.restore(resume_file)
            logger.info("%s: going on after epoch %d of %d", title, len(state.log), plan.epochs)
        _require_same_start(state, resume_file.path, ranks)
        preprocess = Preprocess(pixels.mean, pixels.std, device)
        trainer = Trainer(state, feed_of(source, recipe, plan, preprocess, workers, ranks), recipe, resources, ranks)
        part = plan.batch_size // (ranks.world * recipe.accumulate)

        def measurer() -> Callable[[nn.Module], float] | None:
            return None if test is None else error_measurer(test, preprocess, workers, ranks, part)

        def save() -> None:
            if ranks.leader:
                state.save(resume_file)

        done = len(state.log)
        observer.start(title, plan.total_steps, done=min(done * plan.steps_per_epoch, plan.total_steps))
        # The training may have been interrupted before the last epoch's test. A measurer may keep images on the device,
        # so this one is dropped before an epoch needs the memory.
        if done and _tested(state, measurer(), recipe, plan.epochs, title):
            save()
        test_error = measurer()
        for epoch in range(done, plan.epochs):
            state.log.append(trainer.epoch(epoch, observer))
            require_finite(model.state_dict(), epoch + 1, constant)
            save()
            if _tested(state, test_error, recipe, plan.epochs, title):
                save()
    observer.finish()
    if plan.epochs >= ENOUGH_EPOCHS:
        _warn_if_nothing_was_learnt(state.log[-1]["train_error"], source.labels, plan.epochs, title)
    return Fitted(state.log_csv(), copy.copy(state.best))


def _require_own_device(device: torch.device) -> None:
    """UsageError where all processes of torchrun would share one device."""
    if device.index is not None and device.index != torch.cuda.current_device():
        raise UsageError(f"torchrun gives each process a device of its own: use --device cuda in place of {device}")


def _require_same_start(state: TrainingState, resume_file: Path, ranks: Ranks) -> None:
    """UsageError where the ranks have restored different epochs: their folders are not the same."""
    logs = ranks.gather(state.log)
    if any(log != logs[0] for log in logs):
        epochs = ", ".join(str(len(log)) for log in logs)
        raise UsageError(
            f"{resume_file}: the processes find different files there, with {epochs} finished epochs: give a folder "
            "that they all share, copy the file of rank 0 to the others, or start anew with --no-resume"
        )


def _tested(
    state: TrainingState, test_error: Callable[[nn.Module], float] | None, recipe: Recipe, epochs: int, title: str
) -> bool:
    """Measures the test error of the last epoch where it is due and not in the log yet; returns whether it did."""
    line, epoch = state.log[-1], len(state.log)
    if test_error is None or recipe.evaluate_every is None or "test_error" in line:
        return False
    if not _due(epoch, recipe.evaluate_every, epochs):
        return False
    line["test_error"] = test_error(state.model)
    logger.info("%s: epoch %d, test error %.2f %%", title, epoch, line["test_error"])
    if recipe.keep == "best":
        _keep_if_best(state, line["test_error"], epoch)
    return True


def _keep_if_best(state: TrainingState, test_error: float, epoch: int) -> None:
    """epoch: from 1."""
    if state.best is None or test_error < state.best["test_error"]:
        weights = {key: value.detach().cpu().clone() for key, value in state.model.state_dict().items()}
        state.best = {"epoch": epoch, "test_error": test_error, "model": weights}


def _warn_if_nothing_was_learnt(reached: float, labels: np.ndarray, epochs: int, title: str) -> None:
    guessing = 100 * (1 - np.bincount(labels).max() / len(labels))  # always the commonest class
    if guessing > 50 and reached > LEARNT * guessing:
        logger.warning(
            "%s: after %d epochs the training error is %.1f %%, %.1f %% by guessing: the network has learnt next to "
            "nothing; train it with another learning rate (lst-robust train --lr)",
            title,
            epochs,
            reached,
            guessing,
        )


def _due(epochs_done: int, every: int, epochs: int) -> bool:
    return epochs_done % every == 0 or epochs_done == epochs
