"""Places365-Standard's validation set: 36,500 images of 365 scenes, listed in two text files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from lst_robust.data.class_folders import FileSource, require_folder
from lst_robust.errors import DataError, UsageError

CATEGORIES, LIST = "categories_places365.txt", "places365_val.txt"
IMAGES = ("val_256", "val_large")
LAYOUT = (
    f"val_256/*.jpg (or val_large/*.jpg), {LIST} and {CATEGORIES} must lie in it "
    "(places2.csail.mit.edu/download.html, or lst-robust data get)"
)


class Places365Source(FileSource):
    """The validation images in the order of the list; ids are the file names."""

    def __init__(
        self, root: Path | None, split: Literal["train", "test"], image_size: int = 224, resize: int = 256
    ) -> None:
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
