"""ImageNet-C's layout: <corruption>/<severity>/<class>/<name>.JPEG."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from lst_robust.benchmark import Cell
from lst_robust.corruptions.jpeg import OFFICIAL_QUALITY
from lst_robust.data import ImageSource
from lst_robust.data.class_folders import readable_name
from lst_robust.data.decode import EXTENSIONS
from lst_robust.errors import DataError
from lst_robust.generation.layout import Layout, place

SUFFIXES = {"jpeg": ".JPEG", "png": ".png"}
ENCODERS = {
    # make_imagenet_c.py saves with PIL's optimize=True; OpenCV gives the same bytes, sooner
    "jpeg": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, OFFICIAL_QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1]),
    "png": (".png", []),
}


class TreeLayout(Layout):
    """One file an image and cell; what is there and not empty is finished."""

    def __init__(
        self,
        folder: Path,
        corruptions: Sequence[str],
        severities: Sequence[int],
        names: Sequence[str],
        image_format: str,
    ) -> None:
        super().__init__(folder, corruptions, severities, names)
        self._encoder = ENCODERS[image_format]

    def _path(self, cell: Cell, row: int) -> Path:
        return self.folder / cell.folder / self.names[row]

    def missing(self, cell: Cell, rows: np.ndarray) -> np.ndarray:
        return np.array([row for row in rows.tolist() if not _has_content(self._path(cell, row))], dtype=np.int64)

    def write(self, cell: Cell, rows: np.ndarray, images: np.ndarray) -> None:
        for row, image in zip(rows.tolist(), images, strict=True):
            place(encode(image, *self._encoder), self._path(cell, row), self.scratch)

    def seal(self, rows: np.ndarray) -> None:
        """Nothing to do: the files speak for themselves."""

    def digest(self, cell: Cell) -> str:
        """Over the files sorted by name: "<class>/<file name>", zero byte, length in decimal, zero byte, content."""
        folder = self.folder / cell.folder
        found, expected = set(_files_below(folder)), set(self.names)
        if lacking := sorted(expected - found):
            raise DataError(f"{folder / lacking[0]} is missing{_more(lacking)}")
        if strange := sorted(found - expected):
            raise DataError(f"{folder / strange[0]} is not of this set{_more(strange)}")
        digest = sha256()
        for name in sorted(expected):
            try:
                content = (folder / name).read_bytes()
            except OSError as error:
                raise DataError(f"{folder / name} cannot be read ({error.strerror})") from error
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()


def encode(image: np.ndarray, extension: str, parameters: Sequence[int]) -> bytes:
    """uint8 RGB (H, W, 3) as an image file."""
    done, content = cv2.imencode(extension, image[..., ::-1], parameters)
    if not done:
        raise DataError(f"an image of {image.shape[1]} x {image.shape[0]} pixels cannot be saved as {extension}")
    return content.tobytes()


def tree_names(source: ImageSource, image_format: str) -> list[str]:
    """ "<class>/<name>.JPEG" of every image, from its class and id; the old extension stays where names would clash.

    Raises DataError when two images still have the same name.
    """
    folders = [readable_name(source.classes[label]).strip("/").replace("/", "-") for label in source.labels]
    files = [PurePosixPath(image_id).name for image_id in source.ids]
    stems = [_stem(file) for file in files]
    count = Counter(zip(folders, stems, strict=True))
    names = [
        f"{folder}/{stem if count[folder, stem] == 1 else file}{SUFFIXES[image_format]}"
        for folder, stem, file in zip(folders, stems, files, strict=True)
    ]
    if len(set(names)) < len(names):
        name, _ = Counter(names).most_common(1)[0]
        raise DataError(f"two images of {source.place} would be written as {name}: rename one of them")
    return names


def _has_content(path: Path) -> bool:
    """Whether it is a file that is not empty, as a power failure may leave one."""
    try:
        found = path.stat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size > 0


def _stem(file: str) -> str:
    stem, extension = os.path.splitext(file)
    return stem if extension.lower() in EXTENSIONS else file


def _files_below(folder: Path) -> list[str]:
    """Paths below `folder` of all files in it, with forward slashes."""
    return [Path(base, file).relative_to(folder).as_posix() for base, _, files in os.walk(folder) for file in files]


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
