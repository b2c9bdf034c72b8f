"""From images to what a network makes of them: one runner, which alone decides how many images go where at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from threading import Semaphore
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from lst_robust.errors import LstRobustError, NonFiniteError, UsageError
from lst_robust.evaluation.identity.probe import full_precision
from lst_robust.models.optimize import images_a_thread
from lst_robust.models.preprocess import Load, Preprocess
from lst_robust.records.confidence import Outcomes
from lst_robust.runtime.prefetch import prefetch
from lst_robust.suites import PixelStatistics

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

TOP = 5
CPU_MEMORY = "DefaultCPUAllocator"  # what torch's error names that has no class of its own
# What a thread of its own takes at a time: fewer are slow, more gain nothing and keep Ctrl-C waiting.
MIN_IMAGES, MAX_IMAGES, MAX_PIXELS = 8, 64, 2**19
STATELESS_PACKAGES = ("lst_robust.models.", "torch.nn.modules.", "torchvision.models.", "torchvision.ops.")
NORMALISERS = (
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm,
    nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d,
)  # fmt: skip


@dataclass(frozen=True)
class InferenceSettings:
    """How fast the result comes, not what it is (amp: to rounding).

    batch_size: images in the network at a time, at most; workers: threads that load and corrupt.
    """

    device: torch.device
    batch_size: int
    workers: int
    amp: bool = False


class Sizes(NamedTuple):
    """How the images of a cell are cut up.

    loaded: how many images a worker loads at a time; at_once: how many of them go through the network together;
    threads: how many threads compute at the same time, each with images of its own. With one, each batch has all of
    torch's threads.
    """

    loaded: int
    at_once: int
    threads: int

    @classmethod
    def of(cls, network: nn.Module, settings: InferenceSettings, image_size: int, threads: int) -> Sizes:
        """threads: those that torch has.

        On a CPU each of torch's threads computes alone, with images of its own, where the network allows that and the
        batch holds enough for all. This is faster than one batch on all of them, which wait for each other after every
        layer, and so for each one whose core a loader has.
        """
        on_cpu = settings.device.type == "cpu"
        share = min(settings.batch_size // threads, MAX_IMAGES, max(MIN_IMAGES, MAX_PIXELS // image_size**2))
        shared = on_cpu and 1 < threads <= settings.workers and share >= MIN_IMAGES and keeps_no_state(network)
        loaded = share if shared else settings.batch_size
        best = images_a_thread(network) if on_cpu else None
        at_once = loaded if best is None else min(loaded, best * (1 if shared else threads))
        return cls(loaded, at_once, threads if shared else 1)

    def batches(self, n: int) -> list[range]:
        """Positions of images 0 to n - 1, in order. Few images are shared out too."""
        size = min(self.loaded, -(-n // self.threads))
        return [range(start, min(start + size, n)) for start in range(0, n, size)]


class InferenceRunner:
    """Classifies uint8 images by a network that lies on its device in evaluation mode.

    On a CPU torch's thread count of the process may be 1 while a cell is classified; afterwards it is the caller's.
    """

    def __init__(
        self, network: nn.Module, pixels: PixelStatistics, classes: int, settings: InferenceSettings, image_size: int
    ) -> None:
        self.network, self.classes, self.settings = network, classes, settings
        self.preprocess = Preprocess(pixels.mean, pixels.std, settings.device)
        self.sizes = Sizes.of(network, settings, image_size, torch.get_num_threads())
        self._at_once = self.sizes.at_once  # less once the device's memory has run out
        self.make_room: Callable[[], bool] = lambda: False
        """Called when the device's memory has run out: frees what others hold there, and says whether that was any."""

    def outcomes(
        self, load: Load, labels: np.ndarray, batches: Sequence[range] | None = None
    ) -> Generator[Outcomes, None, None]:
        """What the network makes of images 0, 1, ... in order, in parts.

        load: positions -> uint8 (n, S, S, 3), called from several threads; labels: int64, of all images; batches: some
        of `sizes.batches(len(labels))`, where only these are wanted. Close it (contextlib.closing) where it may be left
        before its end. Raises NonFiniteError when a logit is NaN or infinite.
        """
        batches = self.sizes.batches(len(labels)) if batches is None else batches
        if self.sizes.threads > 1:
            yield from self._on_each_thread(load, labels, batches)
            return
        with closing(prefetch(load, batches, self.settings.workers)) as loaded:
            for batch, images in zip(batches, loaded, strict=True):
                yield self._classified(images, labels[batch.start : batch.stop])

    def logits(self, images: np.ndarray) -> np.ndarray:
        """float32 (n, classes) of images uint8 (n, S, S, 3), always in full precision."""
        with full_precision(self.settings.device):
            return np.concatenate(self._in_parts(lambda some: self._logits(images[some]).cpu().numpy(), len(images)))

    def _on_each_thread(
        self, load: Load, labels: np.ndarray, batches: Sequence[range]
    ) -> Generator[Outcomes, None, None]:
        computing = Semaphore(self.sizes.threads)  # further workers load ahead
        threads_before = torch.get_num_threads()  # a caller may have changed them since the plan was made

        def load_and_classify(batch: range) -> Outcomes:
            images = load(batch)
            with computing:
                return self._classified(images, labels[batch.start : batch.stop])

        try:
            outcomes = prefetch(load_and_classify, batches, self.settings.workers, lambda: torch.set_num_threads(1))
            with closing(outcomes):
                yield from outcomes
        finally:
            torch.set_num_threads(threads_before)

    def _classified(self, images: np.ndarray, labels: np.ndarray) -> Outcomes:
        def outcomes(some: slice) -> Outcomes:
            logits = self._logits(images[some], amp=self.settings.amp)
            if not torch.isfinite(logits).all():
                raise NonFiniteError("the network returned NaN or infinite logits")
            return outcomes_of(logits, torch.from_numpy(labels[some]).to(logits.device))

        return Outcomes.concatenated(self._in_parts(outcomes, len(images)))

    @torch.inference_mode()
    def _logits(self, images: np.ndarray, *, amp: bool = False) -> torch.Tensor:
        """float32 (n, classes) on the device. UsageError when the network does not return one logit for each class."""
        batch = self.preprocess(images).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.settings.device.type, enabled=amp):
            logits = self._answer(batch)
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else f"a {type(logits).__name__}"
        if shape != (len(images), self.classes):
            raise UsageError(
                f"the network returned {shape} for {len(images)} images of {self.classes} classes: it must return one "
                "logit a class, (images, classes)"
            )
        return logits.float()

    def _answer(self, batch: torch.Tensor) -> Any:
        """What the network returns. MemoryError, as of Python, where torch finds no memory on the CPU; UsageError where
        the network's code ends the program."""
        try:
            return self.network(batch)
        except SystemExit as error:
            raise UsageError(f"the network's code ended the program (SystemExit: {error}): correct its code") from error
        except RuntimeError as error:
            if CPU_MEMORY in str(error):
                raise MemoryError from error
            raise

    def _in_parts(self, work: Callable[[slice], Result], n: int) -> list[Result]:
        """What `work` makes of n images, in as many parts as the memory needs."""
        parts: list[Result] = []
        done = 0
        while done < n:
            some = slice(done, min(done + self._at_once, n))
            try:
                parts.append(work(some))
            except torch.cuda.OutOfMemoryError as error:
                if not self.make_room():
                    self._halve(some.stop - done, error)
                continue
            done = some.stop
        return parts

    def _halve(self, tried: int, error: Exception) -> None:
        device = self.settings.device
        if tried == 1:
            raise LstRobustError(
                f"{device} has not enough memory for one image: free some, or take --device cpu"
            ) from error
        self._at_once = tried // 2
        logger.warning("%s has not enough memory for %d images at a time: going on with half", device, tried)
        torch.cuda.empty_cache()


