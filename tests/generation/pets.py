"""The clean images of the pets, and work that is interrupted."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lst_robust.data.decode import decode
from lst_robust.geometry import centre_crop
from lst_robust.runtime.progress import Silent

CHEAP = ("gaussian_noise", "contrast", "pixelate")
IDS = ("cat/0.png", "cat/1.png", "cat/2.png", "dog/0.png", "dog/1.png", "dog/2.png")


def clean(pets: Path, size: int = 32, resize: int = 37) -> np.ndarray:
    """uint8 (6, size, size, 3), cut as the official sets are."""
    return np.stack([decode(pets / name, centre_crop(size, resize)) for name in IDS])


class StopsAfter(Silent):
    """An observer that interrupts the work, as Ctrl-C does, after so many cells of chunks."""

    def __init__(self, cells: int) -> None:
        self.left = cells

    def advance(self, steps: float = 1, status: str = "") -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
