"""The training loop: one recipe, one model, one checkpoint an epoch, the same weights for the same seed.

Shuffling, augmentation and dropout of an epoch are drawn from generators seeded by (seed, epoch), so a training that
was interrupted and resumed goes through the same numbers as one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from lst_robust.data import ImageSource
from lst_robust.errors import DataError, NonFiniteError
from lst_robust.preprocess import Preprocess, prefetch
from lst_robust.progress import Observer
from lst_robust.suites import PixelStatistics, Recipe
from lst_robust.training.augmentation import augment
from lst_robust.training.state import TrainingState


@dataclass(frozen=True)
class Plan:
    """How many steps there are, worked out from the recipe and the number of images."""

    batch_size: int
    steps_per_epoch: int
    total_steps: int

    @classmethod
    def of(cls, recipe: Recipe, n: int) -> Plan:
        if n < 2:
            raise DataError(f"{n} training image(s) are too few to train on")
        batch_size = min(recipe.batch_size, n)
        steps_per_epoch = n // batch_size  # the last, smaller batch is left out; shuffling changes which images it has
        total = recipe.epochs * steps_per_epoch
        return cls(batch_size, steps_per_epoch, min(total, recipe.max_steps or total))

    @property
    def epochs(self) -> int:
        return math.ceil(self.total_steps / self.steps_per_epoch)


def fit(
    model: nn.Module,
    source: ImageSource,
    recipe: Recipe,
    pixels: PixelStatistics,
    *,
    device: torch.device,
    workers: int,
    resume_file: Path,
    observer: Observer,
    title: str,
) -> str:
    """Trains `model` in place and returns the log as CSV text.

    source: the training images. resume_file: written after each epoch and read first when it is there; deleting it
    is the caller's, once the result is safe. Raises NonFiniteError when the loss stops being a number; the last good
    epoch is then still in `resume_file`.
    """
    plan = Plan.of(recipe, len(source))
    model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = TrainingState.create(model, recipe, plan.steps_per_epoch, plan.total_steps, device)
    if resume_file.exists():
        state.restore(resume_file)
        observer.note(f"{title}: going on after epoch {len(state.log)} of {plan.epochs}")
    trainer = _Trainer(state, source, recipe, plan, Preprocess(pixels.mean, pixels.std, device), workers)

    done = len(state.log)
    observer.start(title, plan.total_steps, done=min(done * plan.steps_per_epoch, plan.total_steps))
    for epoch in range(done, plan.epochs):
        state.log.append(trainer.epoch(epoch, observer))
        state.save(resume_file)
    observer.finish()
    return state.log_csv()


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
    ) -> None:
        self.state, self.source, self.recipe, self.plan = state, source, recipe, plan
        self.preprocess, self.workers = preprocess, workers
        self.labels = torch.from_numpy(source.labels)

    def epoch(self, epoch: int, observer: Observer) -> dict[str, float]:
        """One pass over the images; returns the epoch's line of the log."""
        device, plan = self.preprocess.device, self.plan
        generator = torch.Generator().manual_seed(_epoch_seed(self.recipe.seed, epoch))
        steps = min(plan.steps_per_epoch, plan.total_steps - epoch * plan.steps_per_epoch)
        losses, wrong, seen, started = 0.0, 0, 0, time.perf_counter()
        self.state.model.train()
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(_epoch_seed(self.recipe.seed, epoch) + 1)  # dropout
            for images, labels in self._batches(generator, steps):
                labels = labels.to(device)
                with torch.autocast(device.type, enabled=device.type == "cuda"):
                    logits = self.state.model(images)
                    loss = F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)
                if not math.isfinite(loss.item()):
                    raise NonFiniteError(
                        f"the loss became {loss.item()} in epoch {epoch + 1}; lower the recipe's lr "
                        f"(the last good epoch is kept)"
                    )
                self.state.step(loss)
                losses += loss.item() * len(labels)
                wrong += int((logits.argmax(1) != labels).sum())
                seen += len(labels)
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

    def _batches(self, generator: torch.Generator, steps: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Shuffled, augmented, normalised batches: float32 (b, 3, H, W) on the device and int64 (b,) labels."""
        n = steps * self.plan.batch_size
        order = torch.randperm(len(self.source), generator=generator)[:n]
        loaded = prefetch(
            lambda batch: self.source.read([int(order[i]) for i in batch]),
            n,
            self.plan.batch_size,
            self.workers,
        )
        for step, images in enumerate(loaded):
            batch = torch.from_numpy(images).permute(0, 3, 1, 2)
            batch = augment(batch, self.recipe.augmentation, generator)
            pixels = self.preprocess(batch.permute(0, 2, 3, 1).numpy())
            start = step * self.plan.batch_size
            yield (
                pixels.contiguous(memory_format=torch.channels_last),
                self.labels[order[start : start + len(images)]],
            )


def _epoch_seed(seed: int, epoch: int) -> int:
    return (seed * 1_000_003 + epoch) * 2  # even: the odd numbers are for dropout
