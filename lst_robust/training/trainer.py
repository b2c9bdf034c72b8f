"""One epoch: batches through the network, gradients, updates of the weights."""

from __future__ import annotations

import time
import warnings
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import distributed, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from lst_robust.runtime.devices import amp_dtype
from lst_robust.runtime.process_group import Ranks
from lst_robust.runtime.progress import Observer
from lst_robust.runtime.resources import Resources
from lst_robust.suites.recipe import Recipe
from lst_robust.training.compiled import compiled, keep_gradients
from lst_robust.training.feeds import Batch, Feed, epoch_seed
from lst_robust.training.meter import Meter, meter_of
from lst_robust.training.state import TrainingState

RANKS_APART = 2**40  # between the seeds of two ranks' dropout, farther apart than any two epochs' seeds


class Trainer:
    """The parts of an epoch that stay the same over all of them."""

    def __init__(self, state: TrainingState, feed: Feed, recipe: Recipe, resources: Resources, ranks: Ranks) -> None:
        self.state, self.feed, self.recipe, self.ranks = state, feed, recipe, ranks
        self.device, self.compile_mode = resources.device, resources.compile_mode
        self.dtype = amp_dtype(resources.amp, self.device)
        self.shared = _shared(state.model, self.device) if ranks.world > 1 else None
        self.network = compiled(state.model if self.shared is None else self.shared, self.compile_mode)

    def epoch(self, epoch: int, observer: Observer) -> dict[str, float]:
        """One pass over the images; returns the epoch's line of the log."""
        meter, started = meter_of(epoch, self.device, self.ranks), time.perf_counter()
        self.state.model.train()
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(epoch_seed(self.recipe.seed, epoch) + 1 + 2 * self.ranks.rank * RANKS_APART)  # dropout
            for batch in self.feed.epoch(epoch):
                meter.add(self._gradients(batch), batch.n)
                self.state.step()
                self._show(meter, epoch, started, observer)
            meter.finish()
            self._show(meter, epoch, started, observer)
        if self.shared is not None:
            _take_buffers_of_rank_0(self.state.model)
        return {
            "epoch": epoch + 1,
            "loss": meter.losses / meter.seen,
            "train_error": 100 * meter.wrong / meter.seen,
            "learning_rate": float(self.state.scheduler.get_last_lr()[0]),
            "images_per_second": meter.seen / (time.perf_counter() - started),
            "seconds": time.perf_counter() - started,
        }

    def _show(self, meter: Meter, epoch: int, started: float, observer: Observer) -> None:
        steps = meter.news()
        if not steps:
            return
        seconds = time.perf_counter() - started
        observer.advance(
            steps,
            f"epoch {epoch + 1}/{self.feed.plan.epochs}, loss {meter.losses / meter.seen:.3f}, "
            f"train error {100 * meter.wrong / meter.seen:.1f} %, {meter.seen / seconds:.0f} img/s",
        )

    def _gradients(self, batch: Batch) -> torch.Tensor:
        """Adds up the gradients of this process's share of a batch, in the recipe's number of parts.

        Returns the sum of the losses and the number of wrong answers of the share, float64 (2,), on the device.
        """
        smallest_share = batch.n // self.ranks.world  # SyncBatchNorm waits for all processes in each part
        parts = max(1, min(self.recipe.accumulate, smallest_share // 2))
        totals = torch.zeros(2, dtype=torch.float64, device=self.device)
        for part, (some, answers) in enumerate(
            zip(batch.images.tensor_split(parts), batch.labels.tensor_split(parts), strict=True), start=1
        ):
            with self._averaged(part == parts):
                with self._precision():
                    output = self.network(some)
                    logits = getattr(output, "logits", output)  # torchvision's Inception adds others to learn from
                    loss = F.cross_entropy(logits, answers, label_smoothing=self.recipe.label_smoothing)
                # DDP takes the mean over processes; each image shall count the same, whatever its share's size.
                self.state.backward(loss * (len(answers) * self.ranks.world / batch.n))
            if part == 1 < parts:
                keep_gradients(self.state.model, self.compile_mode)
            totals[0] += loss.detach().double() * len(answers)
            totals[1] += (logits.argmax(1) != answers).sum()
        return totals

    def _precision(self) -> AbstractContextManager[object]:
        if not torch.amp.is_autocast_available(self.device.type):
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not None)

    def _averaged(self, last: bool) -> AbstractContextManager[None]:
        """Gradients go from process to process once a batch, with its last part."""
        return nullcontext() if last or self.shared is None else self.shared.no_sync()


def _take_buffers_of_rank_0(model: nn.Module) -> None:
    """Each process has running statistics of BN of its own since the last batch. Those of rank 0 are saved, so all
    measure the test error with them."""
    for buffer in model.buffers():
        value = buffer.contiguous()
        distributed.broadcast(value, 0)
        buffer.copy_(value)


def _shared(model: nn.Module, device: torch.device) -> DistributedDataParallel:
    """The network of which each process has a copy. On CUDA its gradients lie where the processes add them up, which
    saves memory and copies. It gets no `device_ids`: its inputs are on the device already."""
    # Gradients of channels-last weights are copied once more; that costs nothing beside the step itself.
    warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    return DistributedDataParallel(model, gradient_as_bucket_view=device.type == "cuda")
