"""The clean images of a set: found, cut or kept as they are, and named where they are bad."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from lst_robust.corruptions import corrupt
from lst_robust.errors import DataError, UsageError
from lst_robust.generation.inputs import parse_size
from tests.fixtures.files import contents


@pytest.mark.parametrize("size", [32, None])
def test_a_bad_image_is_named_or_left_out(make, pets, tmp_path, size):
    (pets / "dog" / "1.png").write_bytes((pets / "dog" / "1.png").read_bytes()[:900])
    with pytest.raises(DataError, match=r"1 of 6 images of .* cannot be read: dog/1\.png \(.*--skip-unreadable"):
        make(tmp_path / "out", size=size)
    for name, content in contents(tmp_path / "out").items():
        if name.endswith(".JPEG"):
            Image.open(io.BytesIO(content)).load()
    made = make(tmp_path / "other", size=size, skip_unreadable=True)
    assert made.images == 5 and made.skipped == ("dog/1.png",)
    assert json.loads((tmp_path / "other" / "MANIFEST.json").read_text())["skipped"] == ["dog/1.png"]


def test_kept_sizes_may_differ_in_a_tree_only(make, pets, tmp_path, photographs):
    Image.fromarray(photographs[0]).save(pets / "cat" / "1.png")  # 64 x 64 among 64 x 48
    make(tmp_path / "out", size=None, image_format="png")
    expected = corrupt(photographs[0], "contrast", 4, preset="cifar")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out/contrast/4/cat/1.png")), expected)
    assert Image.open(tmp_path / "out/contrast/4/cat/2.png").size == (64, 48)
    with pytest.raises(DataError, match=r"cat/0\.png has 64 x 48 pixels and cat/1\.png 64 x 64: .*--size 224"):
        make(tmp_path / "arrays", size=None, format="npy")


def test_split_folders_are_found(make, pets, tmp_path):
    make(tmp_path / "flat")
    for split in ("test", "val"):
        (tmp_path / split).mkdir()
        (tmp_path / split / split).symlink_to(pets)
        make(tmp_path / f"from-{split}", root=tmp_path / split)
        assert contents(tmp_path / f"from-{split}") == contents(tmp_path / "flat")


@pytest.mark.parametrize(("text", "size"), [("keep", None), ("16", 16), ("224", 224), ("4096", 4096)])
def test_a_size_is_a_number_of_pixels_or_the_images_own(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "large", "15", "4097", "-32", "32.0", " 32", "²", 32])
def test_other_sizes_are_refused(text):
    with pytest.raises(UsageError, match="'keep'"):
        parse_size(text)
