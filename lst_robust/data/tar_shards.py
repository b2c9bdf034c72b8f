"""Images in tar files: <key>.jpg with its label in <key>.cls or <key>.json, or images in class folders.

The form is WebDataset's, see https://github.com/webdataset/webdataset.
"""

from __future__ import annotations

import json
import os
import posixpath
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from lst_robust.data.class_folders import readable_name
from lst_robust.data.decode import EXTENSIONS
from lst_robust.data.shards import Container, Member
from lst_robust.errors import DataError

MOST_TEXT = 2**20  # bytes of a label's file
ADVICE = "download it again, and give tar files that are not compressed"


class Stored(NamedTuple):
    """An image or the text beside it: where its bytes lie."""

    name: str
    offset: int
    size: int


class TarShards(Container):
    """Images are read at their place in the file, so that nothing is unpacked and any order is as good as another."""

    def __init__(self, shards: Sequence[Path]) -> None:
        super().__init__(shards)
        self._places = np.empty((0, 3), np.int64)  # shard, offset, size

    def index(self) -> list[Member]:
        members: list[Member] = []
        places: list[tuple[int, int, int]] = []
        for number, shard in enumerate(self.shards):
            for found, name, label in _images(shard):
                members.append(Member(name, label, shard))
                places.append((number, found.offset, found.size))
        self._places = np.array(places, dtype=np.int64)
        return members

    def read(self, position: int) -> bytes:
        number, offset, size = self._places[position].tolist()
        with open(self.shards[number], "rb", buffering=0) as file:
            content = os.pread(file.fileno(), size, offset)
        if len(content) != size:
            raise DataError(f"{self.shards[number]} ends early: {ADVICE}")
        return content


def _images(shard: Path) -> Iterator[tuple[Stored, str, int | None]]:
    """Each image of a shard, its name, and its label if one is stored."""
    images: list[Stored] = []
    texts: dict[str, Stored] = {}
    try:
        with open(shard, "rb") as file:
            for found in _members(shard, file):
                extension = posixpath.splitext(found.name)[1].lower()
                if extension in EXTENSIONS:
                    images.append(found)
                elif extension in (".cls", ".json"):
                    texts[posixpath.splitext(found.name)[0] + extension] = found
            if not images:
                raise DataError(f"{shard} holds no image: give shards of {', '.join(sorted(EXTENSIONS))}")
            for image in images:
                yield image, *name_and_label(shard, file, image, texts)
    except OSError as error:
        raise DataError(f"{shard} cannot be read ({error.strerror or error}): {ADVICE}") from error


def _members(shard: Path, file: IO[bytes]) -> Iterator[Stored]:
    """The files in a tar file that may be images or stand beside one. Links and hidden files do not."""
    for entry in entries(shard, file):
        hidden = posixpath.basename(entry.name).startswith(".")
        if entry.isreg() and not entry.issparse() and not hidden:
            yield Stored(entry.name, entry.offset_data, entry.size)


def entries(shard: Path, file: IO[bytes]) -> Iterator[tarfile.TarInfo]:
    """Everything that a tar file says it holds; DataError where it is damaged or does not end as a tar file does."""
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            empty = tar.firstmember is None  # type: ignore[attr-defined]
            while not empty and (entry := tar.next()) is not None:  # of an empty one, Python 3.10 fails to seek
                yield entry
                tar.members.clear()  # type: ignore[attr-defined]  # it would keep them all
            end = tar.offset
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise DataError(f"{shard} ends early, or is no tar file ({error}): {ADVICE}") from error
    if os.pread(file.fileno(), tarfile.BLOCKSIZE, end) != bytes(tarfile.BLOCKSIZE):
        raise DataError(f"{shard} ends early, or is damaged behind its first {end:,} bytes: {ADVICE}")


def name_and_label(shard: Path, file: IO[bytes], image: Stored, texts: dict[str, Stored]) -> tuple[str, int | None]:
    """What is stored beside an image counts: the label, and the name of the file that it was."""
    key = posixpath.splitext(image.name)[0]
    name, labels = image.name, dict[str, int]()
    if found := texts.get(f"{key}.cls"):
        labels[found.name] = _whole_number(shard, found, _text(shard, file, found))
    if found := texts.get(f"{key}.json"):
        stated = _stated(shard, found, _text(shard, file, found))
        if stated.get("label") is not None:
            labels[found.name] = _whole_number(shard, found, stated["label"])
        stated_name = stated.get("filename")
        name = stated_name if isinstance(stated_name, str) and stated_name else name
    if len(set(labels.values())) > 1:
        both = " and ".join(f"{label} in {readable_name(text)}" for text, label in labels.items())
        raise DataError(f"{shard} gives an image two labels, {both}: correct the shard")
    return name, next(iter(labels.values()), None)


def _text(shard: Path, file: IO[bytes], found: Stored) -> str:
    try:
        return os.pread(file.fileno(), min(found.size, MOST_TEXT), found.offset).decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{readable_name(found.name)} in {shard} is no text: correct the shard") from error


def _stated(shard: Path, found: Stored, text: str) -> dict[str, object]:
    try:
        stated = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{readable_name(found.name)} in {shard} is no JSON ({error}): correct the shard") from error
    return stated if isinstance(stated, dict) else {}


def _whole_number(shard: Path, found: Stored, value: object) -> int:
    """A label, as text or as JSON has it."""
    try:
        if isinstance(value, str) or type(value) is int:
            return int(value)
    except ValueError:
        pass
    raise DataError(
        f"{readable_name(found.name)} in {shard} says {str(value)[:40]!r}, where a label is a whole number: correct "
        "the shard"
    )
