"""The training loop: one recipe, one model, one checkpoint an epoch, the same weights for the same seed.

Shuffling, augmentation and dropout of an epoch are drawn from generators seeded by (seed, epoch), so a training that
was interrupted and resumed goes through the same numbers as one that was not. Under torchrun each process takes its
part of every batch and the gradients are averaged (DDP), so that a step means the same for any number of processes. BN
sees the parts on a CPU; on CUDA it is synchronised over the whole batch (SyncBatchNorm).
"""

from __future__ import annotations

import copy
import logging
import math
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import distributed, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from lst_robust.data import ImageSource
from lst_robust.errors import NonFiniteError
from lst_robust.models.preprocess import Preprocess
from lst_robust.runtime.prefetch import prefetch
from lst_robust.runtime.process_group import Ranks
from lst_robust.runtime.progress import Observer
from lst_robust.runtime.resources import Resources
from lst_robust.suites import PixelStatistics
from lst_robust.suites.recipe import Recipe
from lst_robust.training.augmentation import Draws, augment, random_parts
from lst_robust.training.batches import Plan
from lst_robust.training.state import Best, TrainingState
from lst_robust.training.test_set import measure_error

logger = logging.getLogger(__name__)
RANKS_APART = 2**40  # between the seeds of two ranks' dropout, farther apart than any two epochs' seeds

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
    resume_file: Path,
    title: str,
    ranks: Ranks = Ranks(),  # noqa: B008 - immutable
) -> Fitted:
    """Trains `model` in place.

    resume_file: written after each epoch (by rank 0) and read first when it is there; deleting it is the caller's, once
    the result is safe. Raises NonFiniteError when the loss stops being a number; the last good epoch is then still in
    `resume_file`.
    """
    source, test = images
    device, workers, observer = resources.device, resources.workers, resources.observer
    plan = Plan.of(recipe, len(source), ranks.world)
    model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if ranks.world > 1 and device.type == "cuda":
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    state = TrainingState.create(model, recipe, plan.steps_per_epoch, plan.total_steps, device)
    if resume_file.exists():
        state.restore(resume_file)
        logger.info("%s: going on after epoch %d of %d", title, len(state.log), plan.epochs)
    trainer = _Trainer(state, source, recipe, plan, Preprocess(pixels.mean, pixels.std, device), workers, ranks)

    done = len(state.log)
    observer.start(title, plan.total_steps, done=min(done * plan.steps_per_epoch, plan.total_steps))
    for epoch in range(done, plan.epochs):
        line = trainer.epoch(epoch, observer)
        if test is not None and recipe.evaluate_every and _due(epoch + 1, recipe.evaluate_every, plan.epochs):
            line["test_error"] = measure_error(model, test, trainer.preprocess, workers, ranks)
            logger.info("%s: epoch %d, test error %.2f %%", title, epoch + 1, line["test_error"])
            if recipe.keep == "best" and (state.best is None or line["test_error"] < state.best["test_error"]):
                weights = {key: value.detach().cpu().clone() for key, value in model.state_dict().items()}
                state.best = {"epoch": epoch + 1, "test_error": line["test_error"], "model": weights}
        state.log.append(line)
        if ranks.leader:
            state.save(resume_file)
    observer.finish()
    guessing = 100 * (1 - np.bincount(source.labels).max() / len(source))  # always the commonest class
    reached = state.log[-1]["train_error"]
    if plan.epochs >= ENOUGH_EPOCHS and guessing > 50 and reached > LEARNT * guessing:
        logger.warning(
            "%s: after %d epochs the training error is %.1f %%, %.1f %% by guessing: the network has learnt next to "
            "nothing; train it with another learning rate (lst-robust train --lr)",
            title,
            plan.epochs,
            reached,
            guessing,
        )
    return Fitted(state.log_csv(), copy.copy(state.best))


def _due(epochs_done: int, every: int, epochs: int) -> bool:
    return epochs_done % every == 0 or epochs_done == epochs


