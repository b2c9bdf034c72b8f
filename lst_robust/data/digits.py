"""scikit-learn's bundled handwritten digits (UCI, 1,797 real 8x8 images): data without a download."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
from PIL import Image

from lst_robust.data.content import digest_of_rows
from lst_robust.data.kind import DatasetConfig, DatasetKind, Published
from lst_robust.data.source import ImageSource, Split, decode_each, stratified
from lst_robust.geometry import Geometry

TEST_SIZE = 500  # 50 of each digit; the other 1,297 are for training


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    """uint8 (1797, 8, 8) with the file's levels 0..16 spread over 0..255, and int64 labels (1797,)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return np.rint(digits.images * (255 / 16)).astype(np.uint8), digits.target.astype(np.int64)


class DigitsSource(ImageSource):
    """The digits as RGB, enlarged from 8x8 by PIL's bicubic filter. Ids are the indices in scikit-learn's set.

    The split is fixed: the test images are the 500 that `stratified` chooses by their ids.
    """

    def __init__(self, split: Split, image_size: int = 32) -> None:
        pixels, labels = _digits()
        in_test = np.zeros(len(labels), bool)
        in_test[stratified([str(i) for i in range(len(labels))], labels, TEST_SIZE)] = True
        rows = np.flatnonzero(in_test if split == "test" else ~in_test)
        self.name = f"digits/{split}"
        self.place = "scikit-learn's digits"
        self.classes = tuple("0123456789")
        self.labels = labels[rows]
        self.ids = tuple(str(row) for row in rows)
        self.image_size = image_size
        self._pixels = pixels[rows]

    @property
    def geometry(self) -> Geometry:
        return Geometry(size=self.image_size, resize=self.image_size, interpolation="bicubic")

    def load(self, indices: np.ndarray, workers: int) -> tuple[np.ndarray, list[tuple[int, str]]]:
        return decode_each(self._enlarged, indices, self.image_size, workers)

    def _enlarged(self, index: int) -> np.ndarray:
        size = (self.image_size, self.image_size)
        return np.asarray(Image.fromarray(self._pixels[index]).resize(size, Image.Resampling.BICUBIC).convert("RGB"))

    def digest_of(self, indices: np.ndarray, workers: int) -> str:
        return digest_of_rows(self._pixels[indices])


class DigitsDataset(DatasetConfig):
    """scikit-learn's bundled digits: 1,797 images, 500 of them for testing."""

    kind: Literal["digits"]


KIND = DatasetKind(
    config=DigitsDataset,
    open=lambda config, root, split, image_size: DigitsSource(split, image_size),
    published={"digits": Published({"train": 1297, "test": 500}, classes=10, md5={})},
    fixed_size=True,
)
