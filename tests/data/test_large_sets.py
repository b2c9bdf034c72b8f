"""ImageNet, Tiny-ImageNet and Places365 in the layouts they are distributed in."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from lst_robust.data import open_source
from lst_robust.data.imagenet import wnids
from lst_robust.errors import DataError, UsageError


def save(photograph, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photograph).save(path, quality=95)


def opened(kind, root, split="test", size=32, **options):
    return open_source({"kind": kind, **options}, split, image_size=size, data_dir=root)


def test_imagenets_classes_are_the_thousand_in_order():
    assert len(wnids()) == len(set(wnids())) == 1000 and list(wnids()) == sorted(wnids())
    # Published indices: tench, goldfish, African elephant, teddy, toilet tissue.
    where = {0: "n01440764", 1: "n01443537", 386: "n02504458", 850: "n04399382", 999: "n15075141"}
    assert {index: wnids()[index] for index in where} == where


@pytest.fixture
def imagenet(tmp_path, photographs):
    for wnid, name in (("n01443537", "b"), ("n01443537", "a"), ("n15075141", "a")):
        save(photographs[0], tmp_path / "val" / wnid / f"ILSVRC2012_val_{name}.JPEG")
    return tmp_path


def test_imagenet_keeps_its_labels_when_only_some_classes_are_there(imagenet):
    source = opened("imagenet", imagenet, size=32, resize=40)
    assert source.labels.tolist() == [1, 1, 999] and len(source.classes) == 1000
    assert source.ids[0] == "n01443537/ILSVRC2012_val_a.JPEG"
    whole = np.asarray(Image.open(imagenet / "val" / source.ids[0]).resize((40, 40), Image.Resampling.BILINEAR))
    assert np.array_equal(source.read([0])[0], whole[4:36, 4:36])


def test_imagenet_in_the_wrong_layout_is_refused(imagenet, tmp_path):
    with pytest.raises(DataError, match=r"no folder .*train: images must lie as val/<wnid>"):
        opened("imagenet", imagenet, "train")
    (imagenet / "val" / "cats").mkdir()
    with pytest.raises(DataError, match=r"cats is not one of ImageNet's 1,000"):
        opened("imagenet", imagenet)
    flat = tmp_path / "flat" / "val"
    flat.mkdir(parents=True)
    shutil.copy(imagenet / "val" / "n15075141" / "ILSVRC2012_val_a.JPEG", flat)
    with pytest.raises(DataError, match=r"holds images, but not in class folders"):
        opened("imagenet", flat.parent)


@pytest.fixture
def tiny(tmp_path, photographs):
    top = tmp_path / "tiny-imagenet-200"
    for c, wnid in enumerate(("n02", "n01")):
        save(photographs[c], top / "train" / wnid / "images" / f"{wnid}_0.JPEG")
        save(photographs[c], top / "val" / "images" / f"val_{c}.JPEG")
    (top / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn02\t0\t0\t9\t9\nval_1.JPEG\tn01\t0\t0\t9\t9\n")
    return tmp_path


def test_tiny_imagenet_as_distributed_and_sorted_is_the_same(tiny):
    source = opened("tiny_imagenet", tiny, size=64)
    assert source.ids == ("n01/val_1.JPEG", "n02/val_0.JPEG") and source.labels.tolist() == [0, 1]
    train = opened("tiny_imagenet", tiny, "train", size=64)
    assert train.ids == ("n01/n01_0.JPEG", "n02/n02_0.JPEG") and train.classes == source.classes
    images = source.read([0, 1])
    val = tiny / "tiny-imagenet-200" / "val"
    for file, wnid in (("val_0.JPEG", "n02"), ("val_1.JPEG", "n01")):
        (val / wnid).mkdir()
        (val / "images" / file).rename(val / wnid / file)
    (val / "images").rmdir()
    (val / "val_annotations.txt").unlink()
    moved = opened("tiny_imagenet", val.parent, size=64)
    assert moved.fingerprint() == source.fingerprint() and np.array_equal(moved.read([0, 1]), images)


def test_tiny_imagenet_with_images_missing_is_refused(tiny):
    (tiny / "tiny-imagenet-200" / "val" / "images" / "val_1.JPEG").unlink()
    with pytest.raises(DataError, match=r"holds 1 images, not the 2 of val_annotations\.txt"):
        opened("tiny_imagenet", tiny, size=64)


@pytest.fixture
def places(tmp_path, photographs):
    for i in range(3):
        save(photographs[i], tmp_path / "val_256" / f"Places365_val_{i}.jpg")
    (tmp_path / "places365_val.txt").write_text(
        "".join(f"Places365_val_{i}.jpg {label}\n" for i, label in enumerate([1, 0, 1]))
    )
    (tmp_path / "categories_places365.txt").write_text("/a/airfield 0\n/a/airport terminal 1\n")
    return tmp_path


def test_places365_follows_its_lists(places):
    source = opened("places365", places, resize=40)
    assert source.labels.tolist() == [1, 0, 1] and source.classes == ("/a/airfield", "/a/airport terminal")
    assert source.ids[1] == "Places365_val_1.jpg" and source.read([0, 2]).shape == (2, 32, 32, 3)


def test_places365_without_its_parts_is_refused(places):
    with pytest.raises(UsageError, match="nothing to train on"):
        opened("places365", places, "train")
    (places / "places365_val.txt").write_text("Places365_val_0.jpg 7\n")
    with pytest.raises(DataError, match=r"labels that categories_places365\.txt does not name"):
        opened("places365", places)
    (places / "places365_val.txt").write_text("Places365_val_0.jpg\n")
    with pytest.raises(DataError, match="not a list of name, space, label"):
        opened("places365", places)
    (places / "places365_val.txt").unlink()
    with pytest.raises(DataError, match=r"places365_val\.txt cannot be read"):
        opened("places365", places)
