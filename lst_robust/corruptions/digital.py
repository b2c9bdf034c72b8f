"""Digital: contrast, elastic_transform, pixelate, jpeg_compression; and the two in HSV, brightness and saturate.

The constants are those of presets.py: Shift, Elastic, Pixelate, Jpeg, Saturate.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.color import hsv2rgb, rgb2hsv

from lst_robust.corruptions.base import Corruption, Draws, compiled, no_draws, to_uint8, to_unit
from lst_robust.corruptions.presets import Elastic, Jpeg, Pixelate, Saturate, Shift
from lst_robust.corruptions.streams import Streams


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
    offsets = elastic_offsets(streams, c)
    return fields if offsets is None else {"affine": offsets, **fields}


def elastic_offsets(streams: Streams, c: Elastic) -> np.ndarray | None:
    """By how much the three corners move, in pixels: float64 (N, 3, 2), or None where the style has no affine."""
    return streams.uniform(2, (3, 2), -c.affine * c.side, c.affine * c.side) if c.side else None


def elastic_reach(height: int, c: Elastic) -> float:
    """The fields are uniform in (-reach, reach) before smoothing."""
    return 1.0 if c.side else height * 0.005


def elastic_scale(height: int, width: int, c: Elastic) -> tuple[float, tuple[float, float]]:
    """alpha and the two sigmas of the fields, in pixels."""
    if c.side:
        return c.alpha * c.side, (c.sigma * c.side, c.sigma * c.side)
    return c.alpha, (height * c.sigma, width * c.sigma)


def elastic_matrix(height: int, width: int, offsets: np.ndarray) -> np.ndarray:
    """Where a pixel (x, y, 1) of the warped image comes from, when three corners of a square around the centre move by
    `offsets` (N, 3, 2) pixels: float32 (N, 2, 3).

    The corners are (row, column) pairs taken for (x, y), and moved in float32, as in the authors' scripts.
    """
    row, column, reach = height // 2, width // 2, min(height, width) // 3
    corners = [(row + reach, column + reach), (row + reach, column - reach), (row - reach, column - reach)]
    moved = (np.array(corners, np.float32) + offsets.astype(np.float32)).astype(np.float64)
    # forward: the square's sides give the columns of the linear part, the middle corner the shift
    a, c = ((moved[:, 1] - moved[:, 2]) / (2 * reach)).T
    b, d = ((moved[:, 0] - moved[:, 1]) / (2 * reach)).T
    shift_x = moved[:, 1, 0] - a * corners[1][0] - b * corners[1][1]
    shift_y = moved[:, 1, 1] - c * corners[1][0] - d * corners[1][1]
    determinant = a * d - b * c
    inverse = np.array([[d, -b, b * shift_y - d * shift_x], [-c, a, c * shift_x - a * shift_y]]) / determinant
    return np.ascontiguousarray(np.moveaxis(inverse, 2, 0), dtype=np.float32)


def fused(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """a * b + c of float32 arrays with one rounding, the processors' fused multiply-add."""
    return (a.astype(np.float64) * b + c).astype(np.float32)


def elastic_affine(images: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Bilinear warp, mirrored without repeating the edge: float32 (N, H, W, 3), matrices (N, 2, 3); same shape out.

    What cv2.warpAffine computes since OpenCV 5; earlier ones, in 1/32 pixels, are up to three levels away. So it is
    written out here, and no result hangs on the version.
    """
    count, height, width = images.shape[:3]
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    m = matrices[..., None, None]
    from_x = fused(x, m[:, 0, 0], y * m[:, 0, 1] + m[:, 0, 2])
    from_y = fused(x, m[:, 1, 0], y * m[:, 1, 1] + m[:, 1, 2])
    left, top = np.floor(from_x), np.floor(from_y)
    along_x, along_y = (from_x - left)[..., None], (from_y - top)[..., None]

    def mirrored(place: np.ndarray, length: int) -> np.ndarray:
        place = place.astype(np.int64) % (2 * length - 2)
        return np.minimum(place, 2 * length - 2 - place)

    columns = mirrored(left, width), mirrored(left + 1, width)
    rows = mirrored(top, height), mirrored(top + 1, height)
    n = np.arange(count)[:, None, None]
    (a, b), (c, d) = ([images[n, row, column] for column in columns] for row in rows)
    upper, lower = fused(along_x, b - a, a), fused(along_x, d - c, c)
    return fused(along_y, lower - upper, upper)


def _elastic_transform(images: np.ndarray, draws: Draws, c: Elastic) -> np.ndarray:
    """Affine warp, then each pixel is read at (y + dy, x + dx): smoothed fields, bilinear, mirrored edges."""
    height, width = images.shape[1:3]
    alpha, sigma = elastic_scale(height, width, c)
    warped = images.astype(np.float32) / np.float32(255)
    if c.side:
        warped = elastic_affine(warped, elastic_matrix(height, width, draws["affine"]))
    y, x, channel = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    result = np.empty_like(images)
    for i, image in enumerate(warped):
        dx, dy = (
            (gaussian_filter(draws[axis][i], sigma, mode="reflect", truncate=3) * alpha).astype(np.float32)
            for axis in ("dx", "dy")
        )
        places = (y + dy[..., None], x + dx[..., None], channel)
        result[i] = to_uint8(map_coordinates(image, places, order=1, mode="reflect"))
    return result


CORRUPTIONS = (
    Corruption("brightness", no_draws, _brightness, compiled("color", "brightness")),
    Corruption("contrast", no_draws, _contrast, compiled("color", "contrast")),
    Corruption("saturate", no_draws, _saturate, compiled("color", "saturate")),
    Corruption("pixelate", no_draws, _pixelate, compiled("digital", "pixelate")),
    Corruption("jpeg_compression", no_draws, jpeg_compression, compiled("digital", "jpeg_compression")),
    Corruption("elastic_transform", _draw_elastic, _elastic_transform, compiled("elastic", "elastic_transform")),
)
