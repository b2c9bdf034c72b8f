"""Small trees of real photographs for the data tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def image_tree(tmp_path: Path, photographs: np.ndarray) -> Path:
    """train/{cat,dog}/0..2.png and test/{cat,dog}/0..1.png, 64 x 48 pixels."""
    for split, count in (("train", 3), ("test", 2)):
        for c, name in enumerate(("cat", "dog")):
            folder = tmp_path / "pets" / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                Image.fromarray(photographs[c + i, :48]).save(folder / f"{i}.png")
    return tmp_path / "pets"


@pytest.fixture
def saved() -> Callable[[np.ndarray, Path], None]:
    """saved(photograph, path): writes it as a file, and the folders above."""

    def save(photograph: np.ndarray, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photograph).save(path, quality=95)

    return save
