"""From corrupted images to what a network makes of them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from threading import Semaphore
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from lst_robust.errors import LstRobustError, NonFiniteError, UsageError
from lst_robust.models.preprocess import Load, Preprocess
from lst_robust.records.confidence import Outcomes
from lst_robust.runtime.prefetch import prefetch

Result = TypeVar("Result")

# What a thread of its own takes at a time: fewer are slow, more gain nothing and keep Ctrl-C waiting.
MIN_IMAGES, MAX_IMAGES, MAX_PIXELS = 8, 64, 2**19
STATELESS_PACKAGES = ("lst_robust.models.", "torch.nn.modules.", "torchvision.models.", "torchvision.ops.")


@torch.inference_mode()
def compute_logits(
    model: nn.Module, preprocess: Preprocess, images: np.ndarray, classes: int, *, amp: bool = False
) -> torch.Tensor:
    """float32 (n, classes) on the network's device, of images uint8 (n, S, S, 3).

    Raises UsageError when the network does not return one logit for each class.
    """
    batch = preprocess(images).contiguous(memory_format=torch.channels_last)
    with torch.autocast(preprocess.device.type, enabled=amp):
        logits = model(batch)
    shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else f"a {type(logits).__name__}"
    if shape != (len(images), classes):
        raise UsageError(
            f"the network returned {shape} for {len(images)} images of {classes} classes: it must return one logit a "
            "class, (images, classes)"
        )
    return logits.float()


@torch.inference_mode()
def predict(
    model: nn.Module,
    preprocess: Preprocess,
    images: np.ndarray,
    labels: np.ndarray,
    classes: int,
    *,
    amp: bool = False,
) -> Outcomes:
    """How each image, uint8 (n, S, S, 3), with its label, int64 (n,), one of so many `classes`, comes out.

    Raises NonFiniteError when a logit is NaN or infinite, UsageError when there is not one for each class.
    """
    logits = compute_logits(model, preprocess, images, classes, amp=amp)
    if not torch.isfinite(logits).all():
        raise NonFiniteError("the network returned NaN or infinite logits")
    return Outcomes.of(logits, torch.from_numpy(labels).to(logits.device))


class Predictor:
    """`predict` for batches that may be too large for the device's memory: each time it runs out, half as many images
    go through the network at a time, from then on."""

    def __init__(
        self, model: nn.Module, preprocess: Preprocess, classes: int, *, amp: bool, warn: Callable[[str], None]
    ) -> None:
        self.model, self.preprocess, self.classes, self.amp, self._warn = model, preprocess, classes, amp, warn
        self.at_once: int | None = None  # images; None: as many as come

    def __call__(self, images: np.ndarray, labels: np.ndarray) -> Outcomes:
        """How each image, uint8 (n, S, S, 3), comes out; labels: int64 (n,)."""

        def outcomes(some: slice) -> Outcomes:
            return predict(self.model, self.preprocess, images[some], labels[some], self.classes, amp=self.amp)

        return Outcomes.concatenated(self._in_parts(outcomes, len(images)))

    def logits(self, images: np.ndarray) -> np.ndarray:
        """float32 (n, classes), always in full precision."""

        def logits(some: slice) -> np.ndarray:
            return compute_logits(self.model, self.preprocess, images[some], self.classes).cpu().numpy()

        return np.concatenate(self._in_parts(logits, len(images)))

    def _in_parts(self, work: Callable[[slice], Result], n: int) -> list[Result]:
        """What `work` makes of n images, in as many parts as the memory needs."""
        parts: list[Result] = []
        done = 0
        while done < n:
            some = slice(done, min(done + (self.at_once or n), n))
            try:
                parts.append(work(some))
            except torch.cuda.OutOfMemoryError as error:
                self._halve(some.stop - done, error)
                continue
            done = some.stop
        return parts

    def _halve(self, tried: int, error: Exception) -> None:
        if tried == 1:
            raise LstRobustError(
                f"{self.preprocess.device} has not enough memory for one image: free some, or take --device cpu"
            ) from error
        self.at_once = tried // 2
        self._warn(f"{self.preprocess.device} has not enough memory for {tried} images at a time: going on with half")
        torch.cuda.empty_cache()


class Classifier:
    """All images of a cell through the network, with loading and computing at the same time.

    On a CPU each of torch's threads computes alone, with images of its own, where the network allows that and the batch
    holds enough for all. This is faster than one batch on all of them, which wait for each other after every layer, and
    so for each one whose core a loader has. Elsewhere `workers` threads load ahead while the caller's computes.

    While it runs, torch's thread count of the process is 1; afterwards it is the caller's.
    """

    def __init__(self, predict: Predictor, image_size: int, batch_size: int, workers: int) -> None:
        self.predict, self.batch_size, self.workers = predict, batch_size, workers
        self.threads = torch.get_num_threads()
        self.share = min(batch_size // self.threads, MAX_IMAGES, max(MIN_IMAGES, MAX_PIXELS // image_size**2))
        self.shared_out = (
            predict.preprocess.device.type == "cpu"
            and 1 < self.threads <= workers
            and self.share >= MIN_IMAGES
            and keeps_no_state(predict.model)
        )

    def __call__(self, load: Load, labels: np.ndarray) -> Generator[Outcomes, None, None]:
        """The outcomes of images 0, 1, ... in order, in parts. Close it (contextlib.closing) where it may be left
        before its end."""
        return self._on_each_thread(load, labels) if self.shared_out else self._one_by_one(load, labels)

    def _one_by_one(self, load: Load, labels: np.ndarray) -> Generator[Outcomes, None, None]:
        batches = _batches(len(labels), self.batch_size)
        with closing(prefetch(load, batches, self.workers)) as loaded:
            for batch, images in zip(batches, loaded, strict=True):
                yield self.predict(images, labels[batch.start : batch.stop])

    def _on_each_thread(self, load: Load, labels: np.ndarray) -> Generator[Outcomes, None, None]:
        computing = Semaphore(self.threads)  # further workers load ahead

        def load_and_predict(batch: range) -> Outcomes:
            images = load(batch)
            with computing:
                return self.predict(images, labels[batch.start : batch.stop])

        n = len(labels)
        batches = _batches(n, min(self.share, -(-n // self.threads)))
        try:
            outcomes = prefetch(load_and_predict, batches, self.workers, lambda: torch.set_num_threads(1))
            with closing(outcomes):
                yield from outcomes
        finally:
            torch.set_num_threads(self.threads)


def _batches(n: int, size: int) -> list[range]:
    return [range(start, min(start + size, n)) for start in range(0, n, size)]


def keeps_no_state(model: nn.Module) -> bool:
    """Whether several threads may call `model` at the same time, each with a part of a batch.

    The modules of this library, torch and torchvision change nothing in themselves in evaluation mode, with the
    exceptions below. Of others, of hooks and of methods replaced in an object, nobody knows.
    """
    everywhere = nn.modules.module
    return not (everywhere._global_forward_hooks or everywhere._global_forward_pre_hooks) and all(
        type(module).__module__.startswith(STATELESS_PACKAGES)
        and not (module._forward_hooks or module._forward_pre_hooks)
        and not any(callable(getattr(type(module), name, None)) for name in vars(module))
        and not (isinstance(module, nn.modules.batchnorm._NormBase) and module.running_mean is None)  # of the batch
        and not getattr(module, "max_norm", None)  # embeddings that rescale themselves
        for module in model.modules()
    )
