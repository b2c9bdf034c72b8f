"""One tar file of images as it is corrupted: what it holds, in its order, with nothing of it unpacked.

Only the names are in memory, a few hundred bytes a member; contents are read at their place in the file.
"""

from __future__ import annotations

import logging
import os
import posixpath
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

import numpy as np

from lst_robust.data.class_folders import readable_name
from lst_robust.data.decode import EXTENSIONS, decode, decode_whole, opened
from lst_robust.data.shards import Member
from lst_robust.data.source import Unreadable
from lst_robust.data.tar_shards import ADVICE, Stored, entries, name_and_label
from lst_robust.errors import DataError, NothingToEvaluateError, message_of
from lst_robust.generation.shard_naming import ImageId
from lst_robust.geometry import Geometry
from lst_robust.runtime.prefetch import prefetch

logger = logging.getLogger(__name__)
SUFFIXES = {"jpeg": ".jpg", "png": ".png"}
BLOCK = 2**20  # bytes of a member that are in memory at once
LINKS = "pack the shard again with the files themselves (tar --dereference --hard-dereference)"


class Entry(NamedTuple):
    """A member of a shard. name: in the corrupted shard; image_id: None of what is no image and copied as it is."""

    name: str
    offset: int
    size: int
    image_id: str | None


class InputShard:
    """What a shard holds. May be read from several threads; to be closed.

    DataError where it is damaged, holds no image, a link or a device, a name that leads out of the folder in which it
    would be unpacked, or two images of one name or of one sample.
    """

    def __init__(self, path: Path, image_ids: ImageId, image_format: str, geometry: Geometry | None) -> None:
        """image_format: of the corrupted images; geometry: None where images keep their sizes."""
        self.path, self._geometry = path, geometry
        self.skipped: tuple[str, ...] = ()
        try:
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by `close`
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror}): {ADVICE}") from error
        try:
            with open(path, "rb") as file:
                self.entries = _entries(path, file, image_ids, SUFFIXES[image_format])
        except OSError as error:
            self.close()
            raise DataError(f"{path} cannot be read ({error.strerror or error}): {ADVICE}") from error
        except BaseException:
            self.close()
            raise

    @property
    def images(self) -> int:
        return sum(entry.image_id is not None for entry in self.entries)

    def blocks(self, entry: Entry) -> Iterator[bytes]:
        """The content of a member; DataError where the file has become shorter."""
        for start in range(0, entry.size, BLOCK):
            length = min(BLOCK, entry.size - start)
            content = os.pread(self._file.fileno(), length, entry.offset + start)
            if len(content) != length:
                raise DataError(f"{self.path} ends early: {ADVICE}")
            yield content

    def decoded(self, entry: Entry) -> np.ndarray:
        """uint8 RGB (H, W, 3), cut; raises anything on damaged images."""
        content = b"".join(self.blocks(entry))
        return decode_whole(content) if self._geometry is None else decode(content, self._geometry)

    def decoded_bytes(self, entry: Entry) -> int:
        """How many bytes the image has once it is decoded; 0 of what is no image, or cannot be read."""
        if entry.image_id is None:
            return 0
        if self._geometry is not None:
            return self._geometry.size**2 * 3
        try:
            with opened(b"".join(self.blocks(entry))) as image:
                return image.width * image.height * 3
        except Exception:  # what PIL raises on damaged files; decoding the image will name it
            return 0

    def unreadable(self, workers: int) -> list[Unreadable]:
        """Decodes every image, and says which cannot be decoded."""

        def tried(place: int) -> Unreadable | None:
            entry = self.entries[place]
            try:
                self.decoded(entry)
            except Exception as error:  # decoders raise anything on damaged files
                return Unreadable(place, entry.image_id or "", message_of(error))
            return None

        images = [place for place, entry in enumerate(self.entries) if entry.image_id is not None]
        return [failed for failed in prefetch(tried, images, workers) if failed is not None]

    def skip_unreadable(self, workers: int) -> None:
        """Leaves out the samples whose images cannot be decoded, with all of their members."""
        failed = self.unreadable(workers)
        if failed and len(failed) == self.images:
            raise NothingToEvaluateError(
                f"none of the {len(failed)} images of {self.path} can be read, the first being {failed[0].id} "
                f"({failed[0].reason}): give another shard"
            )
        lost = {_key(self.entries[image.index].name) for image in failed}
        self.entries = [entry for entry in self.entries if _key(entry.name) not in lost]
        self.skipped = tuple(image.id for image in failed)

    def close(self) -> None:
        self._file.close()


def _entries(shard: Path, file: IO[bytes], image_ids: ImageId, suffix: str) -> list[Entry]:
    found = [_checked(shard, entry) for entry in entries(shard, file) if _counts(entry)]
    texts = {_key(one.name) + _extension(one.name): one for one in found if _extension(one.name) in (".cls", ".json")}
    result, first, seen = [], dict[str, str](), dict[str, str]()
    for one in found:
        name, identity = one.name, None
        if _extension(name) in EXTENSIONS:
            stated, label = name_and_label(shard, file, one, texts)
            identity = image_ids(Member(stated, label, shard))
            name = _key(name) + suffix
            _once(shard, one.name, identity, first, "are the image")
        _once(shard, one.name, name, seen, "would both be written as")
        result.append(Entry(name, one.offset, one.size, identity))
    if not first:
        raise DataError(f"{shard} holds no image: give shards of {', '.join(sorted(EXTENSIONS))}")
    keys = {_key(entry.name) for entry in result if entry.image_id is not None}
    if alone := [entry.name for entry in result if _key(entry.name) not in keys and entry.image_id is None]:
        logger.info(
            "%s has %d files without an image, such as %s: they are copied", shard, len(alone), readable_name(alone[0])
        )
    return result


def _counts(entry: tarfile.TarInfo) -> bool:
    """Folders say nothing, and hidden files are those of macOS."""
    return not entry.isdir() and not posixpath.basename(entry.name).startswith(".")


def _checked(shard: Path, entry: tarfile.TarInfo) -> Stored:
    if not entry.isreg() or entry.issparse():
        kind = "a link" if entry.islnk() or entry.issym() else "no ordinary file"
        raise DataError(f"{readable_name(entry.name)} in {shard} is {kind}, and none is followed: {LINKS}")
    path = PurePosixPath(entry.name)
    if path.is_absolute() or ".." in path.parts:
        raise DataError(
            f"{readable_name(entry.name)} in {shard} leads out of the folder in which the shard would be unpacked: "
            "rename it"
        )
    return Stored(entry.name, entry.offset_data, entry.size)


def _once(shard: Path, name: str, meant: str, seen: dict[str, str], verb: str) -> None:
    if meant in seen:
        raise DataError(
            f"{readable_name(seen[meant])} and {readable_name(name)} in {shard} {verb} {readable_name(meant)}: give "
            "shards with one image a sample, each once"
        )
    seen[meant] = name


def _key(name: str) -> str:
    return posixpath.splitext(name)[0]


def _extension(name: str) -> str:
    return posixpath.splitext(name)[1].lower()
