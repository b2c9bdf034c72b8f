"""The clean images a corrupted set is made from: a folder of class folders, or a suite's test images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from lst_robust.arguments import instance, optional, path, whole_number, wrong, yes_or_no
from lst_robust.corruptions.engine import MIN_SIDE
from lst_robust.data import ImageSource
from lst_robust.data.class_folders import FileSource, class_folders, files_by_class
from lst_robust.data.decode import decode_whole, opened
from lst_robust.data.image_folder import SPLIT_FOLDERS
from lst_robust.data.source import without_unreadable
from lst_robust.errors import DataError, UsageError, message_of
from lst_robust.suites import Suite
from lst_robust.suites.images import open_test_images

KEEP = "keep"
MAX_SIDE = 4096  # as in suites
CROP_RATIO = 256 / 224  # the official sets: shorter side to 256, then the centre crop of 224
LAYOUT = "images must lie as <class>/*.jpg, test/<class>/*.jpg or val/<class>/*.jpg"


class KeptSizes(FileSource):
    """Images of any sizes, as they are. `read` gives an object array of uint8 (H, W, 3); `image_size` is 0.

    sizes: int (N, 2), height and width from the files' headers; 0 where a header cannot be read.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        files: Sequence[tuple[str, str, int]],
        classes: tuple[str, ...],
        workers: int,
    ) -> None:
        super().__init__(name, folder, files, classes, image_size=0)
        with ThreadPoolExecutor(workers) as pool:
            self.sizes = np.array(list(pool.map(self._size, range(len(self)))), dtype=np.int64)

    def _size(self, index: int) -> tuple[int, int]:
        try:
            with opened(self._folder / self._paths[index]) as image:
                return image.height, image.width
        except Exception:  # what PIL raises on damaged files; reading the image will name it
            return 0, 0

    def load(self, indices: np.ndarray, workers: int) -> tuple[np.ndarray, list[tuple[int, str]]]:
        images = np.empty(len(indices), dtype=object)
        failed = []
        for place, index in enumerate(indices.tolist()):
            try:
                images[place] = decode_whole(self._folder / self._paths[index])
            except Exception as error:  # decoders raise anything on damaged files
                failed.append((index, message_of(error)))
        return images, failed


def cut_from(size: int) -> int:
    """The length of the shorter side from which a square of `size` is cut."""
    return round(size * CROP_RATIO)


def parse_size(text: str) -> int | None:
    """ "224" -> 224 pixels, "keep" -> None; UsageError for anything else and for sizes the corruptions cannot take."""
    if not isinstance(text, str):
        raise wrong("size", text, f"give '{KEEP}', or a number of pixels as text")
    if text == KEEP:
        return None
    if not text.isdecimal() or len(text) > 4 or not MIN_SIDE <= int(text) <= MAX_SIDE:
        raise UsageError(f"size {text!r}: give '{KEEP}' or a number of pixels from {MIN_SIDE} to {MAX_SIDE}")
    return int(text)


def open_images(root: str | Path, size: int | None, *, skip_unreadable: bool = False, workers: int = 1) -> ImageSource:
    """The images of `root`/<class>/*, or of `root`/test|val/<class>/* where that is there.

    size: the side S of the squares, cut as the official sets are: the shorter side to S * 256 / 224, then the centre.
    None keeps every image as it is (see `KeptSizes`). Ids are "<class>/<file name>". Raises DataError when there is no
    image, or a class has none.
    """
    root, workers = path("root", root), whole_number("workers", workers, least=1)
    size = optional(whole_number, "size", size, least=MIN_SIDE, most=MAX_SIDE)
    skip_unreadable = yes_or_no("skip_unreadable", skip_unreadable)
    if not root.is_dir():
        raise DataError(f"no image folder {root}: {LAYOUT}")
    folder = next((root / n for n in SPLIT_FOLDERS["test"] if (root / n).is_dir() and class_folders(root / n)), root)
    classes = tuple(class_folders(folder))
    if not classes:
        raise DataError(f"{folder} has no class folders: {LAYOUT}")
    files = files_by_class(folder, classes)
    if size is not None:
        source: ImageSource = FileSource("image_folder", folder, files, classes, size, cut_from(size))
        return without_unreadable(source, workers) if skip_unreadable else source
    kept = KeptSizes("image_folder", folder, files, classes, workers)
    if not skip_unreadable:
        return kept
    skipped = without_unreadable(kept, workers).skipped
    lost = set(skipped)
    kept = KeptSizes("image_folder", folder, [file for file in files if file[1] not in lost], classes, workers)
    kept.skipped = skipped
    return kept


def open_suite_images(
    suite: Suite, data_dir: str | Path | None, *, skip_unreadable: bool = False, workers: int = 1
) -> ImageSource:
    """The test images of a suite, at the suite's size and cut as the suite says."""
    instance("suite", suite, Suite, "read one with load_suite")
    data_dir, workers = optional(path, "data_dir", data_dir), whole_number("workers", workers, least=1)
    skip_unreadable = yes_or_no("skip_unreadable", skip_unreadable)
    return open_test_images(suite, data_dir, skip_unreadable=skip_unreadable, workers=workers)


def image_shapes(source: ImageSource) -> np.ndarray:
    """int (N, 2): height and width of every image, without decoding any."""
    if isinstance(source, KeptSizes):
        return source.sizes
    return np.full((len(source), 2), source.image_size, dtype=np.int64)


def require_outside(destination: Path, source: ImageSource) -> None:
    """UsageError when the set would be written among the images it is made from, and so be taken for a class."""
    place = Path(source.place)
    if place.is_dir() and destination.resolve().is_relative_to(place.resolve()):
        raise UsageError(f"{destination} lies inside the images' folder {place}{os.sep}: choose a folder outside")
