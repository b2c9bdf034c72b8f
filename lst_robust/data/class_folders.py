"""Sources whose images are files in class folders, and the listing of such folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lst_robust.data.content import digest_of_files
from lst_robust.data.decode import EXTENSIONS
from lst_robust.data.encoded import EncodedSource
from lst_robust.errors import DataError, UsageError


class FileSource(EncodedSource):
    """Image files in a folder."""

    def __init__(
        self,
        name: str,
        folder: Path,
        files: Sequence[tuple[str, str, int]],
        classes: tuple[str, ...],
        image_size: int,
        resize: int | None = None,
        exact: bool = False,
    ) -> None:
        """files: (path below `folder`, id, label) of each image. UsageError for a resize below image_size."""
        images = [(image_id, label) for _, image_id, label in files]
        super().__init__(name, str(folder), images, classes, image_size, resize, exact)
        self._folder, self._paths = folder, [path for path, _, _ in files]

    def encoded(self, index: int) -> Path:
        return self._folder / self._paths[index]

    def digest_of(self, indices: np.ndarray, workers: int) -> str:
        return digest_of_files([self._folder / self._paths[index] for index in indices.tolist()], workers)


def require_folder(root: Path | None, layout: str, option: str = "--data-dir") -> Path:
    """`root` if it is a folder; a DataError, or a UsageError for None, that says how the data must lie otherwise.

    option: by which a person gives it.
    """
    if root is None:
        raise UsageError(f"this suite needs a data folder: give it with {option}; {layout}")
    if not os.path.isdir(root):  # False for a name that is too long, where Path.is_dir raises
        raise DataError(f"no data folder {root}: give an existing one with {option}; {layout}")
    return root


def readable_name(name: str) -> str:
    """A file name as text that can be hashed and printed, even where it is not valid UTF-8."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def class_folders(folder: Path) -> list[str]:
    """Sorted names of the folders in `folder`; hidden ones don't count. DataError where it cannot be read."""
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:  # no permission, or a link that leads to itself
        raise _not_listed(folder, error) from error


def image_files(folder: Path) -> list[str]:
    """Sorted names of the image files in `folder`, by extension; hidden ones (._x.jpg) don't count. DataError where it
    cannot be read."""
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except OSError as error:
        raise _not_listed(folder, error) from error
    return sorted(
        name for name in names if os.path.splitext(name)[1].lower() in EXTENSIONS and not name.startswith(".")
    )


def _not_listed(folder: Path, error: OSError) -> DataError:
    return DataError(f"{error.filename or folder} cannot be read ({error.strerror}): repair or remove it")


def files_by_class(
    folder: Path, found: Sequence[str], classes: Sequence[str] | None = None, inside: str = ""
) -> list[tuple[str, str, int]]:
    """(path, id, label) of the images in `folder`/<class>/`inside`/ for each class in `found`.

    Labels are positions in `classes` (default: `found`), ids are "<class>/<file name>" on every system. Raises
    DataError for a class without images.
    """
    label_of = {name: label for label, name in enumerate(classes or found)}
    files = []
    for name in found:
        below = os.path.join(name, inside)
        names = image_files(folder / below) if (folder / below).is_dir() else []
        if not names:
            raise DataError(
                f"class folder {folder / below} holds no image: add some ({', '.join(sorted(EXTENSIONS))}) or remove it"
            )
        files += [(os.path.join(below, file), readable_name(f"{name}/{file}"), label_of[name]) for file in names]
    return files
