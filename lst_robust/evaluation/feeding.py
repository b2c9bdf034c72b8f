"""How images come to a network's device while it works on those before them.

On CUDA two streams are at work: the network has the device's main stream, and what brings or makes the images the side
stream. Between them lie two buffers that take turns. Events say when a buffer is filled and when it is free again, so
that neither the streams nor the host wait for more than that. On a CPU there are no streams, and no buffers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import cycle
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

from lst_robust.models.resident import page_locked
from lst_robust.runtime.devices import asynchronous, indexed
from lst_robust.runtime.portions import MakeRoom, no_room, with_room


def side_stream(device: torch.device) -> torch.cuda.Stream:
    """The one of this device: each stream has a store of memory of its own."""
    return _side_stream(indexed(device))


@lru_cache(maxsize=64)
def _side_stream(numbered: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(numbered)


def ahead(
    batches: Iterable[Tensor], device: torch.device, make_room: MakeRoom = no_room
) -> Generator[Tensor, None, None]:
    """The batches, uint8, on the device, each made while the network works on the one before.

    A batch is valid until the next one is asked for. make_room: is called when there is no memory for a buffer. Close
    the generator (contextlib.closing) where it may be left before its end.
    """
    if asynchronous(device):
        yield from _ahead_on_cuda(batches, device, make_room)
    else:
        for batch in batches:
            yield batch.to(device)


def _ahead_on_cuda(
    batches: Iterable[Tensor], device: torch.device, make_room: MakeRoom
) -> Generator[Tensor, None, None]:
    side, main = side_stream(device), torch.cuda.current_stream(device)
    side.wait_stream(main)  # what was made there before is ready
    buffers = [torch.empty(0), torch.empty(0)]
    free: list[torch.cuda.Event | None] = [None, None]
    source = iter(batches)
    try:
        for place in cycle((0, 1)):
            with torch.cuda.stream(side):
                made = next(source, None)
                if made is None:
                    return
                n, was_read = len(made), free[place]
                if was_read is not None:
                    side.wait_event(was_read)  # before the buffer is written, or its memory given to another tensor
                _make_large_enough(buffers, place, made, device, make_room)
                batch = buffers[place][:n]
                batch.copy_(made, non_blocking=True)
                del made  # its memory is free for the next one
                filled = side.record_event()
            main.wait_event(filled)
            yield batch
            del batch
            free[place] = main.record_event()
    finally:
        side.wait_stream(main)  # the buffers' memory is the side stream's again, and it must not write there too soon


def _make_large_enough(
    buffers: list[Tensor], place: int, images: Tensor, device: torch.device, make_room: MakeRoom
) -> None:
    """Puts a new buffer in the place of one that is too small for the images."""
    if len(buffers[place]) < len(images):
        buffers[place] = torch.empty(0)  # the old one goes first: there may be no room for both
        buffers[place] = with_room(lambda: torch.empty(images.shape, dtype=images.dtype, device=device), make_room)


def sent_in_turn(arrays: Iterable[np.ndarray], device: torch.device, make_room: MakeRoom = no_room) -> Iterator[Tensor]:
    """Arrays of the host, uint8, on the device. On CUDA they go through two pinned buffers, so that nobody waits for
    the copy that was begun last; the host waits for the one before it, which must be done before its buffer is written
    again. make_room: is called when the device has no memory for one."""
    if not asynchronous(device):
        for array in arrays:
            yield torch.from_numpy(array).to(device)
        return
    buffers: list[Tensor | None] = [None, None]
    copied: list[torch.cuda.Event | None] = [None, None]
    for place, array in zip(cycle((0, 1)), arrays, strict=False):
        images, begun = torch.from_numpy(array), copied[place]
        if begun is not None:
            begun.synchronize()
        buffer = buffers[place]
        if buffer is None or len(buffer) < len(images):
            buffer = page_locked(images.shape, device)
        buffers[place] = buffer
        filled = buffer[: len(images)]
        filled.copy_(images)
        on_device = with_room(lambda: torch.empty(images.shape, dtype=images.dtype, device=device), make_room)  # noqa: B023
        on_device.copy_(filled, non_blocking=True)
        copied[place] = torch.cuda.current_stream(device).record_event()
        yield on_device
        del on_device


class Stopwatch:
    """How long a device takes for one of several kinds of work. On CUDA it asks for no time before the end."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._seconds = device, 0.0
        self._laps: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        if not asynchronous(self._device):
            begun = perf_counter()
            yield
            self._seconds += perf_counter() - begun
            return
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        stream = torch.cuda.current_stream(self._device)
        begin.record(stream)
        yield
        end.record(stream)
        self._laps.append((begin, end))

    def seconds(self) -> float:
        """On CUDA only after the device has done the work."""
        return self._seconds + sum(begin.elapsed_time(end) for begin, end in self._laps) / 1000


class Done:
    """Tells how far a device is, without waiting for it.

    advance: is called with the steps that are known to be done.
    """

    def __init__(self, device: torch.device, advance: Callable[[float], object]) -> None:
        self._device, self._advance = device, advance
        self._begun: deque[tuple[torch.cuda.Event | None, float]] = deque()

    def after_this(self, steps: float) -> None:
        """So many steps are done when the device has done all it was given until now."""
        event = torch.cuda.current_stream(self._device).record_event() if asynchronous(self._device) else None
        self._begun.append((event, steps))
        while self._begun and (self._begun[0][0] is None or self._begun[0][0].query()):
            self._advance(self._begun.popleft()[1])

    def all(self) -> None:
        """The device has done everything."""
        while self._begun:
            self._advance(self._begun.popleft()[1])
