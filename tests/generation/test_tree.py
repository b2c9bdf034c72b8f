"""ImageNet-C's layout: files as the official ones, by the names of the clean images."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from lst_robust.corruptions import corrupt
from lst_robust.data import open_corrupted
from lst_robust.errors import DataError
from tests.generation.pets import CHEAP, IDS, clean


def test_a_tree_holds_the_engines_pixels_as_the_official_sets_save_them(make, pets, tmp_path):
    made = make(tmp_path / "out", seed=3)
    assert (made.images, made.cells, made.written, made.kept) == (6, 6, 36, 0)
    expected = corrupt(clean(pets), "gaussian_noise", 4, preset="cifar", seed=3, ids=IDS)
    for image, name in zip(expected, IDS, strict=True):
        saved = io.BytesIO()
        Image.fromarray(image).save(saved, "JPEG", quality=85, optimize=True)
        path = tmp_path / "out" / "gaussian_noise" / "4" / name.replace(".png", ".JPEG")
        assert path.read_bytes() == saved.getvalue()


def test_a_tree_can_be_read_back_cell_by_cell(make, pets, tmp_path):
    make(tmp_path / "out", image_format="png")
    corrupted = open_corrupted({"kind": "image_folder"}, image_size=32, data_dir=tmp_path / "out")
    assert corrupted.cells() == [(name, severity) for name in CHEAP for severity in (1, 4)]
    source = corrupted.cell("contrast", 4)
    assert source.ids == IDS and source.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert np.array_equal(source.read(range(6)), corrupt(clean(pets), "contrast", 4, preset="cifar", ids=IDS))


def test_names_that_would_clash_keep_their_extension(make, pets, tmp_path):
    Image.open(pets / "cat" / "1.png").save(pets / "cat" / "1.bmp")
    make(tmp_path / "out", corruptions=["contrast"], severities=[1])
    assert sorted(path.name for path in (tmp_path / "out/contrast/1/cat").iterdir()) == [
        "0.JPEG", "1.bmp.JPEG", "1.png.JPEG", "2.JPEG",
    ]  # fmt: skip
    Image.open(pets / "cat" / "1.png").save(pets / "cat" / "1.png.png")
    with pytest.raises(DataError, match=r"two images of .* would be written as cat/1\.png\.JPEG: rename"):
        make(tmp_path / "other")
