"""A small folder of real photographs, and corrupted sets of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lst_robust.generation import Generated, engines, generate, open_images, settings_for
from tests.generation.pets import CHEAP


@pytest.fixture(autouse=True)
def plain_kernels_and_small_chunks(monkeypatch):
    """Nothing is compiled, and six images are three chunks."""
    monkeypatch.setenv("LST_ROBUST_CORRUPTION_KERNELS", "plain")
    monkeypatch.setattr(engines, "CHUNK_IMAGES", 2)


@pytest.fixture
def pets(tmp_path: Path, photographs: np.ndarray) -> Path:
    """{cat,dog}/0..2.png, 64 x 48 pixels."""
    for c, name in enumerate(("cat", "dog")):
        folder = tmp_path / "pets" / name
        folder.mkdir(parents=True)
        for i in range(3):
            Image.fromarray(np.roll(photographs[c + i // 2, :48], 9 * i, axis=1)).save(folder / f"{i}.png")
    return tmp_path / "pets"


@pytest.fixture
def make(pets: Path) -> Callable[..., Generated]:
    """make(folder, size=..., workers=..., any setting) of three cheap corruptions at severities 1 and 4."""

    def call(folder, *, root=pets, size=32, workers=1, skip_unreadable=False, observer=None, engine=None, **chosen):
        chosen = {"corruptions": CHEAP, "severities": (1, 4), "preset": "cifar"} | chosen
        source = open_images(root, size, skip_unreadable=skip_unreadable)
        settings = settings_for(size=size, **chosen)
        return generate(source, folder, settings, workers=workers, observer=observer, engine=engine)

    return call
