"""Which protocols are the same, and what is said where they are not."""

from __future__ import annotations

import pytest

from lst_robust.analysis.protocols import images_in_words, protocol_differences, protocol_key
from lst_robust.geometry import centre_crop
from lst_robust.records.record import Protocol
from tests.analysis.simulated import protocol

PLAIN = protocol(500)
CHANGES = {
    "suite": "mine", "suite_version": 9, "suite_digest": "other", "protocol": "official", "images": "e" * 16, "n": 20,
    "image_size": 64, "preset": "cifar", "style": "imagecorruptions", "engine": "lst-robust 2", "seed": 1,
    "preprocess": "suite", "geometry": centre_crop(32), "pixels": "abc",
    "subset": "robustbench-5k",
}  # fmt: skip


@pytest.mark.parametrize("field", CHANGES)
def test_every_field_makes_another_protocol(field):
    other = PLAIN.model_copy(update={field: CHANGES[field]})
    assert protocol_key(other) != protocol_key(PLAIN)
    (difference,) = protocol_differences(PLAIN, other)
    assert difference.startswith(f"{field} (")


def test_no_field_is_forgotten():
    assert set(CHANGES) == set(Protocol.model_fields) - {"data"}


def test_the_name_of_the_data_is_for_people():
    other = PLAIN.model_copy(update={"data": "elsewhere"})
    assert protocol_key(other) == protocol_key(PLAIN) and protocol_differences(PLAIN, other) == []


def test_what_is_absent_is_said_in_words():
    other = PLAIN.model_copy(update={field: CHANGES[field] for field in ("n", "geometry", "pixels", "subset")})
    assert protocol_differences(PLAIN, other) == [
        "n (500, 20)",
        "geometry (not noted, shorter side to 32 (bilinear), centre 32 x 32)",
        "pixels (not hashed, abc)",
        "subset (all images, robustbench-5k)",
    ]


def test_the_images_in_words_name_the_subset():
    assert images_in_words(PLAIN) == "500"
    assert images_in_words(PLAIN.model_copy(update={"subset": "robustbench-5k"})) == "500 of robustbench-5k"
