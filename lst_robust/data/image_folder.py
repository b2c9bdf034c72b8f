"""Any folder of images with one folder a class: <root>/train/<class>/* and <root>/test/<class>/* (or val)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from lst_robust.data.class_folders import FileSource, class_folders, files_by_class, require_folder
from lst_robust.data.corrupted import CorruptionTree
from lst_robust.data.kind import DatasetConfig, DatasetKind
from lst_robust.data.source import Split
from lst_robust.errors import DataError

SPLIT_FOLDERS: dict[Split, tuple[str, ...]] = {"train": ("train",), "test": ("test", "val")}
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
        differences = [f"{verb} {_some(names)}" for verb, names in (("lacks", lacking), ("adds", extra)) if names]
        raise DataError(
            f"the classes of {folder} differ from {whose}: it {' and '.join(differences)}; "
            "both must have the same class folders"
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


class ImageFolderDataset(DatasetConfig):
    """`train/<class>/*` and `test|val/<class>/*` below `--data-dir`; `resize`: shorter side before the centre crop."""

    kind: Literal["image_folder"]
    resize: int | None = Field(default=None, ge=1)


KIND = DatasetKind(
    config=ImageFolderDataset,
    open=lambda config, root, split, image_size: ImageFolderSource(root, split, image_size, config.resize),
    open_official=lambda config, root, image_size: CorruptionTree(root, image_size, ("corrupted",), "your own"),
)
