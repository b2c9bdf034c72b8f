"""From images to what a network makes of them: one runner, which alone decides how many images go where at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from threading import Semaphore
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from lst_robust.errors import NonFiniteError, UsageError
from lst_robust.evaluation.compiling import CompiledNetwork
from lst_robust.evaluation.outcome_tensors import NOT_FINITE, OutcomeTensors, outcomes_of
from lst_robust.models.optimize import images_a_thread
from lst_robust.models.preprocess import Load, Preprocess
from lst_robust.records.confidence import Outcomes
from lst_robust.runtime.compiler import NOT_COMPILED
from lst_robust.runtime.devices import amp_dtype, sent
from lst_robust.runtime.full_precision import full_precision
from lst_robust.runtime.portions import MakeRoom, Portions, no_room
from lst_robust.runtime.prefetch import prefetch
from lst_robust.suites import PixelStatistics

CPU_MEMORY = "DefaultCPUAllocator"  # what torch's error names that has no class of its own
AMP_NAMES = {torch.bfloat16: "bf16", torch.float16: "fp16"}
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

    batch_size: images in the network at a time, at most; workers: threads that load and corrupt. amp: see `amp_dtype`;
    engine: "cpu" or "torch", of the corruptions; compiled: one of COMPILE_MODES. The last three are for cells only.
    """

    device: torch.device
    batch_size: int
    workers: int
    amp: str | bool = "no"
    engine: str = "cpu"
    compiled: str = NOT_COMPILED

    @property
    def on_device(self) -> bool:
        """Whether images and outcomes of a cell stay on the device until all of it is done."""
        return self.device.type != "cpu" or self.engine == "torch"

    @property
    def notes(self) -> list[str]:
        """What the record of a cell says besides the device's name."""
        dtype = amp_dtype(self.amp, self.device)
        return [
            *(["corruptions on it"] if self.engine == "torch" else []),
            *([f"amp {AMP_NAMES[dtype]}"] if dtype is not None else []),
            *([f"compiled ({self.compiled})"] if self.compiled != NOT_COMPILED else []),
        ]


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
        layer, and so for each one whose core a loader has. A compiled network, and one whose images lie on its device
        already, has all threads.
        """
        on_cpu = settings.device.type == "cpu"
        apart = not settings.on_device and settings.compiled == NOT_COMPILED
        share = min(settings.batch_size // threads, MAX_IMAGES, max(MIN_IMAGES, MAX_PIXELS // image_size**2))
        shared = apart and 1 < threads <= settings.workers and share >= MIN_IMAGES and keeps_no_state(network)
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
        self._amp = amp_dtype(settings.amp, settings.device)
        compiled = settings.compiled != NOT_COMPILED
        self._compiled = CompiledNetwork(network, settings.compiled) if compiled else None
        self.make_room: MakeRoom = no_room
        """Called when the device's memory has run out."""
        self._portions = Portions(settings.device, self.sizes.at_once)

    def move_to(self, device: torch.device) -> None:
        """Moves the network. Whoever makes room on its device, and brings it back later, must do it by this."""
        tensors = (*self.network.parameters(), *self.network.buffers())
        moves = any(tensor.device.type != device.type for tensor in tensors)
        try:
            self.network.to(device)
        finally:  # some tensors have moved where there is no room for all
            if moves and self._compiled is not None:
                self._compiled.has_moved()

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
        parts = self._portions.of(lambda some: self._logits(images[some]).cpu().numpy(), len(images), self.make_room)
        return np.concatenate(parts)

    def classify(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        start: int,
        into: OutcomeTensors,
        make_room: MakeRoom | None = None,
    ) -> None:
        """Writes what the network makes of a cell's images, uint8 (n, S, S, 3) on the device, that stand at positions
        from `start` on. labels: int64, of all images, on the device. make_room: in place of the runner's own. On CUDA
        nothing waits for the result."""

        def work(some: slice) -> None:
            first, last = start + some.start, start + some.stop
            into.write(first, self._logits(images[some], of_cell=True), labels[first:last])

        self._portions.of(work, len(images), make_room or self.make_room)

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
            logits = self._logits(images[some], of_cell=True)
            if not torch.isfinite(logits).all():
                raise NonFiniteError(NOT_FINITE)
            return outcomes_of(logits, sent(torch.from_numpy(labels[some]), logits.device))

        return Outcomes.concatenated(self._portions.of(outcomes, len(images), self.make_room))

    @torch.inference_mode()
    def _logits(self, images: np.ndarray | torch.Tensor, *, of_cell: bool = False) -> torch.Tensor:
        """float32 (n, classes) on the device. of_cell: with amp and compiled, where that is asked for.

        UsageError when the network does not return one logit for each class.
        """
        batch = self.preprocess(images).contiguous(memory_format=torch.channels_last)
        amp = self._amp if of_cell else None
        precisely = full_precision(self.settings.device) if amp is None else nullcontext()
        with precisely, torch.autocast(self.settings.device.type, dtype=amp, enabled=amp is not None):
            logits = self._answer(batch, of_cell)
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else f"a {type(logits).__name__}"
        if shape != (len(images), self.classes):
            raise UsageError(
                f"the network returned {shape} for {len(images)} images of {self.classes} classes: it must return one "
                "logit a class, (images, classes)"
            )
        return logits.float()

    def _answer(self, batch: torch.Tensor, of_cell: bool) -> Any:
        """What the network returns. MemoryError, as of Python, where torch finds no memory on the CPU; UsageError where
        the network's code ends the program."""
        try:
            if self._compiled is not None and of_cell:
                return self._compiled(batch, self._portions.at_once)
            return self.network(batch)
        except SystemExit as error:
            raise UsageError(f"the network's code ended the program (SystemExit: {error}): correct its code") from error
        except RuntimeError as error:
            if CPU_MEMORY in str(error):
                raise MemoryError from error
            raise


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
