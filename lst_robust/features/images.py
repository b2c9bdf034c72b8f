"""Which images go through the networks: test images of a suite, or image files that a person names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lst_robust.benchmark import Cell
from lst_robust.data.class_folders import FileSource, readable_name
from lst_robust.errors import DataError
from lst_robust.evaluation.cell_images import CellImages, GeneratedImages, JpegImages, open_cell_images, scaled_squares
from lst_robust.evaluation.own_geometry import own_geometry
from lst_robust.evaluation.request import EvalRequest
from lst_robust.features.classes import classes_of
from lst_robust.models.preprocess import Load


def open_images(request: EvalRequest, files: Sequence[Path] | None) -> CellImages:
    """The clean and corrupted images of a network: the suite's, or these files, resized and cropped as the suite's are.

    A file has no label. Its classes are those of the network, whose number its checkpoint, its library or its weights
    say (see `classes_of`). Corruptions of a file are made here, also where the suite takes official ones. Raises
    DataError for a file that is not there.
    """
    own = own_geometry(request)
    if files is None:
        return open_cell_images(request, own)
    for file in files:
        if not file.is_file():
            raise DataError(f"no image file {file}: give an existing one")
    suite = request.suite
    images = [(str(file), name, 0) for file, name in zip(files, _names(files), strict=True)]
    resize = getattr(suite.dataset, "resize", None)
    classes = classes_of(request, suite.image_size if own is None else own.size)
    source = FileSource("files", Path(), images, classes, suite.image_size, resize)
    source.place, source.advice = "the files", "Give images that can be read"
    if own is not None and not suite.keeps_squares:
        source = source.with_geometry(own)  # type: ignore[assignment]
    seed = suite.seed if request.seed is None else request.seed
    if suite.protocol == "generated-jpeg":
        scaled = None if own is None else scaled_squares(own, suite.image_size)
        return JpegImages(suite, source, seed, request.results_dir, scaled)
    return GeneratedImages(suite, source, seed, request.results_dir)


def all_cells(images: CellImages, cells: Sequence[Cell]) -> Load:
    """Positions -> uint8 (len(cells) · n, S, S, 3), the clean images first, then one cell after the other."""
    loaders = [images.loader(cell) for cell in cells]

    def load(indices: Sequence[int]) -> np.ndarray:
        return np.concatenate([loader(indices) for loader in loaders])

    return load


def _names(files: Sequence[Path]) -> list[str]:
    """The ids of files, which decide the noise: their names, or their paths where two have the same name."""
    names = [readable_name(file.name) for file in files]
    return names if len(set(names)) == len(names) else [readable_name(str(file)) for file in files]
