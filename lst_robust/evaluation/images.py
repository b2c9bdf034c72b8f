"""The images of each cell: the clean ones, and their corruptions, made on the fly or read from official files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lst_robust import corruptions as engine
from lst_robust.data import ImageSource, decoded_once, open_corrupted, open_source
from lst_robust.data.source import without_unreadable
from lst_robust.errors import DataError
from lst_robust.evaluation.records import CLEAN_CELL, Cell
from lst_robust.preprocess import Load
from lst_robust.suites import Suite


class CellImages(ABC):
    """`clean`: the clean test images, whose order and labels every cell has; `engine`: what corrupts them, for the
    record; `seed`: of the noise; `transform`: what becomes of an image before and with its corruption, in words."""

    clean: ImageSource
    engine: str
    seed: int
    transform: str

    @abstractmethod
    def prepare(self, cells: Sequence[Cell], folder: Path) -> None:
        """Called once before `loader`, with all cells to come and a folder for temporary files."""

    def loader(self, cell: Cell) -> Load:
        """Positions in `clean` -> the cell's images, uint8 (n, S, S, 3). May be called from several threads."""
        return self.clean.read if cell == CLEAN_CELL else self.corrupted(cell)

    @abstractmethod
    def corrupted(self, cell: Cell) -> Load: ...


class GeneratedImages(CellImages):
    """Corrupted on the fly; each clean image is decoded once for all cells."""

    def __init__(self, suite: Suite, clean: ImageSource, seed: int) -> None:
        self.clean, self.seed, self._suite = clean, seed, suite
        self.engine = f"{engine.ENGINE} {engine.ENGINE_VERSION}"
        self.transform = f"{_geometry(suite)}, then corruption"

    def prepare(self, cells: Sequence[Cell], folder: Path) -> None:
        self.clean = decoded_once(self.clean, folder)

    def corrupted(self, cell: Cell) -> Load:
        def load(indices: Sequence[int]) -> np.ndarray:
            return engine.corrupt(
                self.clean.read(indices),
                cell.corruption,
                cell.severity,
                preset=self._suite.preset,
                style=self._suite.style,
                seed=self.seed,
                ids=[self.clean.ids[i] for i in indices],
            )

        return load


class OfficialImages(CellImages):
    """Read from the files of a corrupted set, which must hold the clean images and no others.

    whole: all clean images; clean: those that are evaluated, some or all of them.
    """

    engine, seed = "official", 0

    def __init__(self, suite: Suite, clean: ImageSource, whole: ImageSource, folder: str | Path | None) -> None:
        self.clean, self._whole = clean, whole
        self.transform = f"clean: {_geometry(suite)}; corrupted: files as they are"
        self._suite, self._folder = suite, folder
        position = {image_id: i for i, image_id in enumerate(whole.ids)}
        self._positions = np.array([position[image_id] for image_id in clean.ids], dtype=np.int64)

    def prepare(self, cells: Sequence[Cell], folder: Path) -> None:
        if self._folder is not None and not Path(self._folder).expanduser().is_dir():
            raise DataError(f"no folder of corrupted images {self._folder}: give an existing one with --corrupted-dir")
        dataset, size = self._suite.dataset, self._suite.image_size
        self._set = open_corrupted(dataset, image_size=size, data_dir=self._folder)
        missing = sorted(set(cells) - {CLEAN_CELL} - {Cell(*cell) for cell in self._set.cells()})
        if missing:
            raise DataError(
                f"{len(missing)} of the wanted cells are not in {self._set.folder}, such as {missing[0].name}: complete"
                f" the download ({self._set.layout}), or choose others with --corruptions (standard: ImageNet-C's 15)"
            )

    def corrupted(self, cell: Cell) -> Load:
        source = self._set.cell(cell.corruption, cell.severity)
        if source.fingerprint() != self._whole.fingerprint():
            raise DataError(
                f"{source.place} holds other images than the clean ones in {self._whole.place} "
                f"({len(source)} and {len(self._whole)}): both must be the complete test set, with the same file names"
            )
        return source.select(self._positions).read


def _geometry(suite: Suite) -> str:
    """How images get their size, in words."""
    size, resize = suite.image_size, getattr(suite.dataset, "resize", None)
    return f"shorter side to {resize or size} px where it differs, centre {size} x {size}"


def open_cell_images(
    suite: Suite,
    *,
    data_dir: str | Path | None = None,
    corrupted_dir: str | Path | None = None,
    limit: int | None = None,
    seed: int | None = None,
    skip_unreadable: bool = False,
    workers: int = 1,
) -> CellImages:
    """The images of a suite's cells. Nothing is decoded, except by `skip_unreadable`, which looks at every clean image.

    data_dir: folder of the clean images; corrupted_dir: of the official corrupted ones, by default `data_dir` too.
    limit, seed: in place of the suite's. Raises DataError for data that is not there.
    """
    whole = open_source(suite.dataset, "test", image_size=suite.image_size, data_dir=data_dir)
    clean = without_unreadable(whole, workers) if skip_unreadable else whole
    limit = suite.limit if limit is None else limit
    if limit is not None:
        clean = clean.subset(limit)
    if suite.protocol == "generated":
        return GeneratedImages(suite, clean, suite.seed if seed is None else seed)
    return OfficialImages(suite, clean, whole, data_dir if corrupted_dir is None else corrupted_dir)
