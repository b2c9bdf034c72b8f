"""What images are made of: a digest of the bytes that they are read from.

Two photographs can have the same name and label, but they do not have the same digest. The digest of files is kept in
the cache, under a key made of each file's path, size and times. So files are read once, and later only their times are
looked at. A digest that nobody has asked for in 90 days is deleted. One to which an unreadable file belongs is not
kept: the file may be readable the next time, with the same size and times.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from lst_robust.errors import DataError
from lst_robust.runtime.cache import cache_root, mark_used, remove_unused
from lst_robust.runtime.files import write_output

DIGITS = 32  # hexadecimal digits of a digest: 128 bits
FILES_AT_ONCE = 256  # that a thread looks at before it takes others
BLOCK = 2**20
SETTLED = 2_000_000_000  # nanoseconds: what was written later than this before now may change again unseen
Item = TypeVar("Item")
Result = TypeVar("Result")
UNREADABLE = b"unreadable"  # of a file that cannot be read: reading the image will name it


class FileState(NamedTuple):
    """What changes when somebody writes a file. `changed` is the inode's time, which nobody can set back."""

    size: int
    modified: int
    changed: int
    device: int
    inode: int


class Computed(NamedTuple):
    """A digest; complete: whether all that belongs to it could be read."""

    digest: str
    complete: bool = True


def digest_of_rows(rows: np.ndarray) -> str:
    """The digest of an array's values, in order. rows: any shape and dtype."""
    return _short(hashlib.sha256(np.ascontiguousarray(rows).data))


def digest_of_files(paths: Sequence[Path], workers: int = 1) -> str:
    """The digest of the files' bytes, in order; it does not depend on their names. A file that cannot be read counts as
    such, and is no error."""
    return kept_digest(paths, lambda: digest_of_contents(in_threads(_content, paths, workers)), workers)


def digest_of_contents(contents: Sequence[bytes]) -> Computed:
    """The digest that `digest_of_files` gives to files, from the SHA-256 of each file, in order. So images have one
    digest whether they lie in files or inside of shards."""
    return Computed(_short(_sha256(contents)), complete=UNREADABLE not in contents)


def kept_digest(paths: Sequence[Path], compute: Callable[[], Computed], workers: int = 1, part: str = "") -> str:
    """The digest by `compute`, or the one that it gave when the files were in the state in which they are now.

    part: what of the files is meant, where it is not all of them.
    """
    states = file_states(paths, workers)
    entry = cache_root() / "digests" / _key(paths, states, part)
    kept = _read(entry)
    if kept is not None:
        mark_used(entry)
        return kept
    started = time.time_ns()
    digest, complete = compute()
    unchanged = file_states(paths, workers) == states
    if complete and unchanged and all(state and _settled(state, started) for state in states):
        with suppress(DataError):  # no room, or no home: it is computed again the next time
            write_output(entry, digest.encode())
            remove_unused(entry.parent)
    return digest


def file_states(paths: Sequence[Path], workers: int = 1) -> list[FileState | None]:
    """The state of each file; None for one that is not there."""
    return in_threads(_state, paths, workers)


def _settled(state: FileState, now: int) -> bool:
    """Whether a change after `now` would show in the file's times, which some systems count in steps."""
    return max(state.modified, state.changed) < now - SETTLED


def _key(paths: Sequence[Path], states: Sequence[FileState | None], part: str) -> str:
    files = [[os.path.abspath(path), state] for path, state in zip(paths, states, strict=True)]
    return hashlib.sha256(json.dumps([part, files]).encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]


def _read(entry: Path) -> str | None:
    try:
        digest = entry.read_text()
    except (OSError, ValueError):
        return None
    return digest if len(digest) == DIGITS and set(digest) <= set("0123456789abcdef") else None


def _state(path: Path) -> FileState | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return FileState(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_dev, found.st_ino)


def _content(path: Path) -> bytes:
    """SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would never end
            return UNREADABLE
        with open(path, "rb", buffering=0) as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError:
        return UNREADABLE
    return digest.digest()


def in_threads(work: Callable[[Item], Result], items: Sequence[Item], workers: int) -> list[Result]:
    """`work` of each item, such as a path, in order."""
    parts = [items[start : start + FILES_AT_ONCE] for start in range(0, len(items), FILES_AT_ONCE)]
    if workers == 1 or len(parts) == 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(workers) as pool:
        return [result for part in pool.map(lambda part: [work(item) for item in part], parts) for result in part]


def _sha256(parts: Iterable[bytes]) -> hashlib._Hash:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest


def _short(digest: hashlib._Hash) -> str:
    return digest.hexdigest()[:DIGITS]
