"""Images inside of a page."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from lst_robust.reporting.page.thumbnails import data_address, has_few_pixels
from tests.fixtures.reports import make_png


def jpeg(size: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (size, size)).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize(("image", "kind"), [(make_png(0), "png"), (jpeg(9), "jpeg")])
def test_the_address_holds_the_bytes(image: bytes, kind: str) -> None:
    head, _, body = data_address(image).partition(",")
    assert head == f"data:image/{kind};base64" and base64.b64decode(body) == image


@pytest.mark.parametrize(("size", "few"), [(32, True), (64, True), (65, False)])
def test_which_images_are_enlarged(size: int, few: bool) -> None:
    assert has_few_pixels(jpeg(size)) is few


@pytest.mark.parametrize("image", [b"", b"<svg onload='alert(1)'/>", b"GIF89a" + bytes(20), make_png(0)[:9]])
def test_only_png_and_jpeg(image: bytes) -> None:
    with pytest.raises(ValueError, match="no PNG or JPEG"):
        data_address(image)
