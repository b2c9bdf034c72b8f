"""corruptions/elastic.py on a device. It gives the bytes of the plain definition but where smoothing has many taps.

Up to PLAIN_PAIRS pairs of taps, the fields are smoothed in the definition's order, and so with its bits. Wider filters
(sigma above 8 pixels) are products of matrices, in `smoothing.py`: the same on every device and in every batch, and
nearly the definition's fields. About 2 in 100 000 of their displacements differ, by the last bit of float32. That could
change a level by 1, and changed none of 67 million that were compared (severities 1 and 2 of imagenet, 2 of
tiny-imagenet).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from lst_robust.corruptions.elastic import Elastic, elastic_reach, elastic_scale
from lst_robust.torch_engine.arithmetic import divide, to_uint8
from lst_robust.torch_engine.filters import pixels_at, short
from lst_robust.torch_engine.smoothing import smooth
from lst_robust.torch_engine.streams import TensorStreams


def elastic_transform(images: Tensor, streams: TensorStreams, c: Elastic) -> Tensor:
    """Affine warp, then each pixel is read at (y + dy, x + dx): smoothed fields, bilinear, mirrored edges."""
    height, width = images.shape[1:3]
    alpha, sigma = elastic_scale(height, width, c)
    warped = divide(images.float(), 255.0)
    if c.side:
        offsets = streams.uniform(2, (3, 2), -c.affine * c.side, c.affine * c.side)
        warped = affine(warped, affine_matrix(height, width, offsets))
    if alpha == 0:
        return to_uint8(warped)
    reach = elastic_reach(height, c)

    def displacement(stream: int) -> Tensor:
        field = smooth(streams.uniform(stream, (height, width), -reach, reach), sigma, reach)
        return field.mul_(alpha).float().double()

    y = torch.arange(height, dtype=torch.float64, device=images.device)[:, None]
    x = torch.arange(width, dtype=torch.float64, device=images.device)
    far = 2 * alpha * reach  # twice what a displacement can be, were it not for rounding
    rows = mirrored_place(displacement(1).add_(y), height, far)
    columns = mirrored_place(displacement(0).add_(x), width, far)
    return to_uint8(bilinear(warped, rows, columns))


def affine_matrix(height: int, width: int, offsets: Tensor) -> Tensor:
    """elastic_matrix of float64 offsets (N, 3, 2): float32 (N, 2, 3)."""
    row, column, reach = height // 2, width // 2, min(height, width) // 3
    square = ((row + reach, column + reach), (row + reach, column - reach), (row - reach, column - reach))
    moved = (corners(square, offsets.device) + offsets.float()).double()
    a, c = divide(moved[:, 1] - moved[:, 2], 2.0 * reach).unbind(1)
    b, d = divide(moved[:, 0] - moved[:, 1], 2.0 * reach).unbind(1)
    shift_x = moved[:, 1, 0] - a * square[1][0] - b * square[1][1]
    shift_y = moved[:, 1, 1] - c * square[1][0] - d * square[1][1]
    determinant = a * d - b * c
    entries = (d, -b, b * shift_y - d * shift_x, -c, a, c * shift_x - a * shift_y)
    return (torch.stack(entries, 1) / determinant[:, None]).float().reshape(-1, 2, 3)


@lru_cache(maxsize=64)
def corners(square: tuple[tuple[int, int], ...], device: torch.device) -> Tensor:
    """float32 (3, 2)."""
    return torch.from_numpy(np.array(square, np.float32)).to(device)


def fused(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """a * b + c of float32 tensors with one rounding. A product of two float32 is exact in float64."""
    return (a.double() * b + c).float()


def affine(x: Tensor, matrices: Tensor) -> Tensor:
    """Bilinear warp, mirrored without repeating the edge: float32 (N, H, W, C), matrices (N, 2, 3); same shape out."""
    height, width = x.shape[1:3]
    along = torch.arange(width, dtype=torch.float32, device=x.device)
    down = torch.arange(height, dtype=torch.float32, device=x.device)[:, None]
    m = matrices[..., None, None]
    from_x = fused(along, m[:, 0, 0], down * m[:, 0, 1] + m[:, 0, 2])
    from_y = fused(along, m[:, 1, 0], down * m[:, 1, 1] + m[:, 1, 2])
    left, top = from_x.floor(), from_y.floor()
    along_x, along_y = (from_x.sub_(left)[..., None], from_y.sub_(top)[..., None])
    upper_row, lower_row = neighbours(short(top, x), height, repeat=False)
    columns = neighbours(short(left, x), width, repeat=False)

    def blended(row: Tensor) -> Tensor:
        before, after = (pixels_at(x, place) for place in flat_places(row, columns, x))
        return fused(along_x, after.sub_(before), before)

    upper = blended(upper_row)
    return fused(along_y, blended(lower_row).sub_(upper), upper)


def neighbours(place: Tensor, length: int, *, repeat: bool) -> tuple[Tensor, Tensor]:
    """A pixel's index and the next one, mirrored into the image. repeat: the border pixel is its own neighbour."""
    last = 2 * (length - 1) + repeat
    wrapped = (index.remainder_(last + repeat) for index in (place.clone(), place + 1))
    before, after = (torch.minimum(index, last - index) for index in wrapped)
    return before, after


def flat_places(row: Tensor, columns: tuple[Tensor, Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Where `pixels_at` finds the two pixels of one row, each of indices (N, H, W)."""
    count, height, width = x.shape[:3]
    image = torch.arange(count, dtype=row.dtype, device=x.device)[:, None, None] * height
    start = (row + image).mul_(width)
    return start + columns[0], start + columns[1]


def mirrored_place(place: Tensor, length: int, far: float) -> Tensor:
    """Coordinates outside [0, length - 1] mirrored at the outer edges of the border pixels, as scipy maps them.

    place: float64. far: no place is further outside than this.
    """
    period = 2.0 * length
    if far >= length:
        turns = divide(place, period).trunc_().mul_(period)
        place = torch.where((place < -period) | (place > length - 1), place - turns, place)
    below = place.neg().masked_fill_(place > -1e-15, 1e-15).sub_(1)
    if far >= length:
        below = torch.where(place < -length, place + period, below)
    above = torch.where(place >= length, period - place - 1, place)
    return torch.where(place < 0, below, above)


def bilinear(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Values of float32 x (N, H, W, C) at float64 places (N, H, W) within half a pixel of the image: float32.

    scipy's map_coordinates of order 1, in its order of operations.
    """
    top, left = rows.floor(), columns.floor()
    weights_y, weights_x = axis_weights(rows.sub_(top)), axis_weights(columns.sub_(left))
    indices_y = neighbours(short(top, x), x.shape[1], repeat=True)
    indices_x = neighbours(short(left, x), x.shape[2], repeat=True)
    total: Tensor | None = None
    for row, weight_y in zip(indices_y, weights_y, strict=True):
        for place, weight_x in zip(flat_places(row, indices_x, x), weights_x, strict=True):
            term = pixels_at(x, place).double().mul_(weight_y).mul_(weight_x)
            total = term if total is None else total.add_(term)
    assert total is not None
    return total.float()


def axis_weights(along: Tensor) -> tuple[Tensor, Tensor]:
    """The weights of a pixel and of the next one, from the way between them (N, H, W): float64 (N, H, W, 1)."""
    weight = (1.0 - along)[..., None]
    return weight, 1.0 - weight
