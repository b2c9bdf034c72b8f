"""A clock that goes as the test says."""

from __future__ import annotations


class Clock:
    """Gives `now`; each look at it takes `step` seconds."""

    def __init__(self, step: float = 0.0) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now
