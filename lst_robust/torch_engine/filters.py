"""corruptions/filters.py on a device: the same sums in the same order, so the same bits.

All work on a batch: axis 0 is the image, axes 1 and 2 are height and width. An operation on a device goes once through
the memory, so results are written in place where that saves a way.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lst_robust.corruptions import filters as plain


def gaussian(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur over height, then width, the edge pixel repeated outside. x: float (N, H, W, ...); same dtype out.

    Sums are float64; a float32 input is rounded to float32 after each axis.
    """
    weights = plain.gaussian_weights(sigma)
    return blur_axis(blur_axis(x, weights, axis=1), weights, axis=2)


def blur_axis(x: Tensor, weights: NDArray[np.float64], axis: int) -> Tensor:
    """Sums of the pairs of taps along one axis, from the outside in. weights: of half the filter, centre first."""
    radius, length = len(weights) - 1, x.shape[axis]
    first, last = x.narrow(axis, 0, 1), x.narrow(axis, length - 1, 1)
    edge = [radius if i == axis else -1 for i in range(x.ndim)]
    padded = torch.cat([first.expand(edge), x, last.expand(edge)], axis).double()
    return sum_of_pairs(padded, weights, axis).to(x.dtype)


def sum_of_pairs(padded: Tensor, weights: NDArray[np.float64], axis: int) -> Tensor:
    """A symmetric filter of float64 that is longer by the filter's radius at both ends of `axis`."""
    half = [float(weight) for weight in weights]
    radius = len(half) - 1
    length = padded.shape[axis] - 2 * radius
    total = padded.narrow(axis, radius, length) * half[0]
    pair = torch.empty_like(total)
    for k in range(radius, 0, -1):
        torch.add(padded.narrow(axis, radius - k, length), padded.narrow(axis, radius + k, length), out=pair)
        total.add_(pair.mul_(half[k]))
    return total


def extended(x: Tensor, reach: int, axis: int, *, repeat: bool = False) -> Tensor:
    """x with `reach` pixels more at both ends of `axis`, mirrored. repeat: the border pixel is its own neighbour."""
    if not reach:
        return x
    return x.index_select(axis, mirrored_places(x.shape[axis], reach, x.device, repeat=repeat))


@lru_cache(maxsize=256)
def mirrored_places(length: int, reach: int, device: torch.device, *, repeat: bool) -> Tensor:
    """Where the pixels -reach .. length + reach - 1 of an axis lie in it: int64 (length + 2 * reach,)."""
    period = 2 * length - 2 + 2 * repeat
    places = np.arange(-reach, length + reach) % period
    return torch.from_numpy(np.minimum(places, period - repeat - places)).to(device)


class MotionTaps(NamedTuple):
    """One-sided Gaussian taps along a line for N images: weights float64 (T,), dy and dx int64 (N, T) in pixels."""

    weights: Tensor
    dy: Tensor
    dx: Tensor


def motion_taps(angles: Tensor, radius: int, sigma: float) -> MotionTaps:
    """2 * radius + 1 taps of a motion blur towards `angles`, degrees, float64 (N,), with a falloff of `sigma` pixels.

    Sine and cosine may differ in their last bits from device to device. A tap moves only where its place is within such
    a difference of the middle between two pixels, and no angle that the streams draw brings one that near: drawn angles
    are odd multiples of 45 / 2^32 degrees, and their taps stay 3.9e-12 pixels or more away, as a test counts.
    """
    width = 2 * radius + 1
    step, weights = motion_tables(radius, float(sigma), angles.device)
    radians = angles * (math.pi / 180)
    y, x = radians.sin().mul_(width), radians.cos().mul_(width)
    length = torch.hypot(y, x)[:, None]
    dy, dx = (((step * component[:, None]).div_(length) - 0.5).ceil_().long() for component in (y, x))
    return MotionTaps(weights, dy, dx)