class _Trainer:
    """The parts of an epoch that stay the same over all of them."""

    def __init__(
        self,
        state: TrainingState,
        source: ImageSource,
        recipe: Recipe,
        plan: Plan,
        preprocess: Preprocess,
        workers: int,
        ranks: Ranks,
    ) -> None:
        self.state, self.source, self.recipe, self.plan = state, source, recipe, plan
        self.preprocess, self.workers, self.ranks = preprocess, workers, ranks
        self.labels = torch.from_numpy(source.labels)
        self.network: nn.Module = state.model
        if ranks.world > 1:
            # Gradients of channels-last weights are copied once more; that costs nothing beside the step itself.
            warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
            self.network = DistributedDataParallel(state.model)

    def epoch(self, epoch: int, observer: Observer) -> dict[str, float]:
        """One pass over the images; returns the epoch's line of the log."""
        device, plan = self.preprocess.device, self.plan
        generator = torch.Generator().manual_seed(_epoch_seed(self.recipe.seed, epoch))
        losses, wrong, seen, started = 0.0, 0, 0, time.perf_counter()
        self.state.model.train()
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(_epoch_seed(self.recipe.seed, epoch) + 1 + 2 * self.ranks.rank * RANKS_APART)  # dropout
            for n, images, labels in self._batches(epoch, generator):
                batch_loss, batch_wrong = self._gradients(n, images, labels.to(device))
                if not math.isfinite(batch_loss):
                    raise NonFiniteError(
                        f"the loss became {batch_loss} in epoch {epoch + 1}; lower the recipe's lr "
                        f"(the last good epoch is kept)"
                    )
                self.state.step()
                losses += batch_loss
                wrong += batch_wrong
                seen += n
                seconds = time.perf_counter() - started
                observer.advance(
                    1,
                    f"epoch {epoch + 1}/{plan.epochs}, loss {losses / seen:.3f}, "
                    f"train error {100 * wrong / seen:.1f} %, {seen / seconds:.0f} img/s",
                )
        return {
            "epoch": epoch + 1,
            "loss": losses / seen,
            "train_error": 100 * wrong / seen,
            "learning_rate": float(self.state.scheduler.get_last_lr()[0]),
            "images_per_second": seen / (time.perf_counter() - started),
            "seconds": time.perf_counter() - started,
        }

    def _gradients(self, n: int, images: torch.Tensor, labels: torch.Tensor) -> tuple[float, int]:
        """Adds up the gradients of this process's share of a batch of `n` images, in the recipe's number of parts.

        Returns the sum of the losses and the number of wrong answers, over all processes.
        """
        parts = max(1, min(self.recipe.accumulate, len(labels) // 2))
        totals = torch.zeros(2, dtype=torch.float64, device=labels.device)
        for part, (some, answers) in enumerate(
            zip(images.tensor_split(parts), labels.tensor_split(parts), strict=True), start=1
        ):
            with (
                self._averaged(part == parts),
                torch.autocast(labels.device.type, enabled=labels.device.type == "cuda"),
            ):
                output = self.network(some)
                logits = getattr(output, "logits", output)  # torchvision's Inception and GoogLeNet add others to learn
                loss = F.cross_entropy(logits, answers, label_smoothing=self.recipe.label_smoothing)
                # DDP takes the mean over processes; each image shall count the same, whatever its share's size.
                self.state.backward(loss * (len(answers) * self.ranks.world / n))
            totals[0] += loss.detach().double() * len(answers)
            totals[1] += (logits.argmax(1) != answers).sum()
        if self.ranks.world > 1:
            distributed.all_reduce(totals)
        return float(totals[0]), int(totals[1])

    def _averaged(self, last: bool) -> AbstractContextManager[None]:
        """Gradients go from process to process once a batch, with its last part."""
        network = self.network
        return nullcontext() if last or not isinstance(network, DistributedDataParallel) else network.no_sync()

    def _batches(self, epoch: int, generator: torch.Generator) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
        """Of each batch its size n, and of this process's share of it the shuffled, augmented, normalised images,
        float32 (b, 3, H, W) on the device, and the labels, int64 (b,)."""
        rank, world = self.ranks
        augmentation = self.recipe.augmentation
        order = torch.randperm(len(self.source), generator=generator)
        batches = self.plan.batches(epoch)

        def load(indices: Sequence[int]) -> np.ndarray:
            if augmentation.random_resized_crop is None:
                return self.source.read(indices)
            return random_parts(self.source, indices, augmentation.random_resized_crop, self.recipe.seed, epoch)

        shares = [order[start:stop][rank::world] for start, stop in batches]
        loaded = prefetch(load, [share.tolist() for share in shares], self.workers)
        for (start, stop), share, images in zip(batches, shares, loaded, strict=True):
            draws = Draws.of(stop - start, augmentation, generator).share(rank, world)
            batch = augment(torch.from_numpy(images).permute(0, 3, 1, 2), draws, augmentation.crop_padding)
            pixels = self.preprocess(batch.permute(0, 2, 3, 1).numpy())
            yield stop - start, pixels.contiguous(memory_format=torch.channels_last), self.labels[share]


def _epoch_seed(seed: int, epoch: int) -> int:
    return (seed * 1_000_003 + epoch) * 2  # even: the odd numbers are for dropout
