"""Tiny-ImageNet (200 classes, 64 pixels) as Stanford's CS231n distributes it, or with its validation set sorted."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from lst_robust.data.class_folders import (
    FileSource,
    class_folders,
    files_by_class,
    image_files,
    readable_name,
    require_folder,
)
from lst_robust.data.corrupted import CorruptionTree
from lst_robust.data.kind import DatasetConfig, DatasetKind, Published
from lst_robust.data.source import Split
from lst_robust.errors import DataError

FOLDER = "tiny-imagenet-200"
ANNOTATIONS = "val_annotations.txt"
LAYOUT = (
    f"{FOLDER}/ must lie in it, from http://cs231n.stanford.edu/tiny-imagenet-200.zip, with train/<wnid>/images/*.JPEG "
    f"and val/images/*.JPEG beside val/{ANNOTATIONS} (or val/<wnid>/*.JPEG)"
)


class TinyImageNetSource(FileSource):
    """One split; "test" is the labelled validation set. Ids are "<wnid>/<file name>" in either layout."""

    def __init__(self, root: Path | None, split: Split, image_size: int = 64) -> None:
        top = require_folder(root, LAYOUT)
        top = top / FOLDER if (top / FOLDER).is_dir() else top
        folder = top / ("val" if split == "test" else "train")
        if not folder.is_dir():
            raise DataError(f"no folder {folder}: {LAYOUT}")
        if split == "test" and (folder / ANNOTATIONS).is_file():
            classes, images = _annotated(folder)
        else:
            classes = class_folders(folder)
            inside = "images" if classes and (folder / classes[0] / "images").is_dir() else ""
            images = files_by_class(folder, classes, inside=inside)
        if len(classes) < 2:
            raise DataError(f"{folder} has {len(classes)} classes: {LAYOUT}")
        super().__init__(f"tiny_imagenet/{split}", folder, images, tuple(classes), image_size)


def _annotated(folder: Path) -> tuple[list[str], list[tuple[str, str, int]]]:
    """Classes and (path, id, label) of val/images/*, labelled by lines "<file>\\t<wnid>\\t<box>"."""
    try:
        lines = [line.split("\t") for line in (folder / ANNOTATIONS).read_text().splitlines() if line]
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / ANNOTATIONS} cannot be read ({error}): {LAYOUT}") from error
    if any(len(line) < 2 for line in lines):
        raise DataError(f"{folder / ANNOTATIONS} is not a list of file, tab, wnid: {LAYOUT}")
    wnid_of = {line[0]: line[1] for line in lines}
    images = folder / "images"
    found = image_files(images) if images.is_dir() else []
    if sorted(wnid_of) != found:
        raise DataError(f"{images} holds {len(found)} images, not the {len(wnid_of)} of {ANNOTATIONS}: {LAYOUT}")
    classes = sorted(set(wnid_of.values()))
    label_of = {wnid: label for label, wnid in enumerate(classes)}
    rows = sorted((wnid_of[file], file) for file in found)
    return classes, [(f"images/{file}", readable_name(f"{wnid}/{file}"), label_of[wnid]) for wnid, file in rows]


class TinyImageNetDataset(DatasetConfig):
    """`tiny-imagenet-200/`; official: Tiny-ImageNet-C."""

    kind: Literal["tiny_imagenet"]


KIND = DatasetKind(
    config=TinyImageNetDataset,
    open=lambda config, root, split, image_size: TinyImageNetSource(root, split, image_size),
    open_official=lambda config, root, image_size: CorruptionTree(
        root, image_size, ("Tiny-ImageNet-C", "tiny-imagenet-c"), "zenodo.org/records/2536630"
    ),
    published={
        "tiny_imagenet": Published(
            {"train": 100_000, "test": 10_000},
            classes=200,
            md5={  # sources: Stanford's archive, and the Zenodo record 2536630
                "tiny-imagenet-200.zip": "90528d7ca1a48142e341f4ef8d21d0de",
                "Tiny-ImageNet-C.tar": "f9c9a9dbdc11469f0b850190f7ad8be1",
                "Tiny-ImageNet-C-extra.tar": "0db0588d243cf403ef93449ec52b70eb",
            },
        )
    },
    download=LAYOUT,
)
