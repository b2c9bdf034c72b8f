"""Which tar shards SRC means: a pattern, one file, or a folder of them, as --data-dir of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lst_robust.data.find_shards import FORMS, find_shards
from lst_robust.data.image_folder import SHARD_WORDS
from lst_robust.data.imagenet import MD5
from lst_robust.data.opening import expanded
from lst_robust.data.patterns import is_pattern, matching_files
from lst_robust.errors import DataError, UsageError
from lst_robust.suites import Suite

FORM = ".tar"
PACKED = {FORM, ".tgz", ".tbz2", ".txz", ".tzst"}  # in a name that does not end with .tar


def find_tars(root: str | Path) -> list[Path] | None:
    """The tar files in their order; None where `root` is a folder of class folders, is no shard, or is not there.

    In a folder that has shards of several splits, those of the test images. DataError where there are none, or files of
    another form.
    """
    root = Path(root)
    if is_pattern(root):
        return _tars(root, matching_files(root, "as SRC"))
    if root.suffix == FORM and not root.is_dir():
        if not root.is_file():
            raise DataError(f"there is no file {root}: give an existing one, or a pattern such as 'val-{{00..63}}.tar'")
        return [root]
    if root.is_file() and root.suffix not in FORMS:
        if PACKED & set(root.suffixes):
            raise DataError(f"{root} is packed: unpack it, and give the tar file (gunzip, or the like)")
        return None
    shards = find_shards(root, "test", SHARD_WORDS["test"], MD5)
    return None if shards is None else _tars(root, shards)


def tars_of_suite(suite: Suite, data_dir: str | Path | None) -> list[Path]:
    """Those in `--data-dir`; DataError where there are none."""
    if data_dir is None:
        raise UsageError(f"suite {suite.name!r} needs its shards for --format tar: give them with --data-dir")
    root = expanded(data_dir)
    shards = None if root is None else find_tars(root)
    if shards is None:
        raise DataError(f"{data_dir} holds no tar shards: give some, or leave out --format tar")
    return shards


def _tars(root: Path, shards: Sequence[Path]) -> list[Path]:
    if others := [shard for shard in shards if shard.suffix != FORM or not shard.is_file()]:
        raise DataError(
            f"{others[0]} is no tar file: give shards that end with {FORM}, unpacked, such as '{root}/*.tar'"
        )
    return list(shards)
