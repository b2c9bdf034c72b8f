"""Published choices of images: which images they are, and what is said when they are not all there."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from lst_robust.data import ImageSource, open_source
from lst_robust.data.imagenet import robustbench_numbers, wnids
from lst_robust.data.subset import Subset
from lst_robust.errors import DataError, UsageError

FEW = Subset("few", "us", lambda: (7, 293, 12), "ILSVRC2012_val_")


class Named(ImageSource):
    """Images of which only the ids matter."""

    def __init__(self, *ids: str) -> None:
        self.name, self.place, self.classes, self.ids, self.image_size = "named", "the images", ("a",), ids, 8
        self.labels = np.zeros(len(ids), np.int64)

    def load(self, indices, workers):
        return np.zeros((len(indices), 8, 8, 3), np.uint8), []

    def digest_of(self, indices, workers):
        return ""


def test_robustbenchs_images_are_those_of_its_file():
    numbers = robustbench_numbers()
    # Of the source: SHA-256 of the numbers in the order of the file, one a line.
    text = "\n".join(map(str, numbers)).encode()
    assert hashlib.sha256(text).hexdigest() == "fd678f288bce606cff2049db3e81ef14ae9681387c8cf4abed3fc9727a767884"
    assert len(set(numbers)) == 5000 and numbers[:3] == (15253, 20685, 39611) and numbers[-1] == 25432


@pytest.mark.parametrize(
    ("image_id", "number"),
    [
        ("n01440764/ILSVRC2012_val_00000293.JPEG", 293),
        ("n01440764/ILSVRC2012_val_00000293.jpg", 293),
        ("n01440764/ILSVRC2012_val_00000293", 293),
        ("n01440764/n01440764_ILSVRC2012_val_00000293.JPEG", 293),
        ("n01440764/ILSVRC2012_val_00000293_n01440764.JPEG", 293),
        ("n01440764/a.JPEG", None),
        ("n01440764/n01440764_10026.JPEG", None),
        ("n01440764/ILSVRC2012_val_000000293.JPEG", None),
        ("n01440764/00000293.JPEG", None),
    ],
)
def test_an_image_is_known_by_the_number_in_its_name(image_id, number):
    assert FEW.number(image_id) == number


def test_its_images_stand_in_the_sources_order():
    source = Named(
        "c/ILSVRC2012_val_00000293.JPEG",
        "a/ILSVRC2012_val_00000001.JPEG",
        "b/ILSVRC2012_val_00000012.jpg",
        "a/ILSVRC2012_val_00000007.png",
        "a/x.png",
    )
    assert FEW.of(source).ids == (
        "c/ILSVRC2012_val_00000293.JPEG",
        "b/ILSVRC2012_val_00000012.jpg",
        "a/ILSVRC2012_val_00000007.png",
    )


def test_images_that_are_missing_are_counted_and_the_first_is_named():
    with pytest.raises(DataError) as refused:
        FEW.of(Named("a/ILSVRC2012_val_00000012.JPEG"))
    assert str(refused.value) == (
        "2 of the 3 images of the subset few (us) are not in the images, such as ILSVRC2012_val_00000007: "
        "complete the data set, or leave out the subset"
    )


def test_two_images_of_one_number_are_refused():
    names = (
        "a/ILSVRC2012_val_00000007.JPEG",
        "a/ILSVRC2012_val_00000007.jpg",
        "a/ILSVRC2012_val_00000293.JPEG",
        "a/ILSVRC2012_val_00000012.JPEG",
    )
    with pytest.raises(
        DataError,
        match=r"holds a/ILSVRC2012_val_00000007\.JPEG and a/.*_00000007\.jpg, two images of one number",
    ):
        FEW.of(Named(*names))


def test_a_subset_belongs_to_its_data_set(tmp_path, photographs, saved):
    saved(photographs[0], tmp_path / "val" / wnids()[0] / "ILSVRC2012_val_00015253.JPEG")
    with pytest.raises(DataError, match=r"4,999 of the 5,000 images of the subset robustbench-5k \(github\.com/Robust"):
        open_source({"kind": "imagenet"}, "test", image_size=32, data_dir=tmp_path, subset="robustbench-5k")
    with pytest.raises(UsageError, match="choice of images of imagenet, not of digits"):
        open_source({"kind": "digits"}, "test", image_size=32, subset="robustbench-5k")
    with pytest.raises(UsageError, match="unknown subset"):
        open_source({"kind": "digits"}, "test", image_size=32, subset="robust")
