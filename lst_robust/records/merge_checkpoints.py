"""The trained checkpoints of several results folders in one: `<results>/<suite>/checkpoints/`.

They are known by their content, because that is how a record names its weights. A file whose content is there, under
whatever name, is not copied. Where its name is taken by other weights, as of the same recipe on another processor, it
gets the beginning of its SHA-256 behind its name. The log of a training, a CSV file, goes with its weights.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lst_robust.errors import DataError, message_of
from lst_robust.runtime.files import require_file, write_unless_there
from lst_robust.runtime.interruption import check_interrupted

logger = logging.getLogger(__name__)
FOLDER, WEIGHTS, LOG = "checkpoints", ".safetensors", ".csv"
DIGITS = 8  # of the SHA-256, behind a name that is taken
CHUNK = 1 << 22  # bytes read at once


@dataclass
class MergedCheckpoints:
    """copied: the new files. equal: how many checkpoints were there. left: what cannot be trusted, and why."""

    copied: list[Path] = field(default_factory=list)
    equal: int = 0
    left: dict[Path, str] = field(default_factory=dict)


def merge_checkpoints(sources: Sequence[Path], into: Path, *, dry_run: bool = False) -> MergedCheckpoints:
    """Copies what is lacking. Interrupted trainings (`.resume`) belong to their machine and stay there.

    Raises DataError when the disk refuses.
    """
    merged, known = MergedCheckpoints(), {}
    for source in sources:
        for file in sorted(source.glob(f"*/{FOLDER}/*{WEIGHTS}")):
            check_interrupted()
            folder = into / file.parent.relative_to(source)
            if folder not in known:
                known[folder] = _digests(folder)
            try:
                _merge_one(file, folder, known[folder], merged, dry_run)
            except _CannotBeTrusted as error:
                logger.warning("%s; it is left as it is", error)
                merged.left[file] = str(error)
    return merged


class _CannotBeTrusted(DataError):
    """The file of a checkpoint that is damaged or cannot be read."""


def _merge_one(file: Path, folder: Path, known: dict[str, str], merged: MergedCheckpoints, dry_run: bool) -> None:
    """known: the SHA-256 of each checkpoint in the folder, by its name."""
    digest = _sha256(file)
    if digest in known.values():
        merged.equal += 1
        return
    _check(file)
    plain, distinct = folder / file.name, folder / f"{file.stem}-{digest[:DIGITS]}{WEIGHTS}"
    target = distinct if file.name in known else plain
    if not dry_run:
        if not _copy(file, target):  # a training has ended there meanwhile
            target = distinct
            _copy(file, target)
        if _sha256(target) != digest:
            raise DataError(f"{target}: is not as it was written: look after the disk, and merge again")
    known[target.name] = digest
    merged.copied.append(target)


def _copy(file: Path, target: Path) -> bool:
    """The weights and the log beside them; returns False where there is a file of that name."""
    content = _content(file)
    if (log := file.with_suffix(LOG)).is_file():
        write_unless_there(target.with_suffix(LOG), _content(log))
    return write_unless_there(target, content)  # last: where it is, its log is


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _CannotBeTrusted(f"{file}: cannot be read ({error.strerror})") from error


def _digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each checkpoint in the folder, by its name."""
    found = {}
    for file in sorted(folder.glob(f"*{WEIGHTS}")):
        check_interrupted()
        found[file.name] = _sha256(file)
    return found


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    try:
        require_file(file)
        with file.open("rb") as opened:
            while chunk := opened.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise _CannotBeTrusted(f"{file}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def _check(file: Path) -> None:
    """That the file is a whole one: its header fits to its size."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), framework="np") as opened:
            opened.keys()
    except (SafetensorError, OSError) as error:
        raise _CannotBeTrusted(f"{file}: damaged ({message_of(error)})") from error
