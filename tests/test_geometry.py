"""The words for a resize and a crop, and what a geometry cannot be. The pixels are tested in data/test_decode.py."""

from __future__ import annotations

import pytest
from PIL import Image
from pydantic import ValidationError

from lst_robust.geometry import Geometry, Interpolation, as_they_are, centre_crop


@pytest.mark.parametrize(
    ("geometry", "words"),
    [
        (as_they_are(32), "32 x 32 as it is"),
        (Geometry(size=64, resize=64, interpolation="bicubic"), "scaled to 64 x 64 (bicubic)"),
        (centre_crop(224, 256), "shorter side to 256 (bilinear), centre 224 x 224"),
        (centre_crop(32), "shorter side to 32 (bilinear), centre 32 x 32"),
        (
            Geometry(size=224, resize=248, interpolation="bicubic", crop="squash"),
            "both sides to 248 (bicubic), centre 224 x 224",
        ),
    ],
)
def test_it_is_described_in_words(geometry, words):
    assert geometry.described() == words


def test_every_interpolation_is_a_filter_of_pil():
    assert all(name.upper() in Image.Resampling.__members__ for name in Interpolation.__args__)


@pytest.mark.parametrize(
    "wrong", [{"size": -1}, {"size": 32, "resize": 0}, {"size": 32, "crop": "corner"}, {"size": 32, "angle": 3}]
)
def test_what_no_geometry_can_be_is_refused(wrong):
    with pytest.raises(ValidationError):
        Geometry(**wrong)


def test_a_geometry_outlives_a_file():
    geometry = centre_crop(224, 256)
    assert Geometry.model_validate_json(geometry.model_dump_json()) == geometry
