"""Networks that take turns on one device."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakSet, ref

import torch

from lst_robust.evaluation.inference import InferenceRunner
from lst_robust.runtime.portions import with_room

logger = logging.getLogger(__name__)
CPU = torch.device("cpu")


class Turns:
    """All networks lie on their device as long as it has room. Once its memory runs out, only the one whose turn it is
    lies there, and the others wait on the CPU.

    Whoever measures a network keeps it in memory, and not this: a network that is done is let go at once."""

    def __init__(self) -> None:
        self._runners: WeakSet[InferenceRunner] = WeakSet()
        self._current: InferenceRunner | None = None
        self._fetched: ref[InferenceRunner] | None = None  # the last one, which nobody has moved since
        self._crowded = False

    def add(self, runner: InferenceRunner) -> None:
        """One more network, which is on its device now, and whose runner calls `make_room`."""
        self._runners.add(runner)
        if self._crowded:
            runner.move_to(CPU)

    @contextmanager
    def turn(self, runner: InferenceRunner) -> Iterator[None]:
        """Within it the network is on its device."""
        self._current = runner
        try:
            if self._fetched is None or self._fetched() is not runner:
                self._fetch(runner)
            yield
        finally:
            self._current = None
            if self._crowded and len(self._runners) > 1:
                self._fetched = None
                runner.move_to(CPU)

    def make_room(self, but: InferenceRunner | None = None) -> bool:
        """Moves all networks that wait to the CPU, `but` one. False where none of them was elsewhere."""
        waiting = [one for one in self._runners if one is not self._current and one is not but and _is_elsewhere(one)]
        for runner in waiting:
            runner.move_to(CPU)
        self._fetched = None
        if waiting:
            torch.cuda.empty_cache()
        if waiting and not self._crowded:
            self._crowded = True
            logger.info(
                "%s has not enough memory for all networks: they wait on the CPU for their turn",
                waiting[0].settings.device,
            )
        return bool(waiting)

    def _fetch(self, runner: InferenceRunner) -> None:
        device = runner.settings.device
        with_room(lambda: runner.move_to(device), self.make_room)
        self._fetched = ref(runner)


def _is_elsewhere(runner: InferenceRunner) -> bool:
    """Whether a network takes memory of another device than the CPU."""
    tensors = (*runner.network.parameters(), *runner.network.buffers())
    return any(tensor.device.type != "cpu" for tensor in tensors)
