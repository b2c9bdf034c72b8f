"""The pets in tar shards, and what corrupted shards hold."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from tests.fixtures.shards import write_tar

SHARDS = ("val-00.tar", "val-01.tar", "val-02.tar")
STORED = ("dog/1.png", "cat/0.png", "cat/2.png", "dog/0.png", "dog/2.png", "cat/1.png")  # shuffled, as shards are


def members(path: Path) -> dict[str, bytes]:
    """Name -> content, in the order of the tar file."""
    with tarfile.open(path) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar}


def pets_in_shards(pets: Path, folder: Path) -> Path:
    """Two samples a shard, each with its label and a text beside it. Returns the folder."""
    for number, shard in enumerate(SHARDS):
        files = []
        for name in STORED[2 * number : 2 * number + 2]:
            key, label = name.removesuffix(".png"), str(int(name.startswith("dog")))
            files += [(f"{key}.cls", label.encode()), (name, (pets / name).read_bytes()), (f"{key}.txt", b"a pet")]
        write_tar(folder / shard, files)
    return folder


def tar_with(path: Path, name: str, content: bytes = b"", **fields: object) -> Path:
    """Appends a member with any fields of its header."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    for field, value in fields.items():
        setattr(entry, field, value)
    with tarfile.open(path, "a") as tar:
        tar.addfile(entry, io.BytesIO(content))
    return path
