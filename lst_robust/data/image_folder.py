"""Any images in class folders: <root>/train/<class>/* and <root>/test/<class>/* (or val); or in shards."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from lst_robust.data.class_folders import FileSource, class_folders, files_by_class, require_folder
from lst_robust.data.corrupted import CorruptionTree
from lst_robust.data.find_shards import TRAIN_WORDS, find_shards, open_shards
from lst_robust.data.kind import DatasetConfig, DatasetKind
from lst_robust.data.shards import ClassFile, Member, Naming, ShardSource, named_files
from lst_robust.data.source import ImageSource, Split
from lst_robust.errors import DataError, some_names

logger = logging.getLogger(__name__)
SPLIT_FOLDERS: dict[Split, tuple[str, ...]] = {"train": ("train",), "test": ("test", "val")}
SHARD_WORDS: dict[Split, tuple[str, ...]] = {
    "train": TRAIN_WORDS,
    "test": (*SPLIT_FOLDERS["test"], "validation", "valid"),
}
LAYOUT = "images must lie as train/<class>/*.jpg and test/<class>/*.jpg (or val/<class>/*.jpg)"


class ImageFolderSource(FileSource):
    """One split of an image folder. Labels follow the sorted class names; ids are "<class>/<file name>"."""

    def __init__(
        self,
        root: Path | None,
        split: Split,
        image_size: int,
        resize: int | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        """classes: the names the folder must have, such as a checkpoint's; default: those of train/, if it is there.

        Raises DataError for a missing folder, fewer than two classes, other classes than expected, an empty class.
        """
        root = require_folder(root, LAYOUT)
        folder = _split_folder(root, split)
        found = class_folders(folder)
        if len(found) < 2:
            raise DataError(f"{folder} has {_classes(found)}, and a classifier needs two or more: {LAYOUT}")
        train = root / "train"
        if classes is None and split == "test" and train.is_dir():
            _require_same(found, folder, class_folders(train), str(train))
        elif classes is not None:
            _require_same(found, folder, sorted(classes), "the classes asked for")
        super().__init__(
            f"image_folder/{split}", folder, files_by_class(folder, found), tuple(found), image_size, resize
        )


def _split_folder(root: Path, split: Split) -> Path:
    for name in SPLIT_FOLDERS[split]:
        if (root / name).is_dir():
            return root / name
    raise DataError(f"no folder {' or '.join(SPLIT_FOLDERS[split])} in {root}: {LAYOUT}")


def _classes(found: list[str]) -> str:
    return f"only one class folder ({found[0]})" if found else "no class folder"


def _require_same(found: list[str], folder: Path, expected: list[str], whose: str) -> None:
    lacking, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if lacking or extra:
        differences = [f"{verb} {some_names(names)}" for verb, names in (("lacks", lacking), ("adds", extra)) if names]
        raise DataError(
            f"the classes of {folder} differ from {whose}: it {' and '.join(differences)}; "
            "both must have the same class folders"
        )


class ImageFolderDataset(DatasetConfig):
    """`train/<class>/*` and `test|val/<class>/*` below `--data-dir`, or shards (tar, Parquet, Arrow); `resize`: shorter
    side before the centre crop."""

    kind: Literal["image_folder"]
    resize: int | None = Field(default=None, ge=1)


def open_image_folder(config: ImageFolderDataset, root: Path | None, split: Split, image_size: int) -> ImageSource:
    """From class folders or from shards, which are the same images."""
    shards = find_shards(root, split, SHARD_WORDS[split])
    if shards is None:
        return ImageFolderSource(root, split, image_size, config.resize)
    container = open_shards(shards)
    members = container.index()
    naming, classes = _naming_and_classes(root, members, container.class_names())
    files = named_files(members, naming)
    return ShardSource(f"image_folder/{split}", str(root), container, files, classes, image_size, config.resize)


def _naming_and_classes(
    root: Path | None, members: Sequence[Member], names: Sequence[str] | None = None
) -> tuple[Naming, tuple[str, ...]]:
    """names: what the labels count, where the shards say so."""
    found = sorted({_class_folder(member) for member in members} if names is None else set(names))
    if names is not None and len(names) > len(found):
        raise DataError(f"{root} has classes of the same name among its {len(names)}: correct the names in the shards")
    if len(found) < 2:
        raise DataError(f"{root} has {_classes(found)}, and a classifier needs two or more: give other shards")
    if names is not None and list(names) != found:
        first = next(label for label, (name, other) in enumerate(zip(found, names, strict=True)) if name != other)
        logger.warning(
            "%s: the shards count their classes in another order than that of the names, which counts here as in class "
            "folders: label %d is %s, and not %s; a network of your own must answer in this order",
            root,
            first,
            found[first],
            names[first],
        )
    return _naming(found, names), tuple(found)


def _naming(classes: Sequence[str], names: Sequence[str] | None) -> Naming:
    """By the names that the shards give to their labels, or by the class folders in the names of the images; labels
    that are stored beside those must not contradict them."""
    label_of = {name: label for label, name in enumerate(classes)}
    folder_of, stored_of = dict[int, str](), dict[str, int]()

    def naming(member: Member) -> ClassFile:
        if names is not None:
            if member.label is None:
                raise DataError(f"{member.described} has no label: give shards that have labels")
            if not 0 <= member.label < len(names):
                raise DataError(
                    f"{member.described} has the label {member.label}, and the shards name {len(names)} classes, from "
                    "0: correct the shards"
                )
            name = names[member.label]
        else:
            name = _class_folder(member)
            if member.label is not None and (
                folder_of.setdefault(member.label, name) != name
                or stored_of.setdefault(name, member.label) != member.label
            ):
                raise DataError(
                    f"{member.described} has the label {member.label}, which stands for another class folder as well: "
                    "give shards that name their classes, or class folders without labels"
                )
        return ClassFile(name, posixpath.basename(member.name), label_of[name])

    return naming


def _class_folder(member: Member) -> str:
    folder = posixpath.basename(posixpath.dirname(member.name))
    if folder in ("", posixpath.curdir, posixpath.pardir):
        raise DataError(
            f"{member.described} names no class: images must lie in class folders inside of the shards, "
            "or the table must name its classes, as Hugging Face's library writes them"
        )
    return folder


KIND = DatasetKind(
    config=ImageFolderDataset,
    open=open_image_folder,
    open_official=lambda config, root, image_size: CorruptionTree(
        root, image_size, ("corrupted",), "your own", naming=_naming_and_classes
    ),
)
