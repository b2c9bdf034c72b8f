"""Images inside of a page."""

from __future__ import annotations

import base64
import io

from PIL import Image

FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg"}
FEW_PIXELS = 64  # an image of at most so many is shown larger than it is, and its pixels stay squares


def data_address(image: bytes) -> str:
    """The address of an image that holds its bytes. Raises ValueError for anything but a PNG or JPEG file."""
    return f"data:{FORMATS[_opened(image).format or '']};base64,{base64.b64encode(image).decode()}"


def has_few_pixels(image: bytes) -> bool:
    return max(_opened(image).size) <= FEW_PIXELS


def _opened(image: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(image), formats=tuple(FORMATS))  # reads the head only
    except OSError as error:
        raise ValueError("an example's image is no PNG or JPEG file") from error