@lru_cache(maxsize=64)
def motion_tables(radius: int, sigma: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """The numbers of the taps and their weights: float64 (T,) each."""
    step = np.arange(2 * radius + 1)
    weights = plain.motion_taps(np.zeros(1), radius, sigma).weights
    return torch.from_numpy(step.astype(np.float64)).to(device), torch.from_numpy(weights).to(device)


def motion_blur(x: Tensor, taps: MotionTaps, *, stop_outside: bool) -> Tensor:
    """Sums of the taps, the edge pixel repeated outside. x: uint8 or float (N, H, W, ...) -> float64, same shape.

    stop_outside: end the sum at the first tap whose offset reaches the image's side, as imagecorruptions does.
    """
    height, width = x.shape[1:3]
    weights = taps.weights.expand(len(x), -1)
    if stop_outside:
        inside = (taps.dy.abs() < height) & (taps.dx.abs() < width)
        weights = weights * inside.int().cumprod(1)  # a tap of weight 0 adds nothing
    row, column = torch.arange(height, device=x.device), torch.arange(width, device=x.device)
    image = torch.arange(len(x), device=x.device)[:, None, None] * height
    # of each image and tap, where each row starts, and each column in it
    rows = short(((row + taps.dy[..., None]).clamp_(0, height - 1) + image) * width, x)
    columns = short((column + taps.dx[..., None]).clamp_(0, width - 1), x)
    weights = weights.reshape(*weights.shape, *[1] * (x.ndim - 1))
    blurred = torch.zeros(x.shape, dtype=torch.float64, device=x.device)
    for t in range(weights.shape[1]):
        tap = pixels_at(x, rows[:, t, :, None] + columns[:, t, None, :]).double()
        blurred.add_(tap.mul_(weights[:, t]))
    return blurred


def short(place: Tensor, x: Tensor) -> Tensor:
    """Indices into the pixels of x, in half the memory where that can hold them."""
    return place.to(torch.int32 if x.numel() < 2**31 else torch.int64)


def pixels_at(x: Tensor, places: Tensor) -> Tensor:
    """The pixels of x (N, H, W, ...) at `places`, each (n * H + y) * W + x. places: int32 or int64 of any shape."""
    rest = x.shape[3:]
    return x.reshape(-1, *rest).index_select(0, places.reshape(-1)).reshape(*places.shape, *rest)


def round_16_bit(levels: Tensor) -> Tensor:
    """Levels 0..255, float64, as they come out of ImageMagick: in place. See the plain definition."""
    return levels.add_(0.5 / 257).floor_()


class AxisZoom(NamedTuple):
    """Linear zoom of one axis: output i is `low[i] * in[first[i]] + high[i] * in[following[i]]`.

    first, following: int64 (size,), from `begin` to `end` - 1; low, high: float64 (size,).
    """

    begin: int
    end: int
    first: Tensor
    following: Tensor
    low: Tensor
    high: Tensor


@lru_cache(maxsize=512)
def axis_zoom(
    length: int, factor: float, device: torch.device, *, cropped: bool = False, kept: tuple[int, int] | None = None
) -> AxisZoom:
    """The plain definition's axis_zoom(length, factor) on a device.

    cropped: for an input that is the crop alone. kept: only the outputs from kept[0] to kept[1] - 1, all by default.
    """
    whole = plain.axis_zoom(length, factor)
    whole = whole.cropped() if cropped else whole
    part = slice(*kept) if kept else slice(None)
    first, low, high = whole.first[part], whole.low[part], whole.high[part]
    following = np.minimum(first + 1, whole.stop - 1)
    begin, end = int(first.min()), int(following.max()) + 1

    def table(values: NDArray) -> Tensor:
        return torch.from_numpy(values.copy()).to(device)

    return AxisZoom(begin, end, table(first), table(following), table(low), table(high))


def zoom(x: Tensor, rows: AxisZoom, columns: AxisZoom) -> Tensor:
    """Bilinear zoom. x: float (N, H, W, ...) -> float64 (N, H', W', ...); columns first, then rows."""
    needed = x.narrow(1, rows.begin, rows.end - rows.begin)
    return zoom_axis(zoom_axis(needed, columns, 2, skipped=0), rows, 1, skipped=rows.begin)


def zoom_axis(x: Tensor, zoom: AxisZoom, axis: int, *, skipped: int) -> Tensor:
    """One axis of `zoom`. skipped: how many pixels are missing at the axis's start."""
    shape = [-1 if i == axis else 1 for i in range(x.ndim)]

    def weighted(places: Tensor, weights: Tensor) -> Tensor:
        places = places - skipped if skipped else places
        return x.index_select(axis, places).double().mul_(weights.reshape(shape))

    return weighted(zoom.first, zoom.low).add_(weighted(zoom.following, zoom.high))