@torch.inference_mode()
def outcomes_of(logits: torch.Tensor, labels: torch.Tensor) -> Outcomes:
    """logits: (n, classes); labels: int64 (n,), on the same device."""
    predicted = logits.argmax(dim=1)
    correct = predicted == labels
    in_top5 = None
    if logits.shape[1] > TOP:
        in_top5 = (logits.topk(TOP, dim=1).indices == labels[:, None]).any(dim=1) | correct
    p = logits.double().softmax(dim=1)
    own = p.gather(1, labels[:, None])[:, 0]
    brier = p.square().sum(dim=1) - 2 * own + 1
    return Outcomes(
        correct.cpu().numpy(),
        None if in_top5 is None else in_top5.cpu().numpy(),
        p.amax(dim=1).cpu().numpy(),
        brier.clamp(min=0).cpu().numpy(),
        predicted.cpu().numpy(),
    )


def keeps_no_state(network: nn.Module) -> bool:
    """Whether several threads may call `network` at the same time, each with a part of a batch.

    The modules of this library, torch and torchvision change nothing in themselves in evaluation mode, with the
    exceptions below. Of others, of hooks and of methods that were replaced in an object, nobody knows.
    """
    everywhere = (register_module_forward_hook, register_module_forward_pre_hook)
    return not any(_has_hooks(register) for register in everywhere) and all(
        type(module).__module__.startswith(STATELESS_PACKAGES)
        and not any(callable(getattr(type(module), name, None)) for name in vars(module))
        and not (isinstance(module, NORMALISERS) and module.running_mean is None)  # what it computes is of the batch
        and not getattr(module, "max_norm", None)  # embeddings that rescale themselves
        and not any(_has_hooks(one) for one in (module.register_forward_hook, module.register_forward_pre_hook))
        for module in network.modules()
    )


def _has_hooks(register: Callable[[Callable[..., None]], Any]) -> bool:
    """Whether there are hooks of the kind that `register` adds. torch can only be asked by adding one more."""
    handle = register(lambda *_: None)
    others = len(handle.hooks_dict_ref()) > 1
    handle.remove()
    return others
