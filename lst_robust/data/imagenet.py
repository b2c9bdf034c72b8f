"""ImageNet (ILSVRC 2012): val/<wnid>/*.JPEG, and train/<wnid>/*.JPEG; or shards that hold these images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import Field

from lst_robust.data.class_folders import FileSource, class_folders, files_by_class, image_files, require_folder
from lst_robust.data.corrupted import CorruptionTree
from lst_robust.data.find_shards import TRAIN_WORDS, find_shards, open_shards
from lst_robust.data.imagenet_names import imagenet_naming
from lst_robust.data.kind import DatasetConfig, DatasetKind, Published
from lst_robust.data.shards import Member, Naming, ShardSource, named_files
from lst_robust.data.source import ImageSource, Split
from lst_robust.data.subset import Subset
from lst_robust.errors import DataError

SPLIT_WORDS: dict[Split, tuple[str, ...]] = {"train": TRAIN_WORDS, "test": ("val", "validation", "valid")}
MD5 = {  # sources: torchvision.datasets, and the Zenodo record 2235448
    "ILSVRC2012_img_val.tar": "29b22e2961454d5413ddabcf34fc5622",
    "noise.tar": "e80562d7f6c3f8834afb1ecf27252745",
    "blur.tar": "2d8e81fdd8e07fef67b9334fa635e45c",
    "weather.tar": "33ffea4db4d93fe4a428c40a6ce0c25d",
    "digital.tar": "89157860d7b10d5797849337ca2e5c03",
    "extra.tar": "d492dfba5fc162d8ec2c3cd8ee672984",
}
LAYOUT = "images must lie as val/<wnid>/*.JPEG, such as val/n01440764/ILSVRC2012_val_00000293.JPEG (image-net.org)"


@cache
def wnids() -> tuple[str, ...]:
    """The 1,000 WordNet ids of the challenge, sorted: position is the label every published network uses."""
    return tuple(files("lst_robust.data").joinpath("imagenet_wnids.txt").read_text().split())


@cache
def robustbench_numbers() -> tuple[int, ...]:
    """The numbers of RobustBench's 5,000 validation images; the file says where they come from."""
    lines = files("lst_robust.data").joinpath("robustbench_5k.txt").read_text().splitlines()
    return tuple(int(number) for line in lines if not line.startswith("#") for number in line.split())


class ImageNetSource(FileSource):
    """One split of ImageNet, with the labels of all 1,000 classes even where only some have a folder.

    The shorter side is resized to `resize`, then the centre is cropped, as for every published network.
    """

    def __init__(self, root: Path | None, split: Split, image_size: int = 224, resize: int = 256) -> None:
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


class ImageNetDataset(DatasetConfig):
    """ILSVRC 2012: `val/<wnid>/*` (and `train/<wnid>/*`), or shards (tar, Parquet, Arrow); official: ImageNet-C."""

    kind: Literal["imagenet"]
    resize: int = Field(default=256, ge=1)


def open_imagenet(config: ImageNetDataset, root: Path | None, split: Split, image_size: int) -> ImageSource:
    """From class folders or from shards, which are the same images. The archives that ILSVRC and ImageNet-C are
    distributed in may lie beside them: they are no shards."""
    shards = find_shards(root, split, SPLIT_WORDS[split], ignored=MD5)
    if shards is None:
        return ImageNetSource(root, split, image_size, config.resize)
    container = open_shards(shards)
    members = container.index()
    files = named_files(members, imagenet_naming(wnids(), container.class_names()))
    return ShardSource(f"imagenet/{split}", str(root), container, files, wnids(), image_size, config.resize)


def _open_official(config: ImageNetDataset, root: Path | None, image_size: int) -> CorruptionTree:
    names, origin = ("ImageNet-C", "imagenet-c"), "zenodo.org/records/2235448"
    return CorruptionTree(root, image_size, names, origin, wnids(), _naming_of_corrupted_shards)


def _naming_of_corrupted_shards(folder: Path, members: Sequence[Member]) -> tuple[Naming, tuple[str, ...]]:
    return imagenet_naming(wnids(), None), wnids()


KIND = DatasetKind(
    config=ImageNetDataset,
    open=open_imagenet,
    open_official=_open_official,
    published={
        "imagenet": Published(
            {"test": 50_000},  # evaluation needs no training images
            classes=1000,
            md5=MD5,
        )
    },
    download=LAYOUT,
    subsets=(Subset("robustbench-5k", "github.com/RobustBench", robustbench_numbers, "ILSVRC2012_val_"),),
)
