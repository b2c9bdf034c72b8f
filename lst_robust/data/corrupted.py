"""Published corrupted images: trees of files such as ImageNet-C, arrays such as CIFAR-10-C.

They are another protocol than corruptions made on the fly: JPEG-compressed once more (ImageNet-C), and frozen in 2018.
The same images stand behind every cell, in the same order, so that results can be compared image by image.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from lst_robust.benchmark import SEVERITIES, group_of, known_corruptions
from lst_robust.data.class_folders import FileSource, class_folders, files_by_class, require_folder
from lst_robust.data.content import Computed, digest_of_rows, kept_digest
from lst_robust.data.find_shards import open_shards
from lst_robust.data.shards import Member, Naming, ShardSource, named_files
from lst_robust.data.source import ImageSource
from lst_robust.errors import DataError

FindNaming = Callable[[Path, Sequence[Member]], tuple[Naming, tuple[str, ...]]]


class CorruptedSet(ABC):
    """All cells of published corrupted images.

    layout: where they come from and how they must lie.
    clean_images: what the clean images beside them must be.
    """

    layout: str
    clean_images: str = "both must be the complete test set, with the same file names"

    def __init__(self, root: Path | None, names: Sequence[str]) -> None:
        """root: the folder of the corrupted images, or the folder above, in which it has one of these `names`."""
        top = require_folder(root, self.layout, option="--corrupted-dir")
        self.folder = next((top / name for name in names if (top / name).is_dir()), top)
        self._reference: tuple[str, ImageSource] | None = None

    def cells(self) -> list[tuple[str, int]]:
        """(corruption, severity) of the cells that the folder has; DataError when it has none."""
        known = known_corruptions()
        present = [(name, severity) for name in known for severity in SEVERITIES if self._has(name, severity)]
        if not present:
            raise DataError(f"no corruption in {self.folder}: {self.layout}")
        return present

    def cell(self, corruption: str, severity: int) -> ImageSource:
        """The images of one cell; DataError when it is not there or holds other images than the cells before it."""
        if not self._has(corruption, severity):
            raise DataError(f"{corruption} at severity {severity} is not in {self.folder}: {self.layout}")
        source = self._open(corruption, severity)
        source.advice = f"Download them again, for every cell must hold the same images ({self.layout})"
        first, reference = self._reference or (source.place, source)
        if source.fingerprint() != reference.fingerprint():
            raise DataError(
                f"{source.place} holds other images than {first} ({len(source)} and {len(reference)}): "
                "complete the download, every cell must hold the same ones"
            )
        self._reference = first, reference
        return source

    @abstractmethod
    def _has(self, corruption: str, severity: int) -> bool: ...

    @abstractmethod
    def _open(self, corruption: str, severity: int) -> ImageSource: ...


class CorruptionTree(CorruptedSet):
    """<corruption>/<severity>/<class>/*.JPEG, also below noise/, blur/, weather/, digital/ and extra/; or tar shards in
    place of the class folders, as `lst-robust corrupt` makes them.

    The images are taken as they are: neither resized nor cropped, and refused when they have another size.
    """

    def __init__(
        self,
        root: Path | None,
        image_size: int,
        names: Sequence[str],
        origin: str,
        classes: tuple[str, ...] | None = None,
        naming: FindNaming | None = None,
    ) -> None:
        """classes: what the labels count (only some may have folders); default: the sorted class folders. naming: of
        images in shards, and their classes, from all of them; default: there are no shards."""
        self.layout = f"images must lie as <corruption>/<severity>/<class>/*.JPEG ({origin})"
        super().__init__(root, names)
        self._image_size, self._classes, self._name, self._naming = image_size, classes, names[0], naming

    def _path(self, corruption: str, severity: int) -> Path:
        nested = self.folder / group_of(corruption) / corruption / str(severity)
        return nested if nested.is_dir() else self.folder / corruption / str(severity)

    def _has(self, corruption: str, severity: int) -> bool:
        return self._path(corruption, severity).is_dir()

    def _open(self, corruption: str, severity: int) -> ImageSource:
        folder = self._path(corruption, severity)
        found = class_folders(folder)
        if not found and self._naming is not None and (shards := sorted(folder.glob("*.tar"))):
            return self._of_shards(folder, shards, self._naming)
        classes = self._classes or tuple(found)
        if not found or len(classes) < 2:
            raise DataError(f"{folder} has {len(found)} class folders: {self.layout}")
        if strangers := sorted(set(found) - set(classes)):
            raise DataError(f"{folder / strangers[0]} is not one of the {len(classes)} classes: {self.layout}")
        images = files_by_class(folder, found, classes)
        return FileSource(self._name, folder, images, classes, self._image_size, exact=True)

    def _of_shards(self, folder: Path, shards: list[Path], find_naming: FindNaming) -> ImageSource:
        container = open_shards(shards)
        members = container.index()
        naming, classes = find_naming(folder, members)
        files = named_files(members, naming)
        return ShardSource(self._name, str(folder), container, files, classes, self._image_size, exact=True)


class CorruptionArrays(CorruptedSet):
    """<corruption>.npy, uint8 (5 n, S, S, 3), severity 1 first, and labels.npy; memory-mapped, never unpickled."""

    clean_images = "both must be the complete test set, and the clean one the python version: arrays hold no file names"

    def __init__(self, root: Path | None, image_size: int, names: Sequence[str], origin: str, classes: int) -> None:
        """classes: how many there are."""
        self.layout = f"<corruption>.npy and labels.npy must lie in it or in {names[0]}/ below it ({origin})"
        super().__init__(root, names)
        self._classes = tuple(str(label) for label in range(classes))  # the arrays don't name them
        self._name, self._shape = names[0], (image_size, image_size, 3)

    def _has(self, corruption: str, severity: int) -> bool:
        return (self.folder / f"{corruption}.npy").is_file()

    def _open(self, corruption: str, severity: int) -> ImageSource:
        path = self.folder / f"{corruption}.npy"
        pixels = self._array(path)
        count, rest = divmod(len(pixels) if pixels.ndim else 0, len(SEVERITIES))
        if pixels.dtype != np.uint8 or pixels.shape[1:] != self._shape or rest or not count:
            wanted = f"uint8 (5 n, {', '.join(map(str, self._shape))})"
            raise DataError(f"{path} holds {pixels.dtype} {pixels.shape}, not {wanted}: {self.layout}")
        return _Rows(self._name, path, self._classes, self._labels(count), pixels, severity)

    def _labels(self, count: int) -> np.ndarray:
        """The labels of n images; the file may repeat them for each severity."""
        path = self.folder / "labels.npy"
        labels = self._array(path)
        if labels.ndim != 1 or labels.dtype.kind not in "iu" or len(labels) not in (count, count * len(SEVERITIES)):
            raise DataError(f"{path} holds {labels.dtype} {labels.shape}, not a label for each image: {self.layout}")
        by_severity = np.asarray(labels, dtype=np.int64).reshape(-1, count)
        if (by_severity != by_severity[0]).any():
            raise DataError(f"{path} has other labels at other severities: download it again")
        if by_severity.min() < 0 or by_severity.max() >= len(self._classes):
            raise DataError(f"{path} has labels outside {len(self._classes)} classes: {self.layout}")
        return by_severity[0]

    def _array(self, path: Path) -> np.ndarray:
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path} cannot be read ({error}): {self.layout}") from error


class _Rows(ImageSource):
    """Rows of an array in a file; ids are positions, as those of CIFAR's test set."""

    def __init__(
        self, name: str, path: Path, classes: tuple[str, ...], labels: np.ndarray, pixels: np.ndarray, severity: int
    ) -> None:
        """pixels: all rows of the array in `path`, the images at the severities one after the other."""
        self.name, self.place, self.classes, self.labels = name, f"{path}, severity {severity}", classes, labels
        self.ids = tuple(str(position) for position in range(len(labels)))
        self.image_size = pixels.shape[1]
        self._path, self._first = path, (severity - 1) * len(labels)
        self._pixels = pixels[self._first : self._first + len(labels)]

    def load(self, indices: np.ndarray, workers: int) -> tuple[np.ndarray, list[tuple[int, str]]]:
        return np.array(self._pixels[indices]), []

    def digest_of(self, indices: np.ndarray, workers: int) -> str:
        rows = f"rows {self._first} and {digest_of_rows(indices)}"
        return kept_digest([self._path], lambda: Computed(digest_of_rows(self._pixels[indices])), part=rows)
