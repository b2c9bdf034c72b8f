"""The bundled digits: a split that never moves."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from lst_robust.data import open_source
from lst_robust.data.digits import DigitsSource

IDS_SHA256 = {
    "train": (1297, "d8c3cab5b34310b27e460c71c282bf83c795d15209137e79370b9e4350e945b9"),
    "test": (500, "b35e38994ecbb7ccaf1e786fec2962d1f07f86a62da904be1f4d5e676f6bd6d9"),
}


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_split_is_fixed(split):
    ids = DigitsSource(split).ids
    assert (len(ids), hashlib.sha256("\n".join(ids).encode()).hexdigest()) == IDS_SHA256[split]


def test_the_splits_share_no_image_and_the_test_split_is_balanced():
    train, test = DigitsSource("train"), DigitsSource("test")
    assert sorted(train.ids + test.ids, key=int) == [str(i) for i in range(1797)]
    assert np.bincount(test.labels).tolist() == [50] * 10


def test_ids_are_rows_of_the_set_and_levels_are_spread_to_255():
    from sklearn.datasets import load_digits

    digits = load_digits()
    source = DigitsSource("test", image_size=8)  # no enlargement: the stored levels themselves
    rows = [int(i) for i in source.ids]
    images = source.read(range(len(source)))
    assert np.array_equal(source.labels, digits.target[rows])
    assert np.array_equal(images[..., 0], np.rint(digits.images[rows] * 255 / 16))
    assert np.array_equal(images[..., 0], images[..., 2])


def test_images_are_enlarged_rgb():
    images = open_source({"kind": "digits"}, "test", image_size=32).read([3, 0])
    assert images.shape == (2, 32, 32, 3) and images.dtype == np.uint8
    assert images.max() > 200 and images.min() == 0
