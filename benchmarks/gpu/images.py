"""Images in memory, as a data set that an evaluation opens and a training learns from."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_sample_images

from lst_robust.data.content import digest_of_rows
from lst_robust.data.source import ImageSource

CROPS = 256  # different ones; further images repeat them under other names, and so with other noise
CLASSES = 10


def crops(side: int, count: int) -> np.ndarray:
    """uint8 (count, side, side, 3): random crops of the photographs that ship with scikit-learn, seeded."""
    pictures, random = load_sample_images().images, np.random.default_rng(0)
    different = []
    for i in range(min(count, CROPS)):
        picture = pictures[i % len(pictures)]
        y, x = (int(random.integers(0, length - side)) for length in picture.shape[:2])
        different.append(picture[y : y + side, x : x + side])
    return np.stack(different)[np.arange(count) % len(different)]


class Crops(ImageSource):
    """`count` crops in memory, with labels that mean nothing."""

    def __init__(self, side: int, count: int) -> None:
        self.name, self.place, self.image_size = "crops/test", "crops of two photographs", side
        self.classes = tuple(f"class {number}" for number in range(CLASSES))
        self.labels = np.arange(count) % CLASSES
        self.ids = tuple(f"crop-{number}" for number in range(count))
        self._pixels = crops(side, count)

    def load(self, indices: np.ndarray, workers: int) -> tuple[np.ndarray, list[tuple[int, str]]]:
        return self._pixels[indices], []

    def digest_of(self, indices: np.ndarray, workers: int) -> str:
        return digest_of_rows(self._pixels[indices])
