"""The images of each cell: the clean ones, and their corruptions, made on the fly or read from official files.

Made on the fly they may go through JPEG as the official files did (the protocol `generated-jpeg`). The CPU's engine
makes them, or torch's on a device.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lst_robust import corruptions as engine
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.corruptions.jpeg import OFFICIAL_QUALITY, as_official_files
from lst_robust.data import CorruptedSet, ImageSource, decoded_once, open_corrupted, open_source
from lst_robust.data.decode import resize_and_crop
from lst_robust.data.registry import dataset_subset
from lst_robust.data.source import View, without_unreadable
from lst_robust.errors import DataError
from lst_robust.evaluation.device_corruption import DeviceCorruption, Make
from lst_robust.evaluation.request import EvalRequest
from lst_robust.geometry import Geometry
from lst_robust.models.preprocess import Load
from lst_robust.suites import Suite


class CellImages(ABC):
    """`clean`: the clean test images, whose order and labels every cell has; `engine`: what corrupts them, for the
    record; `seed`: of the noise; `transform`: how an image gets its size and its corruption, in words."""

    clean: ImageSource
    engine: str
    seed: int
    transform: str

    def loader(self, cell: Cell) -> Load:
        """Positions in `clean` -> the cell's images, uint8 (n, S, S, 3). May be called from several threads."""
        return self.clean.read if cell == CLEAN_CELL else self.corrupted(cell)

    @abstractmethod
    def corrupted(self, cell: Cell) -> Load: ...

    def squares_on_device(self, cell: Cell) -> tuple[ImageSource, Make | None] | None:
        """How a cell is made of images that lie on the device: of which, and by what (None: they stay as they are).
        None where `loader` is the only way."""
        return None

    @abstractmethod
    def pixels_digest(self, cell: Cell, workers: int) -> str | None:
        """A hash of the official files that a cell is read from, or of the code of a corruption that is the user's own;
        None for a cell that one of the 19 makes from the clean images."""


class GeneratedImages(CellImages):
    """Corrupted on the fly; each clean image is decoded once for all cells, and kept in `folder` if it is large.

    device: where torch's engine corrupts them; None for the CPU's engine.
    """

    quality: int | None = None
    """Of the JPEG that corrupted images go through."""

    def __init__(
        self, suite: Suite, clean: ImageSource, seed: int, folder: Path, device: torch.device | None = None
    ) -> None:
        self.clean, self.seed, self._suite = decoded_once(clean, folder), seed, suite
        self._squares = self.clean
        self._on_device = (
            None if device is None else DeviceCorruption(suite, seed, device, self.clean.image_size, self.quality)
        )
        self.engine = f"{engine.ENGINE} {engine.ENGINE_VERSION}" if self._on_device is None else self._on_device.name
        self.transform = f"{clean.geometry.described()}, then corruption"

    def corrupted(self, cell: Cell) -> Load:
        return lambda indices: self._corrupted(indices, cell)

    def _corrupted(self, indices: Sequence[int], cell: Cell) -> np.ndarray:
        squares, ids = self._squares.read(indices), [self._squares.ids[i] for i in indices]
        if self._on_device is not None:
            return self._on_device.corrupted(squares, cell, ids)
        made = engine.corrupt(
            squares,
            cell.corruption,
            cell.severity,
            preset=self._suite.preset,
            style=self._suite.style,
            seed=self.seed,
            ids=ids,
        )
        return made if self.quality is None else as_official_files(made)

    def squares_on_device(self, cell: Cell) -> tuple[ImageSource, Make | None] | None:
        if self._on_device is None:
            return None
        if cell == CLEAN_CELL:
            return self.clean, None
        if not self._on_device.can_make(cell):
            return None
        return self._squares, self._on_device.maker(cell, self._squares.ids)

    def pixels_digest(self, cell: Cell, workers: int) -> str | None:
        if cell == CLEAN_CELL:
            return None
        return engine.corruption_digest(cell.corruption, by_torch=self._on_device is not None)


class JpegImages(GeneratedImages):
    """Corrupted on the fly, then through JPEG: the pixels of the official files, had this engine made them. The clean
    images don't go through it, for those of the official sets did not.

    clean: cut as the official files were; scaled: what a network of another input size makes of these squares, the
    clean and the corrupted ones alike. Pillow scales them, so they leave the device for it.
    """

    quality = OFFICIAL_QUALITY

    def __init__(
        self,
        suite: Suite,
        clean: ImageSource,
        seed: int,
        folder: Path,
        scaled: Geometry | None,
        device: torch.device | None = None,
    ) -> None:
        super().__init__(suite, clean, seed, folder, device)
        self._scaled = scaled
        self.transform += f", then JPEG of quality {self.quality} (4:2:0) of the corrupted ones, in memory"
        if scaled:
            self.clean = Scaled(self._squares, scaled)
            self.transform += f"; both {scaled.described()}"

    def corrupted(self, cell: Cell) -> Load:
        def load(indices: Sequence[int]) -> np.ndarray:
            squares = self._corrupted(indices, cell)
            return squares if self._scaled is None else scale(squares, self._scaled)

        return load

    def squares_on_device(self, cell: Cell) -> tuple[ImageSource, Make | None] | None:
        return None if self._scaled else super().squares_on_device(cell)


