"""Places365-Standard's validation set: 36,500 images of 365 scenes, listed in two text files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lst_robust.data.class_folders import FileSource, require_folder
from lst_robust.data.kind import DatasetConfig, DatasetKind, Published
from lst_robust.data.source import Split
from lst_robust.errors import DataError, UsageError

CATEGORIES, LIST = "categories_places365.txt", "places365_val.txt"
IMAGES = ("val_256", "val_large")
LAYOUT = (
    f"val_256/*.jpg (or val_large/*.jpg), {LIST} and {CATEGORIES} must lie in it "
    "(places2.csail.mit.edu/download.html, or lst-robust data get)"
)


class Places365Source(FileSource):
    """The validation images in the order of the list; ids are the file names."""

    def __init__(self, root: Path | None, split: Split, image_size: int = 224, resize: int = 256) -> None:
        if split == "train":
            raise UsageError("places365 has its validation set here, and nothing to train on: give a --checkpoint")
        top = require_folder(root, LAYOUT)
        folder = next((top / name for name in IMAGES if (top / name).is_dir()), None)
        if folder is None:
            raise DataError(f"no folder {' or '.join(IMAGES)} in {top}: {LAYOUT}")
        names = {label: name for name, label in _listed(top / CATEGORIES)}
        images = _listed(top / LIST)
        if sorted(names) != list(range(len(names))) or not {label for _, label in images} <= set(names):
            raise DataError(f"{top / LIST} has labels that {CATEGORIES} does not name: {LAYOUT}")
        classes = tuple(names[label] for label in range(len(names)))
        rows = [(file, file, label) for file, label in images]
        super().__init__("places365/test", folder, rows, classes, image_size, resize)


def _listed(path: Path) -> list[tuple[str, int]]:
    """(name, label) of each line "<name> <label>"."""
    try:
        pairs = [line.rsplit(maxsplit=1) for line in path.read_text().splitlines() if line]
        return [(name, int(label)) for name, label in pairs]
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): {LAYOUT}") from error
    except ValueError as error:
        raise DataError(f"{path} is not a list of name, space, label: {LAYOUT}") from error


class Places365Dataset(DatasetConfig):
    """Places365-Standard's validation images, for testing only."""

    kind: Literal["places365"]
    resize: int = Field(default=256, ge=1)


def _download(config: Places365Dataset, folder: Path) -> None:
    from torchvision import datasets

    datasets.Places365(folder, split="val", small=True, download=True)


KIND = DatasetKind(
    config=Places365Dataset,
    open=lambda config, root, split, image_size: Places365Source(root, split, image_size, config.resize),
    published={
        "places365": Published(
            {"test": 36_500},
            classes=365,
            md5={  # source: torchvision.datasets
                "val_256.tar": "e27b17d8d44f4af9a78502beb927f808",
                "val_large.tar": "9b71c4993ad89d2d8bcbdc4aef38042f",
                "places365_val.txt": "e9f2fd57bfd9d07630173f4e8708e4b1",
                "categories_places365.txt": "06c963b85866bd0649f97cb43dd16673",
            },
        )
    },
    download=_download,
)
