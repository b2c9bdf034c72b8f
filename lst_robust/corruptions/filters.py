"""Linear filters of the blurs and of the weather, in float64 and in one fixed order of operations.

They are sums of plain multiplications and additions. So for the same weights every machine gives the same bits, and so
does every compiled kernel that keeps the order. But the weights of `disk` come from OpenCV in float32, and their last
bits follow the processor: without AVX2 a few values of defocus_blur are another level.

All work on a batch: axis 0 is the image, axes 1 and 2 are height and width.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import convolve2d

FloatArray = NDArray[np.floating]


def gaussian_weights(sigma: float) -> NDArray[np.float64]:
    """Half of a Gaussian of `sigma` pixels cut at 4 sigma, centre first: float64 (radius + 1,), the whole sums to 1."""
    radius = int(4 * sigma + 0.5)
    x = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 / (sigma * sigma) * x**2)
    return (weights / weights.sum())[radius:]


def gaussian(x: FloatArray, sigma: float) -> FloatArray:
    """Gaussian blur over height, then width, the edge pixel repeated outside. x: float (N, H, W, ...); same dtype out.

    Sums are float64; a float32 input is rounded to float32 after each axis, as scipy.ndimage.gaussian_filter does.
    """
    weights = gaussian_weights(sigma)
    return _blur_axis(_blur_axis(x, weights, axis=1), weights, axis=2)


def _blur_axis(x: FloatArray, weights: NDArray[np.float64], axis: int) -> FloatArray:
    radius, length = len(weights) - 1, x.shape[axis]
    padding = [(radius, radius) if i == axis else (0, 0) for i in range(x.ndim)]
    padded = np.moveaxis(np.pad(x.astype(np.float64), padding, mode="edge"), axis, 0)

    def at(offset: int) -> NDArray[np.float64]:
        return padded[radius + offset : radius + offset + length]

    total = at(0) * weights[0]
    for k in range(radius, 0, -1):  # from the outside in: scipy's order
        total += (at(-k) + at(k)) * weights[k]
    return np.moveaxis(total, 0, axis).astype(x.dtype)


class Taps(NamedTuple):
    """Filter taps by equal weight: `offsets[k]` are the (dy, dx) of all taps of `weights[k]`, pixels."""

    weights: NDArray[np.float64]
    offsets: tuple[NDArray[np.int64], ...]


class Disk(NamedTuple):
    """An anti-aliased disk: `smooth` over the sums under the plain disk `inside` (T, 2), `rest` over the pixels."""

    inside: NDArray[np.int64]
    smooth: Taps
    rest: Taps


@lru_cache(maxsize=32)
def disk(radius: float, alias_sigma: float) -> Disk:
    """The disk of `radius` pixels smoothed by a Gaussian of `alias_sigma` pixels, its weights those of ImageNet-C.

    There they are float32, on a grid of 17x17 (radius <= 8, the Gaussian 3x3) or (2r + 1)² pixels (5x5), and whatever
    the Gaussian carries over the edge of the grid is mirrored at it. `rest` is what that changes. A flat area keeps or
    loses a level with the sum of the float32 weights, which differs from 1, so `smooth` is scaled to it.
    """
    reach, taps = (8, 3) if radius <= 8 else (int(radius), 5)
    side = np.arange(-reach, reach + 1)
    inside = (side[:, None] ** 2 + side[None, :] ** 2 <= radius**2).astype(np.float32)
    wanted = cv2.GaussianBlur(inside / inside.sum(), ksize=(taps, taps), sigmaX=alias_sigma).astype(np.float64)

    gaussian = cv2.getGaussianKernel(taps, alias_sigma, cv2.CV_64F)
    smooth = gaussian * gaussian.T / inside.sum()
    rest = np.pad(wanted, taps // 2) - convolve2d(inside.astype(np.float64), smooth)
    smooth[smooth < 1e-12] = 0  # no level changes
    rest[np.abs(rest) < max(1e-7, 3e-7 * wanted.max())] = 0  # float32's roundings, and what matters as little
    smooth *= (wanted.sum() - rest.sum()) / (smooth.sum() * inside.sum())
    return Disk(np.argwhere(inside) - reach, _taps(smooth), _taps(rest))


def _taps(weights: NDArray[np.float64]) -> Taps:
    """The taps of a square kernel that are not 0."""
    places = np.argwhere(weights)
    values = weights[tuple(places.T)]
    order = np.argsort(-values, kind="stable")
    # Mirror images of a tap differ in their last bits: one class, of their mean weight.
    steps = np.diff(values[order]) < -1e-4 * np.abs(values[order][1:])
    classes = [k for k in np.split(order, np.flatnonzero(steps) + 1) if len(k)]
    centre = len(weights) // 2
    return Taps(np.array([values[k].mean() for k in classes]), tuple(places[k] - centre for k in classes))


def correlate_disk(images: NDArray[np.uint8], kernel: Disk) -> NDArray[np.float64]:
    """Weighted sums of the pixels (0..255) under the disk, reflect-101 outside. images: uint8 (N, H, W, C).

    Pixels under one weight are summed as integers first, so that no order of summing them matters.
    """
    under_disk = _sum_at(images, kernel.inside)
    total = np.zeros(images.shape)
    for weights, offsets, x in ((*kernel.smooth, under_disk), (*kernel.rest, images)):
        for weight, places in zip(weights, offsets, strict=True):
            total += weight * _sum_at(x, places)
    return total


def _sum_at(x: NDArray[np.integer], offsets: NDArray[np.int64]) -> NDArray[np.int32]:
    """Sums of x (N, H, W, C) at the (dy, dx) of `offsets`, reflect-101 outside."""
    reach = int(np.abs(offsets).max())
    height, width = x.shape[1:3]
    padded = np.pad(x.astype(np.int32), ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="reflect")
    total = np.zeros(x.shape, np.int32)
    for dy, dx in offsets + reach:
        total += padded[:, dy : dy + height, dx : dx + width]
    return total


class MotionTaps(NamedTuple):
    """One-sided Gaussian taps along a line for N images: weights (T,), dy and dx (N, T) in pixels."""

    weights: NDArray[np.float64]
    dy: NDArray[np.int64]
    dx: NDArray[np.int64]


def motion_taps(angles: NDArray[np.float64], radius: int, sigma: float) -> MotionTaps:
    """2 * radius + 1 taps of a motion blur towards `angles` (N,), degrees, with a falloff of `sigma` pixels.

    Pixel p takes weights[t] of the pixel at p + (dy[t], dx[t]). Formula: ImageMagick's MotionBlurImage.
    """
    width = 2 * radius + 1
    step = np.arange(width)
    weights = np.exp(-(step**2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * sigma)
    y, x = width * np.sin(np.deg2rad(angles)), width * np.cos(np.deg2rad(angles))
    length = np.hypot(y, x)[:, None]
    dy, dx = (np.ceil(step * component[:, None] / length - 0.5).astype(np.int64) for component in (y, x))
    return MotionTaps(weights / weights.sum(), dy, dx)


def motion_blur(x: NDArray, taps: MotionTaps, *, stop_outside: bool) -> NDArray[np.float64]:
    """Sums of the taps, the edge pixel repeated outside. x: uint8 or float (N, H, W, ...) -> float64, same shape.

    stop_outside: end the sum at the first tap whose offset reaches the image's side, as imagecorruptions does.
    """
    height, width = x.shape[1:3]
    image = np.arange(len(x))[:, None, None]
    alive = np.ones(len(x), dtype=bool)
    blurred = np.zeros(x.shape)
    for weight, dy, dx in zip(taps.weights, taps.dy.T, taps.dx.T, strict=True):
        if stop_outside:
            alive &= (np.abs(dy) < height) & (np.abs(dx) < width)
        rows = np.clip(np.arange(height) + dy[:, None], 0, height - 1)
        columns = np.clip(np.arange(width) + dx[:, None], 0, width - 1)
        # NumPy 1 would multiply a float32 image by a float64 number in float32
        tap = weight * x[image, rows[:, :, None], columns[:, None, :]].astype(np.float64)
        blurred[alive] += tap[alive]
    return blurred


def round_16_bit(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Levels 0..255 as they come out of ImageMagick, which rounds them to 16 bits and keeps the high byte."""
    return np.floor(levels + 0.5 / 257)


