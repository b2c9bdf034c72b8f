"""Shards: files that hold many encoded images each, and the source that reads its images from them.

Where the bytes of an image lie does not matter to a result. Images from shards have the ids, the labels, the order and
the digest that the same images have as files in class folders.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lst_robust.data.class_folders import readable_name
from lst_robust.data.content import (
    UNREADABLE,
    Computed,
    digest_of_contents,
    digest_of_rows,
    file_states,
    in_threads,
    kept_digest,
)
from lst_robust.data.encoded import EncodedSource
from lst_robust.errors import DataError


class Member(NamedTuple):
    """An image as a shard has it: its name, perhaps below folders, and its label if one is stored."""

    name: str
    label: int | None
    shard: Path

    @property
    def described(self) -> str:
        """For messages."""
        return f"{readable_name(self.name)} in {self.shard}"


class Container(ABC):
    """The encoded images of some shards, in the order in which they are stored.

    It may keep what it has read. So it stands for the shards as they were when it was made.
    """

    def __init__(self, shards: Sequence[Path]) -> None:
        self.shards = list(shards)
        self._states = file_states(self.shards)

    def as_they_are_now(self) -> Container:
        """This container, or another one of the same shards where somebody has written them since."""
        if file_states(self.shards) == self._states:
            return self
        again = type(self)(self.shards)
        again.index()
        return again

    @abstractmethod
    def index(self) -> list[Member]:
        """All images, in order. Called once, before any is read. DataError for a shard that is damaged or ends early,
        and for one that holds no image."""

    @abstractmethod
    def read(self, position: int) -> bytes:
        """The bytes of one image, as its file would have them. May be called from several threads."""

    def class_names(self) -> tuple[str, ...] | None:
        """What the labels count, where the shards say so; known after `index`."""
        return None


class ClassFile(NamedTuple):
    """An image as it would lie in class folders."""

    class_name: str
    file_name: str
    label: int


Naming = Callable[[Member], ClassFile]


class ShardSource(EncodedSource):
    """The images of a container, in the order of class folders: by class, then by file name."""

    def __init__(
        self,
        name: str,
        place: str,
        container: Container,
        files: Sequence[ClassFile],
        classes: tuple[str, ...],
        image_size: int,
        resize: int | None = None,
        exact: bool = False,
    ) -> None:
        """files: of each image of the container, in its order."""
        order = sorted(range(len(files)), key=lambda position: files[position][:2])
        images = [(image_id(files[position]), files[position].label) for position in order]
        super().__init__(name, place, images, classes, image_size, resize, exact)
        self._container, self._positions = container, np.array(order, dtype=np.int64)

    def encoded(self, index: int) -> bytes:
        return self._container.read(int(self._positions[index]))

    def digest_of(self, indices: np.ndarray, workers: int) -> str:
        positions = self._positions[indices]
        part = f"images {digest_of_rows(positions)}"
        return kept_digest(
            self._container.shards, lambda: _digest(self._container, positions, workers), workers, part=part
        )


def named_files(members: Sequence[Member], naming: Naming) -> list[ClassFile]:
    """What each image would be in class folders; DataError when two of them would be one."""
    files, first = [], dict[str, Member]()
    for member in members:
        file = naming(member)
        other = first.setdefault(image_id(file), member)
        if other is not member:
            raise DataError(
                f"the image {image_id(file)} is there twice: as {other.described} and as {member.described}: give each "
                "shard once, and remove one of the two"
            )
        files.append(file)
    return files


def image_id(file: ClassFile) -> str:
    return readable_name(f"{file.class_name}/{file.file_name}")


def _digest(container: Container, positions: np.ndarray, workers: int) -> Computed:
    """The images are read in the order in which they are stored, and count in the order of `positions`."""
    container = container.as_they_are_now()

    def content(position: int) -> bytes:
        try:
            return hashlib.sha256(container.read(position)).digest()
        except Exception:  # as of a file that cannot be read: decoding the image will name it
            return UNREADABLE

    stored = np.unique(positions)
    contents = in_threads(content, stored.tolist(), workers)
    return digest_of_contents([contents[place] for place in np.searchsorted(stored, positions).tolist()])
