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


class Portions:
    """At most `at_once` images at a time: half as many once the device's memory has run out, and so on."""

    def __init__(self, device: torch.device, at_once: int) -> None:
        self.device, self.at_once = device, at_once

    def of(
        self, work: Callable[[slice], Result], n: int, make_room: Callable[[], bool] = lambda: False
    ) -> list[Result]:
        """What `work` makes of n images, in as many parts as the memory needs. What is done is kept.

        make_room: is called first when the memory has run out. It frees what others hold there, and says whether that
        was any. Raises LstRobustError where there is no room for one image.
        """
        parts: list[Result] = []
        done = 0
        while done < n:
            some = slice(done, min(done + self.at_once, n))
            try:
                parts.append(work(some))
            except RuntimeError as error:
                if not not_enough_memory(error):
                    raise
                if not make_room():
                    self._halve(some.stop - done, error)
                continue
            done = some.stop
        return parts

    def _halve(self, tried: int, error: Exception) -> None:
        if tried == 1:
            raise LstRobustError(
                f"{self.device} has not enough memory for one image: free some, or take --device cpu"
            ) from error
        self.at_once = tried // 2
        logger.warning("%s has not enough memory for %d images at a time: going on with half", self.device, tried)
        torch.cuda.empty_cache()
