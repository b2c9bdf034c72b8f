"""Which shards --data-dir means: a pattern, one file, or a folder of them; and which form they have."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Sequence
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

from lst_robust.data.class_folders import class_folders
from lst_robust.data.patterns import expand_braces, is_pattern, matching_files
from lst_robust.data.shards import Container
from lst_robust.data.source import Split
from lst_robust.errors import DataError

FORMS = {  # by the end of a shard's name: a module of this package, and its class
    ".tar": "tar_shards.TarShards",
    ".parquet": "parquet_shards.ParquetShards",
    ".arrow": "arrow_shards.ArrowShards",
}
WORD = re.compile(r"(?:^|[-_.])(train|training|val|validation|valid|test)(?=[-_.0-9]|$)", re.IGNORECASE)
TRAIN_WORDS = ("train", "training")
NUMBERED = re.compile(  # Hugging Face's library may write a hash behind the numbers
    r"(?P<head>.*)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})(?P<tail>(?:-[0-9a-f]+)?\.\w+)"
)


def find_shards(
    root: Path | None, split: Split, words: Sequence[str], ignored: Collection[str] = ()
) -> list[Path] | None:
    """The shards of one split; None where `root` is to be read as a folder of class folders, or is not there.

    A pattern and a single file mean test images. words: what the split may be called in the names of folders and
    shards, the first choice first. ignored: names of archives that are no shards. Raises DataError for shards that are
    incomplete or not there, for another file, and for a split that is not among them.
    """
    if root is None:
        return None
    if os.path.isdir(root):  # False for a pattern that is too long for a name, where Path.is_dir raises
        return _in_folder(root, split, words, ignored)
    if is_pattern(root) or (root.is_file() and root.suffix in FORMS):
        if split == "train":
            raise DataError(
                f"{root} names test images, and there is nothing to train on: give trained weights with --checkpoint, "
                "or a folder that holds training images as well"
            )
        return _complete(matching_files(root), root) if is_pattern(root) else [root]
    if root.is_file():
        raise DataError(f"{root} is no shard: give a folder, or files that end with {', '.join(FORMS)}, unpacked")
    if root.suffix in FORMS:
        braces = "; braces hold numbers, as {00..63}, or names with commas, as {a,b}" if "{" in root.name else ""
        raise DataError(f"there is no file {root}: give an existing one with --data-dir{braces}")
    return None


def open_shards(shards: Sequence[Path]) -> Container:
    """The images in shards of one form; DataError for files of another form, and for several forms."""
    forms = sorted({shard.suffix for shard in shards})
    if strangers := [shard for shard in shards if shard.suffix not in FORMS or not shard.is_file()]:
        raise DataError(f"{strangers[0]} is no shard: give files that end with {', '.join(FORMS)}, unpacked")
    if len(forms) > 1:
        raise DataError(
            f"there are shards of several forms ({', '.join(forms)}) in {shards[0].parent}: give those of one by a "
            f"pattern, such as --data-dir '{shards[0].parent}/*{forms[0]}'"
        )
    module, name = FORMS[forms[0]].split(".")
    form: type[Container] = getattr(import_module(f"lst_robust.data.{module}"), name)  # pyarrow takes time to import
    return form(shards)


def _in_folder(root: Path, split: Split, words: Sequence[str], ignored: Collection[str]) -> list[Path] | None:
    """Shards in a folder of the split's name, in data/, or in the folder itself. An archive beside class folders is no
    shard."""
    for word in words:
        if (root / word).is_dir():
            shards = [] if class_folders(root / word) else _shards(root / word, ignored)
            return _complete(shards) or None
    for folder in (root / "data", root):
        if folder.is_dir() and (shards := _shards(folder, ignored)):
            return _complete(_of_split(folder, shards, split, words))
    return None


def names_split(root: Path, words: Sequence[str]) -> bool:
    """Whether there are shards in a folder of one of these names in `root`, or with one of them in their names. True
    also where a folder cannot be read, which opening it says."""
    try:
        if any(os.path.isdir(root / word) and _shards(root / word, ()) for word in words):
            return True
        folders = [folder for folder in (root / "data", root) if os.path.isdir(folder)]
        return any(_split_of(shard) in words for folder in folders for shard in _shards(folder, ()))
    except DataError:
        return True


def _split_of(shard: Path) -> str | None:
    """The split that the name of a shard says."""
    found = WORD.search(shard.stem)
    return found[1].lower() if found else None


def _shards(folder: Path, ignored: Collection[str]) -> list[Path]:
    """Sorted; of a data set that Hugging Face's library has saved, those that its state names."""
    state = folder / "state.json"
    if state.is_file():
        return _of_state(state)
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror}): repair or remove it") from error
    return [
        folder / name
        for name in names
        if Path(name).suffix in FORMS and name not in ignored and not name.startswith((".", "cache-"))
    ]


def _of_state(state: Path) -> list[Path]:
    try:
        shards = [state.parent / entry["filename"] for entry in json.loads(state.read_text())["_data_files"]]
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise DataError(f"{state} does not name the files of a saved data set ({error}): save it again") from error
    if missing := [shard for shard in shards if not shard.is_file()]:
        raise DataError(
            f"{len(missing)} of the {len(shards)} shards that {state} names are not there, the first being "
            f"{missing[0].name}: complete the copy"
        )
    return shards


def _of_split(folder: Path, shards: list[Path], split: Split, words: Sequence[str]) -> list[Path]:
    """Those whose names say the split. Where no name says one, they are test images."""
    said = {shard: _split_of(shard) for shard in shards}
    if not any(said.values()) and split == "test":
        return shards
    for word in words:
        if chosen := [shard for shard in shards if said[shard] == word]:
            return chosen
    raise DataError(
        f"{folder} has shards, but none of them has {' or '.join(words)} in its name: add those of the {split} images, "
        "or name the shards by a pattern"
    )


def _complete(shards: list[Path], pattern: Path | None = None) -> list[Path]:
    """DataError when names such as validation-00003-of-00014.parquet say that some are missing.

    pattern: which names are meant, where it is not all in the folder.
    """
    numbers: dict[tuple[Path, str, int], dict[int, str]] = {}
    for shard in shards:
        if found := NUMBERED.fullmatch(shard.name):
            key = (shard.parent, found["head"], int(found["count"]))
            numbers.setdefault(key, {})[int(found["number"])] = found["tail"]
    meant = ["*"] if pattern is None else expand_braces(pattern.name)
    for (folder, head, count), tails in numbers.items():
        stems = {number: f"{head}-{number:05d}-of-{count:05d}" for number in range(count) if number not in tails}
        ends = set(tails.values())
        missing = [n for n, stem in stems.items() if any(fnmatch(stem + end, one) for end in ends for one in meant)]
        if missing:
            raise DataError(
                f"{len(missing)} of the {count} shards {head}-*-of-{count:05d} are not in {folder}, the first being "
                f"number {missing[0]:05d}: complete the download"
            )
    return shards
