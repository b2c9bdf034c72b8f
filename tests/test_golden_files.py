"""The files under tests/golden are what their README says: the same bytes, and inputs that anybody can make again."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import pytest
import skimage.data
from PIL import Image

SQUARES = {"astronaut": (189, 118, 501, 430), "chelsea": (8, 4, 295, 291)}  # left, top, right, bottom


def test_every_file_has_its_digest_in_the_readme(golden_dir):
    stated = dict(
        re.findall(r"^\| `(\S+)` \| [\d,]+ \| `([0-9a-f]{64})` \|$", (golden_dir / "README.md").read_text(), re.M)
    )
    files = [path for path in golden_dir.rglob("*") if path.is_file() and path.name != "README.md"]
    found = {str(path.relative_to(golden_dir)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert found == stated and found


@pytest.mark.parametrize(("size", "names"), [(64, ["astronaut", "chelsea"]), (224, ["astronaut"])])
def test_the_input_images_are_squares_of_the_photographs_of_scikit_image(golden_dir, size, names):
    stored = np.load(golden_dir / "corruptions" / f"hendrycks_{size}.npz")["images"]
    photographs = {name: Image.fromarray(getattr(skimage.data, name)()) for name in names}
    made = [photographs[name].crop(SQUARES[name]).resize((size, size), Image.Resampling.BILINEAR) for name in names]
    np.testing.assert_array_equal(stored, np.stack(made))
