"""Arguments of corrupt and corruption_names: each mistake is one line with the argument's name."""

from __future__ import annotations

import numpy as np
import pytest

import lst_robust
from tests.fixtures.refusals import NAN, Other, cases, refusal

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)

CORRUPT = {
    "images": [None, IMAGES.tolist(), IMAGES.astype(float), IMAGES.astype(np.int64), IMAGES > 9, IMAGES[..., :2]],
    "corruption": [None, 3, b"fog", "fogg", ["fog"], np.array(["fog", "snow"])],
    "severity": [3.0, np.float64(3), True, np.True_, "3", None, NAN, 0, 6, [3], np.array([3]), np.array(3.0), Other()],
    "preset": [None, 3, "imagnet", ["cifar"]],
    "style": [None, 3, "torch"],
    "seed": [1.5, True, "1", None, NAN, np.timedelta64(3), 10**5000],
    "ids": [
        3,
        "ab",
        b"ab",
        {1, 2},
        {1: 1, 2: 2},
        [1],
        [1.5, 2],
        [None, 1],
        [True, 2],
        np.array(3),
        np.array([[1], [2]]),
    ],
    "workers": [0, 1.0, True, None, "2"],
}


@pytest.mark.parametrize(("argument", "value"), cases(CORRUPT))
def test_corrupt_refuses(argument, value):
    call = {"images": IMAGES, "corruption": "fog", "severity": 3, "preset": "cifar", argument: value}
    assert argument in refusal(lst_robust.corrupt, **call)


def test_corrupt_takes_numbers_of_numpy():
    plain = lst_robust.corrupt(IMAGES, "fog", 3, preset="cifar", seed=2**70, ids=[5, "x"])
    ids = (np.int64(5), np.str_("x"))
    for severity in (np.int8(3), np.array(3), np.uint64(3)):
        same = lst_robust.corrupt(IMAGES, np.str_("fog"), severity, preset="cifar", seed=2**70, ids=iter(ids))
        np.testing.assert_array_equal(same, plain)


@pytest.mark.parametrize("value", [3, "", "nois", b"noise", ["noise"], np.array(["noise"])])
def test_corruption_names_refuses(value):
    assert "corruption group" in refusal(lst_robust.corruption_names, value)
