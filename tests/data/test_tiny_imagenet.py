"""Tiny-ImageNet in the layout in which it is distributed, and with its validation set sorted."""

from __future__ import annotations

import numpy as np
import pytest

from lst_robust.data import open_source
from lst_robust.errors import DataError


def opened(root, split="test", size=64, **options):
    return open_source({"kind": "tiny_imagenet", **options}, split, image_size=size, data_dir=root)


@pytest.fixture
def tiny(tmp_path, photographs, saved):
    top = tmp_path / "tiny-imagenet-200"
    for c, wnid in enumerate(("n02", "n01")):
        saved(photographs[c], top / "train" / wnid / "images" / f"{wnid}_0.JPEG")
        saved(photographs[c], top / "val" / "images" / f"val_{c}.JPEG")
    (top / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn02\t0\t0\t9\t9\nval_1.JPEG\tn01\t0\t0\t9\t9\n")
    return tmp_path


def test_tiny_imagenet_as_distributed_and_sorted_is_the_same(tiny):
    source = opened(tiny)
    assert source.ids == ("n01/val_1.JPEG", "n02/val_0.JPEG") and source.labels.tolist() == [0, 1]
    train = opened(tiny, "train")
    assert train.ids == ("n01/n01_0.JPEG", "n02/n02_0.JPEG") and train.classes == source.classes
    images = source.read([0, 1])
    val = tiny / "tiny-imagenet-200" / "val"
    for file, wnid in (("val_0.JPEG", "n02"), ("val_1.JPEG", "n01")):
        (val / wnid).mkdir()
        (val / "images" / file).rename(val / wnid / file)
    (val / "images").rmdir()
    (val / "val_annotations.txt").unlink()
    moved = opened(val.parent)
    assert moved.fingerprint() == source.fingerprint() and np.array_equal(moved.read([0, 1]), images)


def test_tiny_imagenet_with_images_missing_is_refused(tiny):
    (tiny / "tiny-imagenet-200" / "val" / "images" / "val_1.JPEG").unlink()
    with pytest.raises(DataError, match=r"holds 1 images, not the 2 of val_annotations\.txt"):
        opened(tiny)
