"""elastic_transform: an affine warp, then a smoothed random field of displacements.

Algorithms and constants: ImageNet-C's generation scripts (Hendrycks & Dietterich, ICLR 2019) and, for the style
`imagecorruptions`, that package. images: uint8
(N, H, W, 3) in and out, at any size.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from lst_robust.corruptions.base import Corruption, Draws, batched, compiled, to_uint8
from lst_robust.corruptions.streams import Streams


class Elastic(NamedTuple):
    """hendrycks: `alpha`, `sigma`, `affine` in units of `side` pixels. imagecorruptions (`side` None): no
    affine, sigma .01 of each side, fields uniform within .005 of the height, times `alpha`."""

    alpha: float
    sigma: float
    affine: float
    side: int | None


def draw_elastic_transform(streams: Streams, height: int, width: int, c: Elastic) -> Draws:
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


def apply_elastic_transform(images: np.ndarray, draws: Draws, c: Elastic) -> np.ndarray:
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
    Corruption(
        name="elastic_transform",
        constants={
            # 244, not 224: the script's own figure.
            "imagenet": tuple(
                Elastic(alpha, sigma, affine, 244)
                for alpha, sigma, affine in (
                    (2, 0.7, 0.1),
                    (2, 0.08, 0.2),
                    (0.05, 0.01, 0.02),
                    (0.07, 0.01, 0.02),
                    (0.12, 0.01, 0.02),
                )
            ),
            "tiny-imagenet": tuple(
                Elastic(alpha, sigma, affine, 64)
                for alpha, sigma, affine in (
                    (0, 0, 0.08),
                    (0.05, 0.3, 0.06),
                    (0.1, 0.08, 0.06),
                    (0.1, 0.03, 0.03),
                    (0.16, 0.03, 0.02),
                )
            ),
            "cifar": tuple(
                Elastic(alpha, sigma, affine, 32)
                for alpha, sigma, affine in (
                    (0, 0, 0.08),
                    (0.05, 0.2, 0.07),
                    (0.08, 0.06, 0.06),
                    (0.1, 0.04, 0.05),
                    (0.1, 0.03, 0.03),
                )
            ),
        },
        imagecorruptions=tuple(Elastic(250 * c, 0.01, 0, None) for c in (0.05, 0.065, 0.085, 0.1, 0.12)),
        draw=draw_elastic_transform,
        apply=apply_elastic_transform,
        kernel=compiled("elastic", "elastic_transform"),
        torch=batched("elastic", "elastic_transform"),
    ),
)