class AxisZoom(NamedTuple):
    """Linear zoom of the middle of one axis: output i is `low[i] * in[first[i]] + high[i] * in[first[i] + 1]`.

    `first` counts in the uncropped axis, the crop being [start, stop). An output whose place falls outside the crop by
    rounding is 0 (both weights 0).
    """

    start: int
    stop: int
    first: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def cropped(self) -> AxisZoom:
        """The same for an input that is the crop alone."""
        return self._replace(start=0, stop=self.stop - self.start, first=self.first - self.start)


def axis_zoom(length: int, factor: float) -> AxisZoom:
    """The middle ceil(length / factor) pixels enlarged to round(that * factor), ends on ends, as scipy.ndimage.zoom."""
    crop = int(np.ceil(length / factor))
    start = (length - crop) // 2
    size = round(crop * factor)
    place = np.arange(size) * ((crop - 1) / (size - 1) if size > 1 else 1.0)
    first = np.floor(place).astype(np.int64)
    low = 1 - (place - first)
    inside = place <= crop - 1
    return AxisZoom(start, start + crop, start + first, np.where(inside, low, 0.0), np.where(inside, 1 - low, 0.0))


def zoom(x: FloatArray, rows: AxisZoom, columns: AxisZoom) -> NDArray[np.float64]:
    """Bilinear zoom. x: float (N, H, W, ...) -> float64 (N, H', W', ...); columns first, then rows."""
    wide = _zoom_axis(x, columns, axis=2)
    return _zoom_axis(wide, rows, axis=1)


def _zoom_axis(x: FloatArray, zoom: AxisZoom, axis: int) -> NDArray[np.float64]:
    shape = [-1 if i == axis else 1 for i in range(x.ndim)]
    low, high = zoom.low.reshape(shape), zoom.high.reshape(shape)
    following = np.minimum(zoom.first + 1, zoom.stop - 1)
    return x.take(zoom.first, axis).astype(np.float64) * low + x.take(following, axis).astype(np.float64) * high
