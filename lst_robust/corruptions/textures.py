"""The frost textures, read from the installed package imagecorruptions without importing it.

That package's release does not import with current setuptools, but its data files are all we need of it here.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import metadata
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from lst_robust.errors import DataError, UsageError

if TYPE_CHECKING:
    from lst_robust.corruptions.weather import Frost

# In the reference's order; a sixth texture exists, but randint(5) never draws it.
FROST_FILES = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg")


@lru_cache(maxsize=1)
def frost_textures() -> tuple[NDArray[np.uint8], ...]:
    """The five textures as they are: read-only uint8 (h, w, 3), RGB, sides 315 to 900 pixels.

    Raises DataError if imagecorruptions or one of the files is missing or unreadable.
    """
    try:
        distribution = metadata.distribution("imagecorruptions")
    except metadata.PackageNotFoundError:
        raise DataError("no frost textures: install imagecorruptions, which carries them") from None
    textures = []
    for name in FROST_FILES:
        path = str(distribution.locate_file(f"imagecorruptions/frost/{name}"))
        texture = cv2.imread(path)
        if texture is None:
            raise DataError(f"frost texture {path} is missing or unreadable: reinstall imagecorruptions")
        textures.append(_frozen(texture[..., ::-1]))
    return tuple(textures)


def frost_textures_for(c: Frost, height: int, width: int) -> tuple[NDArray[np.uint8], ...]:
    """The textures of a preset, each larger than (height, width). UsageError (a ValueError) where one is not."""
    if c.fit:
        return fitted_frost_textures(c.texture_scale, height, width)
    textures = scaled_frost_textures(c.texture_scale)
    most_high, most_wide = largest_frost(c.texture_scale)
    if height > most_high or width > most_wide:
        raise UsageError(
            f"frost at {width}x{height} pixels: this preset's textures cover {most_wide}x{most_high} at most; "
            "resize the images, or choose a preset for larger ones (or the style imagecorruptions)"
        )
    return textures


def largest_frost(scale: float) -> tuple[int, int]:
    """Height and width in pixels of the largest images that the textures cover when they are resized by `scale`."""
    textures = scaled_frost_textures(scale)
    high, wide = (min(texture.shape[axis] for texture in textures) - 1 for axis in (0, 1))
    return high, wide


@lru_cache(maxsize=16)
def scaled_frost_textures(scale: float) -> tuple[NDArray[np.uint8], ...]:
    """The textures resized by `scale` (cv2's bilinear), as the generation scripts for small images do."""
    if scale == 1:
        return frost_textures()
    return tuple(_frozen(cv2.resize(t, (0, 0), fx=scale, fy=scale)) for t in frost_textures())


@lru_cache(maxsize=4)
def fitted_frost_textures(scale: float, height: int, width: int) -> tuple[NDArray[np.uint8], ...]:
    """The textures enlarged (cv2's bicubic) until they cover (height, width), and by `scale`, as imagecorruptions."""
    fitted = []
    for texture in frost_textures():
        h, w = texture.shape[:2]
        fit = max(1.0, height / h, width / w) * scale
        size = (int(np.ceil(w * fit)), int(np.ceil(h * fit)))
        fitted.append(_frozen(cv2.resize(texture, size, interpolation=cv2.INTER_CUBIC)))
    return tuple(fitted)


def _frozen(texture: np.ndarray) -> NDArray[np.uint8]:
    """A contiguous copy that nobody can write to: the cache hands the same array to every thread."""
    texture = np.ascontiguousarray(texture)
    texture.setflags(write=False)
    return texture
