"""ImageNet in the layout in which it is distributed."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from lst_robust.data import open_source
from lst_robust.data.imagenet import wnids
from lst_robust.errors import DataError


def opened(root, split="test", size=32, **options):
    return open_source({"kind": "imagenet", **options}, split, image_size=size, data_dir=root)


def test_imagenets_classes_are_the_thousand_in_order():
    assert len(wnids()) == len(set(wnids())) == 1000 and list(wnids()) == sorted(wnids())
    # Published indices: tench, goldfish, African elephant, teddy, toilet tissue.
    wnid_of = {0: "n01440764", 1: "n01443537", 386: "n02504458", 850: "n04399382", 999: "n15075141"}
    assert {index: wnids()[index] for index in wnid_of} == wnid_of


@pytest.fixture
def imagenet(tmp_path, photographs, saved):
    for wnid, name in (("n01443537", "b"), ("n01443537", "a"), ("n15075141", "a")):
        saved(photographs[0], tmp_path / "val" / wnid / f"ILSVRC2012_val_{name}.JPEG")
    return tmp_path


def test_imagenet_keeps_its_labels_when_only_some_classes_are_there(imagenet):
    source = opened(imagenet, size=32, resize=40)
    assert source.labels.tolist() == [1, 1, 999] and len(source.classes) == 1000
    assert source.ids[0] == "n01443537/ILSVRC2012_val_a.JPEG"
    whole = np.asarray(Image.open(imagenet / "val" / source.ids[0]).resize((40, 40), Image.Resampling.BILINEAR))
    assert np.array_equal(source.read([0])[0], whole[4:36, 4:36])


def test_imagenet_in_the_wrong_layout_is_refused(imagenet, tmp_path):
    with pytest.raises(DataError, match=r"no folder .*train: images must lie as val/<wnid>"):
        opened(imagenet, "train")
    (imagenet / "val" / "cats").mkdir()
    with pytest.raises(DataError, match=r"cats is not one of ImageNet's 1,000"):
        opened(imagenet)
    flat = tmp_path / "flat" / "val"
    flat.mkdir(parents=True)
    shutil.copy(imagenet / "val" / "n15075141" / "ILSVRC2012_val_a.JPEG", flat)
    with pytest.raises(DataError, match=r"holds images, but not in class folders"):
        opened(flat.parent)
