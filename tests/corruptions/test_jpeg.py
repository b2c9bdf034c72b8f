"""The JPEG of the official files, in memory: what Pillow reads back from such a file, with kernels and without."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from lst_robust.corruptions.jpeg import as_official_files


@pytest.mark.parametrize("kernels", ["fast", "plain"])
@pytest.mark.parametrize("size", [(64, 64), (33, 47)])
def test_it_is_what_make_imagenet_c_saved(any_images, monkeypatch, kernels, size):
    monkeypatch.setenv("LST_ROBUST_CORRUPTION_KERNELS", kernels)
    images = any_images(3, *size)
    before = images.copy()
    for image, result in zip(images, as_official_files(images), strict=True):
        file = BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=85, optimize=True)
        np.testing.assert_array_equal(result, np.asarray(Image.open(file)))
    np.testing.assert_array_equal(images, before)
