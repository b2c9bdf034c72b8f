"""Arguments of create_model: each mistake is one line with the argument's name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lst_robust
from tests.fixtures.refusals import NAN, WRONG_PATHS, cases, refusal

CREATE = {
    "name": [None, 3, b"lst18", "", ["lst18"], Path("lst18"), "lst81"],
    "num_classes": [True, 10.0, np.float64(10), NAN, "10", 0, -1, 2**70, [10]],
    "checkpoint": WRONG_PATHS,
    "image_size": [True, 32.0, NAN, [32], 4, 2**70, "x", "9" * 5000],
    "a": [True, 1.0, 1.5, None, [1], "9" * 5000, b"1"],
    "tau": [True, NAN, "nan", "inf", None, "much"],
    "bottleneck": [3, None, True, ["I"], b"I"],
}


@pytest.mark.parametrize(("argument", "value"), cases(CREATE))
def test_create_model_refuses(argument, value):
    line = refusal(lst_robust.create_model, **{"name": "lst18", "num_classes": 10, "image_size": 32, argument: value})
    assert ("model" if argument == "name" else argument) in line


def test_create_model_takes_numbers_of_numpy():
    one = lst_robust.create_model("lst18", 10, image_size=32, a=2, tau=0.5)
    other = lst_robust.create_model(
        np.str_("lst18"), np.int64(10), image_size=np.int64(32), a=np.array(2), tau=np.float32(0.5)
    )
    assert one.config == other.config and type(other.config.input_size) is int
