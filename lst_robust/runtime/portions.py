"""How many images are worked on at a time on a device whose memory may run out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import torch

from lst_robust.errors import LstRobustError
from lst_robust.runtime.devices import not_enough_memory

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

MakeRoom = Callable[[], bool]
"""Frees what others hold in a device's memory, and says whether that was any."""


def no_room() -> bool:
    """Nobody holds anything that could go."""
    return False


def with_room(work: Callable[[], Result], make_room: MakeRoom) -> Result:
    """What `work` gives. When the device's memory runs out, it is tried again as long as `make_room` frees some."""
    while True:
        try:
            return work()
        except RuntimeError as error:
            lack = lack_of_memory(error)
        if not make_room():
            raise lack


def lack_of_memory(error: RuntimeError) -> RuntimeError:
    """The error without the frames that it came through, which hold the tensors of the work that failed: as long as
    they are there, no memory is free for the next attempt. Other errors are raised as they are."""
    if not not_enough_memory(error):
        raise error
    return error.with_traceback(None)


class Portions:
    """At most `at_once` images at a time: half as many once the device's memory has run out, and so on."""

    def __init__(self, device: torch.device, at_once: int) -> None:
        self.device, self.at_once = device, at_once

    def of(
        self, work: Callable[[slice], Result], n: int, make_room: MakeRoom = no_room, *, alike: bool = False
    ) -> list[Result]:
        """What `work` makes of n images, in as many parts as the memory needs. What is done is kept.

        make_room: is called first when the memory has run out; alike: the parts are about equal, where a last one of
        few images would take as long as a full one. Raises LstRobustError where there is no room for one image.
        """
        parts: list[Result] = []
        done = 0
        while done < n:
            left = n - done
            size = -(-left // -(-left // self.at_once)) if alike else min(left, self.at_once)
            some = slice(done, done + size)
            try:
                parts.append(work(some))
                done = some.stop
                continue
            except RuntimeError as error:
                lack = lack_of_memory(error)
            if not make_room():
                self._halve(some.stop - done, lack)
        return parts

    def _halve(self, tried: int, lack: Exception) -> None:
        if tried == 1:
            elsewhere = "" if self.device.type == "cpu" else ", or take --device cpu"
            raise LstRobustError(f"{self.device} has not enough memory for one image: free some{elsewhere}") from lack
        self.at_once = tried // 2
        logger.warning("%s has not enough memory for %d images at a time: going on with half", self.device, tried)
        torch.cuda.empty_cache()
