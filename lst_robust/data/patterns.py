"""Paths in which braces and wildcards stand for several files, as in a shell: val-{0000..0049}.tar, val-*.tar."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

from lst_robust.errors import DataError, UsageError

BRACES = re.compile(r"\{(?P<first>[0-9]+)\.\.(?P<last>[0-9]+)\}|\{(?P<list>[^{}]*,[^{}]*)\}")
NESTED = re.compile(r"\{[^{}]*\{")
MOST_FILES = 100_000  # that one pattern may name


def is_pattern(path: Path) -> bool:
    """Whether a path names files by braces or wildcards; one that exists as it is written does not."""
    text = str(path)
    return bool(BRACES.search(text) or glob.has_magic(text)) and not os.path.exists(path)  # False for too long a name


def matching_files(pattern: Path, given: str = "with --data-dir") -> list[Path]:
    """The files that a pattern names, those of a range in its order and those of a wildcard sorted.

    given: how a person gives a pattern, for messages.
    DataError when it matches nothing, or when a file that braces name is not there; UsageError for a range that runs
    backwards or names too many files, and for braces within braces.
    """
    files: list[Path] = []
    missing: list[str] = []
    names = expand_braces(str(pattern))
    for name in names:
        found = sorted(glob.glob(name)) if glob.has_magic(name) else [name] if os.path.exists(name) else []
        files += map(Path, found)
        missing += [] if found else [name]
    if not files:
        raise DataError(f"no file matches {pattern}: give a folder, or a pattern that matches files, {given}")
    if missing:
        raise DataError(
            f"{len(missing)} of the {len(names)} files of {pattern} are not there, the first being {missing[0]}: "
            "complete the download, or correct the range"
        )
    return list(dict.fromkeys(files))


def expand_braces(pattern: str) -> list[str]:
    """ "val-{08..10}.{tar,zip}" -> val-08.tar, val-08.zip, val-09.tar, ...; the numbers of a range get as many digits
    as its ends are written with."""
    found = BRACES.search(pattern)
    if found is None:
        return [pattern]
    if NESTED.search(pattern):
        raise UsageError(f"{pattern} has braces within braces: write the names out, as in {{00,01,10}}")
    head, rest = pattern[: found.start()], expand_braces(pattern[found.end() :])
    parts = found["list"].split(",") if found["list"] is not None else _numbers(found["first"], found["last"], pattern)
    if len(parts) * len(rest) > MOST_FILES:
        raise UsageError(f"{pattern} names more than {MOST_FILES:,} files: give a smaller range")
    return [f"{head}{part}{end}" for part in parts for end in rest]


def _numbers(first: str, last: str, pattern: str) -> list[str]:
    low, high = int(first), int(last)
    if low > high:
        raise UsageError(f"the range {{{first}..{last}}} of {pattern} runs backwards: give the smaller number first")
    if high - low >= MOST_FILES:
        raise UsageError(f"{pattern} names more than {MOST_FILES:,} files: give a smaller range")
    padded = any(end.startswith("0") and len(end) > 1 for end in (first, last))
    width = max(len(first), len(last)) if padded else 0
    return [f"{number:0{width}d}" for number in range(low, high + 1)]
