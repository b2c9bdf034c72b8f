"""ImageNet (ILSVRC 2012): val/<wnid>/*.JPEG, and train/<wnid>/*.JPEG."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from lst_robust.data.class_folders import FileSource, class_folders, files_by_class, image_files, require_folder
from lst_robust.errors import DataError

LAYOUT = "images must lie as val/<wnid>/*.JPEG, such as val/n01440764/ILSVRC2012_val_00000293.JPEG (image-net.org)"


@cache
def wnids() -> tuple[str, ...]:
    """The 1,000 WordNet ids of the challenge, sorted: position is the label every published network uses."""
    return tuple(files("lst_robust.data").joinpath("imagenet_wnids.txt").read_text().split())


class ImageNetSource(FileSource):
    """One split of ImageNet, with the labels of all 1,000 classes even where only some have a folder.

    The shorter side is resized to `resize`, then the centre is cropped, as for every published network.
    """

    def __init__(
        self, root: Path | None, split: Literal["train", "test"], image_size: int = 224, resize: int = 256
    ) -> None:
        folder = require_folder(root, LAYOUT) / ("val" if split == "test" else "train")
        if not folder.is_dir():
            raise DataError(f"no folder {folder}: {LAYOUT}")
        found = class_folders(folder)
        if not found:
            flat = " holds images, but not in class folders" if image_files(folder) else " is empty"
            raise DataError(f"{folder}{flat}: {LAYOUT}")
        if strangers := sorted(set(found) - set(wnids())):
            raise DataError(f"{folder / strangers[0]} is not one of ImageNet's 1,000 classes: {LAYOUT}")
        super().__init__(
            f"imagenet/{split}", folder, files_by_class(folder, found, wnids()), wnids(), image_size, resize
        )
