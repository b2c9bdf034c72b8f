"""brightness, contrast and saturate of digital.py, compiled, in the reference's order of float64 operations."""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from lst_robust.corruptions.color import Saturate, Shift
from lst_robust.corruptions.kernels.compiling import jit
from lst_robust.corruptions.kernels.pixels import join_channels, level, split_channels, unit
from lst_robust.corruptions.streams import Streams

BLOCK = 512
"""Pixels whose channels lie apart in small buffers, so that the arithmetic runs on vectors."""


@jit
def _adjust_hsv(red, green, blue, gain, shift, lift):
    """S * gain + shift and V + lift, clipped, on uint8 channels in place; skimage's rgb2hsv and hsv2rgb."""
    for i in range(BLOCK):
        r, g, b = unit(red[i]), unit(green[i]), unit(blue[i])
        high = r if r > g else g
        high = high if high > b else b
        low = r if r < g else g
        low = low if low < b else b
        delta = high - low
        grey = delta == 0.0
        s = 0.0 if grey else delta / high

        # where two channels share the maximum the later one decides
        numerator = r - g if b == high else (b - r if g == high else g - b)
        base = 4.0 if b == high else (2.0 if g == high else 0.0)
        h = (base + numerator / delta) / 6.0
        h = h + 1.0 if h < 0.0 else h
        h = 0.0 if grey else h

        s = s * gain + shift
        s = s if s > 0.0 else 0.0
        s = s if s < 1.0 else 1.0
        v = high + lift
        v = v if v < 1.0 else 1.0

        sector = np.floor(h * 6)
        f = h * 6 - sector
        p = v * (1 - s)
        q = v * (1 - f * s)
        t = v * (1 - (1 - f) * s)
        sector = 0.0 if sector == 6.0 else sector
        red[i] = level(q if sector == 1.0 else (p if sector == 2.0 or sector == 3.0 else (t if sector == 4.0 else v)))
        green[i] = level(t if sector == 0.0 else (v if sector == 1.0 or sector == 2.0 else (q if sector == 3.0 else p)))
        blue[i] = level(p if sector == 0.0 or sector == 1.0 else (t if sector == 2.0 else (q if sector == 5.0 else v)))


@jit
def _brightness_and_saturate(pixels, gain, shift, lift, out):
    red, green, blue = np.zeros(BLOCK, np.uint8), np.zeros(BLOCK, np.uint8), np.zeros(BLOCK, np.uint8)
    for start in range(0, len(pixels), 3 * BLOCK):
        stop = min(start + 3 * BLOCK, len(pixels))
        split_channels(pixels[start:stop], red, green, blue)
        _adjust_hsv(red, green, blue, gain, shift, lift)
        join_channels(red, green, blue, out[start:stop])


def brightness(images: np.ndarray, streams: Streams, c: Shift) -> np.ndarray:
    out = np.empty_like(images)
    _brightness_and_saturate(images.reshape(-1), 1.0, 0.0, float(c.amount), out.reshape(-1))
    return out


def saturate(images: np.ndarray, streams: Streams, c: Saturate) -> np.ndarray:
    out = np.empty_like(images)
    _brightness_and_saturate(images.reshape(-1), float(c.gain), float(c.shift), 0.0, out.reshape(-1))
    return out


@jit
def _sums(pixels, units, sums):
    """Sums of x / 255 of each channel, one pixel after the other as np.mean adds them."""
    red, green, blue = 0.0, 0.0, 0.0
    for i in range(len(pixels) // 3):
        red += units[pixels[3 * i]]
        green += units[pixels[3 * i + 1]]
        blue += units[pixels[3 * i + 2]]
    sums[0], sums[1], sums[2] = red, green, blue


@jit
def _replace(pixels, red, green, blue, out):
    """Each channel's new level from its table of 256."""
    for i in range(len(pixels) // 3):
        out[3 * i] = red[pixels[3 * i]]
        out[3 * i + 1] = green[pixels[3 * i + 1]]
        out[3 * i + 2] = blue[pixels[3 * i + 2]]


@jit
def _contrast(images, amount, out):
    units, sums, table = np.empty(256), np.empty(3), np.empty((3, 256), np.uint8)
    for value in range(256):
        units[value] = unit(value)
    for n in range(len(images)):
        _sums(images[n], units, sums)
        for channel in range(3):
            mean = sums[channel] / (images.shape[1] // 3)
            for value in range(256):
                table[channel, value] = level((units[value] - mean) * amount + mean)
        _replace(images[n], table[0], table[1], table[2], out[n])


def contrast(images: np.ndarray, streams: Streams, c: Shift) -> np.ndarray:
    out = np.empty_like(images)
    _contrast(images.reshape(len(images), -1), float(c.amount), out.reshape(len(images), -1))
    return out
