"""The names that shards give to ImageNet's images, and what contradicts them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lst_robust.data.imagenet import wnids
from lst_robust.data.imagenet_names import imagenet_naming
from lst_robust.data.shards import Member
from lst_robust.errors import DataError

TENCH, TISSUE = "n01440764", "n15075141"  # the labels 0 and 999
SHARD = Path("val-00.tar")


def named(name: str, label: int | None = None, class_names=None):
    return imagenet_naming(wnids(), class_names)(Member(name, label, SHARD))


@pytest.mark.parametrize(
    ("name", "label", "file"),
    [
        (f"{TENCH}/ILSVRC2012_val_00000293.JPEG", None, "ILSVRC2012_val_00000293.JPEG"),
        ("ILSVRC2012_val_00000293.jpg", 0, "ILSVRC2012_val_00000293.JPEG"),
        (f"{TENCH}_ILSVRC2012_val_00000293.jpg", None, "ILSVRC2012_val_00000293.JPEG"),
        (f"ILSVRC2012_val_00000293_{TENCH}.JPEG", 0, "ILSVRC2012_val_00000293.JPEG"),
        (f"/home/somebody/val/{TENCH}/ILSVRC2012_val_00000293.png", 0, "ILSVRC2012_val_00000293.JPEG"),
        (f"n15075141/val/{TENCH}/ILSVRC2012_val_00000293.png", 0, "ILSVRC2012_val_00000293.JPEG"),
        (f"{TENCH}_10026.JPEG", 0, f"{TENCH}_10026.JPEG"),
        (f"{TENCH}_10026_{TENCH}.JPEG", 0, f"{TENCH}_10026.JPEG"),
        ("00000293.jpg", 0, "00000293.jpg"),
    ],
)
def test_an_image_gets_the_name_that_it_has_in_class_folders(name, label, file):
    assert named(name, label) == (TENCH, file, 0)


def test_names_that_are_not_imagenets_are_said_once(caplog):
    caplog.set_level("INFO", "lst_robust")
    naming = imagenet_naming(wnids(), None)
    for key in ("00000001.jpg", "00000002.jpg"):
        naming(Member(key, 999, SHARD))
    assert caplog.messages == [
        "00000001.jpg in val-00.tar is not called as in ImageNet, so its noise is not that of the same image in class "
        "folders"
    ]


@pytest.mark.parametrize(
    ("name", "label", "words"),
    [
        ("ILSVRC2012_val_00000293.jpg", None, "ILSVRC2012_val_00000293.jpg in val-00.tar has no label: it needs"),
        ("ILSVRC2012_val_00000293.jpg", 1000, r"has the label 1000, outside 0\.\.999: give shards of ILSVRC 2012"),
        ("ILSVRC2012_val_00000293.jpg", -1, r"has the label -1, outside 0\.\.999"),
        (f"{TENCH}/ILSVRC2012_val_00000293.jpg", 5, f"has {TENCH} in its name and the label 5, which are different"),
        (f"{TENCH}/{TISSUE}_1.jpg", None, f"has {TENCH} and {TISSUE} in its name, which are different classes"),
        ("n00000001/a.jpg", None, "is of n00000001, which is not one of ImageNet's 1,000 classes"),
    ],
)
def test_what_has_no_class_or_two_is_refused(name, label, words):
    with pytest.raises(DataError, match=words):
        named(name, label)


def test_what_the_labels_count_may_be_said():
    people = [f"class {number}" for number in range(1000)]
    assert named("ILSVRC2012_val_00000293.jpg", 999, people).class_name == TISSUE
    assert named("ILSVRC2012_val_00000293.jpg", 0, [TISSUE, TENCH]) == (TISSUE, "ILSVRC2012_val_00000293.JPEG", 999)
    with pytest.raises(DataError, match=r"outside 0\.\.1"):
        named("ILSVRC2012_val_00000293.jpg", 2, [TISSUE, TENCH])
    with pytest.raises(DataError, match="have 21,841 classes, not ImageNet's 1,000: give shards of ILSVRC 2012"):
        imagenet_naming(wnids(), [str(number) for number in range(21_841)])