class OfficialImages(CellImages):
    """Read from the files of a corrupted set, which must hold the clean images and no others.

    corrupted: the set; whole: all clean images; clean: those that are evaluated, some or all of them, cut as the
    official files were; scaled: what a network of another input size makes of these squares, the clean and the
    corrupted ones alike.
    """

    engine, seed = "official", 0

    def __init__(
        self, corrupted: CorruptedSet, clean: ImageSource, whole: ImageSource, scaled: Geometry | None
    ) -> None:
        self._set = corrupted
        self._present = {CLEAN_CELL} | {Cell(*cell) for cell in corrupted.cells()}
        self._whole, self._scaled = whole, scaled
        self.transform = f"clean: {clean.geometry.described()}; corrupted: files as they are"
        self.transform += f"; both {scaled.described()}" if scaled else ""
        self.clean = self._as_the_network_sees(clean)
        position = {image_id: i for i, image_id in enumerate(whole.ids)}
        self._positions = np.array([position[image_id] for image_id in clean.ids], dtype=np.int64)

    def corrupted(self, cell: Cell) -> Load:
        return self._as_the_network_sees(self._cell(cell)).read

    def pixels_digest(self, cell: Cell, workers: int) -> str | None:
        """None also for a cell that is not in the set."""
        if cell == CLEAN_CELL or cell not in self._present:
            return None
        return self._cell(cell).pixels_digest(workers)

    def _cell(self, cell: Cell) -> ImageSource:
        source = self._set.cell(cell.corruption, cell.severity)
        if source.fingerprint() != self._whole.fingerprint():
            raise DataError(
                f"{source.place} holds other images than the clean ones in {self._whole.place} "
                f"({len(source)} and {len(self._whole)}): {self._set.clean_images}"
            )
        return source.select(self._positions)

    def _as_the_network_sees(self, source: ImageSource) -> ImageSource:
        return Scaled(source, self._scaled) if self._scaled else source


class Scaled(View):
    """The squares of another source, scaled to another size."""

    def __init__(self, source: ImageSource, geometry: Geometry) -> None:
        super().__init__(source)
        self.image_size, self._geometry = geometry.size, geometry

    @property
    def geometry(self) -> Geometry:
        return self._geometry

    def load(self, indices: np.ndarray, workers: int) -> tuple[np.ndarray, list[tuple[int, str]]]:
        squares, failed = self._source.load(indices, workers)
        return scale(squares, self._geometry), failed


def scale(squares: np.ndarray, geometry: Geometry) -> np.ndarray:
    """uint8 (N, S, S, 3) at another size, uint8."""
    if not len(squares):
        return np.empty((0, geometry.size, geometry.size, 3), np.uint8)
    return np.stack([resize_and_crop(Image.fromarray(square), geometry) for square in squares])


def open_cell_images(request: EvalRequest, own_geometry: Geometry | None = None) -> CellImages:
    """The images of the cells that are asked for. Nothing is decoded, except by `skip_unreadable`, which looks at every
    clean image of the subset, or of all.

    own_geometry: the network's, in place of the suite's. Official files stay as they are, and so do the images that
    stand for such files: of a network's own geometry only the size and the interpolation count, by which the squares
    are scaled. Raises DataError for data that is not there.
    """
    suite, workers = request.suite, request.workers
    whole = open_source(suite.dataset, "test", image_size=suite.image_size, data_dir=request.data_dir)
    if own_geometry is not None and not suite.keeps_squares:
        whole = whole.with_geometry(own_geometry)
    subset = suite.subset if request.subset is None else request.subset
    clean = whole if subset is None else dataset_subset(suite.dataset, subset).of(whole)
    clean = without_unreadable(clean, workers) if request.skip_unreadable else clean
    limit = suite.limit if request.limit is None else request.limit
    if limit is not None:
        clean = clean.subset(limit)
    seed = suite.seed if request.seed is None else request.seed
    device = request.device if request.engine == "torch" else None
    if suite.protocol == "generated":
        return GeneratedImages(suite, clean, seed, request.results_dir, device)
    scaled = None if own_geometry is None else scaled_squares(own_geometry, suite.image_size)
    if suite.protocol == "generated-jpeg":
        return JpegImages(suite, clean, seed, request.results_dir, scaled, device)
    folder = request.data_dir if request.corrupted_dir is None else request.corrupted_dir
    corrupted = open_official_set(suite, folder, request.cells())
    return OfficialImages(corrupted, clean, whole, scaled)


def open_official_set(suite: Suite, folder: str | Path | None, cells: Sequence[Cell]) -> CorruptedSet:
    """A suite's official corrupted images; DataError when they are not there, or lack some of the `cells`."""
    if folder is not None and not os.path.isdir(os.path.expanduser(folder)):
        raise DataError(f"no folder of corrupted images {folder}: give an existing one with --corrupted-dir")
    corrupted = open_corrupted(suite.dataset, image_size=suite.image_size, data_dir=folder)
    missing = sorted(set(cells) - {CLEAN_CELL, *(Cell(*cell) for cell in corrupted.cells())})
    if missing:
        raise DataError(
            f"{len(missing)} of the wanted cells are not in {corrupted.folder}, such as {missing[0].name}: complete "
            f"the download ({corrupted.layout}), or choose others with --corruptions (standard: ImageNet-C's 15)"
        )
    return corrupted


def scaled_squares(own: Geometry, size: int) -> Geometry | None:
    """How squares of `size` pixels become the input of a network of another size; None where they fit."""
    if own.size == size:
        return None
    return Geometry(size=own.size, resize=own.size, interpolation=own.interpolation)
