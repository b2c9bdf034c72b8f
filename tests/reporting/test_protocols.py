"""What makes rows comparable, and what the caption says of it."""

from __future__ import annotations

import pytest

from lst_robust.records.record import Protocol
from lst_robust.reporting.protocols import PROTOCOL
from lst_robust.reporting.tables import best, groups, robustness_table

OTHERS = {
    "suite": "cifar10-c", "suite_version": 2, "suite_digest": "0123abcd", "image_size": 64, "protocol": "official",
    "preset": "imagenet", "style": "imagecorruptions", "engine": "imagecorruptions", "n": 200, "images": "b15bce42",
    "seed": 1, "normaliser": "alexnet-imagenet-c", "preprocess": "model", "geometry": "32 x 32 as it is",
    "pixels": "c0ffee12", "subset": "robustbench-5k",
}  # fmt: skip


@pytest.mark.parametrize("field", OTHERS)
def test_rows_of_different_protocols_are_never_compared(result, field):
    other = result("better", 20, **{field: OTHERS[field]})
    split = groups(robustness_table([result("a", 40), other, result("b", 50)]))
    assert [group.frame.index.tolist() for group in split] == [["a", "b"], ["better"]]
    assert split[0].caption != split[1].caption and str(OTHERS[field]) in split[1].caption
    assert best(split[0]).loc["a"].all() and not best(split[1]).any(axis=None)


def test_networks_with_their_own_preprocessing_stand_together_whatever_it_is(result):
    own = {"preprocess": "model", "pixels": "c0ffee12"}
    results = [result("a", 40, geometry="one", **own), result("b", 50, geometry="another", **own), result("c", 60)]
    split = groups(robustness_table(results))
    assert [group.frame.index.tolist() for group in split] == [["a", "b"], ["c"]]
    assert "each network's own" in split[0].caption


def test_records_of_earlier_releases_say_that_their_pixels_are_not_hashed(result):
    (group,) = groups(robustness_table([result("a", 40, images="b15bce42")]))
    assert "images b15bce42, pixels not hashed" in group.caption


def test_every_field_of_the_protocol_is_covered():
    assert set(PROTOCOL) == set(OTHERS) | {"severities", "measure", "source"}
    assert set(OTHERS) == set(Protocol.model_fields) - {"data"} | {"normaliser"}
