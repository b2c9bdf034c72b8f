"""Digital: contrast, elastic_transform, pixelate, jpeg_compression; and the two in HSV, brightness and saturate.

The constants are those of presets.py: Shift, Elastic, Pixelate, Jpeg, Saturate.
"""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.color import hsv2rgb, rgb2hsv

from lst_robust.corruptions.base import Corruption, Draws, compiled, no_draws, to_uint8, to_unit
from lst_robust.corruptions.presets import Elastic, Jpeg, Pixelate, Saturate, Shift
from lst_robust.corruptions.random import Streams


def _brightness(images: np.ndarray, draws: Draws, c: Shift) -> np.ndarray:
    x = rgb2hsv(to_unit(images))
    x[..., 2] = np.clip(x[..., 2] + c.amount, 0, 1)
    return to_uint8(hsv2rgb(x))


def _saturate(images: np.ndarray, draws: Draws, c: Saturate) -> np.ndarray:
    x = rgb2hsv(to_unit(images))
    x[..., 1] = np.clip(x[..., 1] * c.gain + c.shift, 0, 1)
    return to_uint8(hsv2rgb(x))


def _contrast(images: np.ndarray, draws: Draws, c: Shift) -> np.ndarray:
    """Around the mean of each image and channel."""
    x = to_unit(images)
    means = x.mean(axis=(1, 2), keepdims=True)
    return to_uint8((x - means) * c.amount + means)


def _pixelate(images: np.ndarray, draws: Draws, c: Pixelate) -> np.ndarray:
    """Box averages, then enlarged. Width before height, whatever the shape: left to itself, Pillow 13 turns the order
    round for images more than twice as high as wide, and its rounding with it."""
    height, width = images.shape[1:3]
    small_height, small_width = int(height * c.factor), int(width * c.factor)
    upsample = Image.Resampling.BOX if c.upsample == "box" else Image.Resampling.NEAREST
    result = np.empty_like(images)
    for i, image in enumerate(images):
        narrow = Image.fromarray(image).resize((small_width, height), Image.Resampling.BOX)
        result[i] = narrow.resize((small_width, small_height), Image.Resampling.BOX).resize((width, height), upsample)
    return result


def jpeg_compression(images: np.ndarray, draws: Draws, c: Jpeg) -> np.ndarray:
    """Pillow's defaults at the given quality (4:2:0 chroma), encoded and decoded one by one."""
    result = np.empty_like(images)
    for i, image in enumerate(images):
        file = BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=c.quality)
        result[i] = Image.open(file)
    return result


def _draw_elastic(streams: Streams, height: int, width: int, c: Elastic) -> Draws:
    """dx, dy: float64 (N, H, W), the fields before smoothing; affine (where the style has one): float64 (N, 3, 2),
    what is added to the three corners, in pixels."""
    reach = elastic_reach(height, c)
    fields = {
        "dx": streams.uniform(0, (height, width), -reach, reach),
        "dy": streams.uniform(1, (height, width), -reach, reach),
    }
    if not c.side:
        return fields
    return {"affine": streams.uniform(2, (3, 2), -c.affine * c.side, c.affine * c.side), **fields}


def elastic_reach(height: int, c: Elastic) -> float:
    """The fields are uniform in (-reach, reach) before smoothing."""
    return 1.0 if c.side else height * 0.005


def elastic_scale(height: int, width: int, c: Elastic) -> tuple[float, tuple[float, float]]:
    """alpha and the two sigmas of the fields, in pixels."""
    if c.side:
        return c.alpha * c.side, (c.sigma * c.side, c.sigma * c.side)
    return c.alpha, (height * c.sigma, width * c.sigma)


def elastic_affine(image: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The affine warp that moves three points around the centre by `offsets` (3, 2): float32 (H, W, 3), same out.

    The points are (row, column) pairs used as (x, y), as the authors' scripts do. cv2's own fixed-point
    coordinates are part of the definition.
    """
    height, width = image.shape[:2]
    row, column, reach = height // 2, width // 2, min(height, width) // 3
    corners = np.array(
        [(row + reach, column + reach), (row + reach, column - reach), (row - reach, column - reach)], np.float32
    )
    matrix = cv2.getAffineTransform(corners, corners + offsets.astype(np.float32))
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)


def _elastic_transform(images: np.ndarray, draws: Draws, c: Elastic) -> np.ndarray:
    """Affine warp, then each pixel is read at (y + dy, x + dx): smoothed fields, bilinear, mirrored edges."""
    height, width = images.shape[1:3]
    alpha, sigma = elastic_scale(height, width, c)
    y, x, channel = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    result = np.empty_like(images)
    for i, image in enumerate(images.astype(np.float32) / np.float32(255)):
        if c.side:
            image = elastic_affine(image, draws["affine"][i])
        dx, dy = (
            (gaussian_filter(draws[axis][i], sigma, mode="reflect", truncate=3) * alpha).astype(np.float32)
            for axis in ("dx", "dy")
        )
        places = (y + dy[..., None], x + dx[..., None], channel)
        result[i] = to_uint8(map_coordinates(image, places, order=1, mode="reflect"))
    return result


CORRUPTIONS = (
    Corruption("brightness", no_draws, _brightness, compiled("kernels_color", "brightness")),
    Corruption("contrast", no_draws, _contrast, compiled("kernels_color", "contrast")),
    Corruption("saturate", no_draws, _saturate, compiled("kernels_color", "saturate")),
    Corruption("pixelate", no_draws, _pixelate, compiled("kernels_digital", "pixelate")),
    Corruption("jpeg_compression", no_draws, jpeg_compression, compiled("kernels_digital", "jpeg_compression")),
    Corruption(
        "elastic_transform", _draw_elastic, _elastic_transform, compiled("kernels_elastic", "elastic_transform")
    ),
)
