"""The torch engine's filters, bit for bit against the plain ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lst_robust.corruptions import filters as plain
from lst_robust.torch_engine.filters import (
    axis_zoom,
    extended,
    gaussian,
    motion_blur,
    motion_taps,
    pixels_at,
    round_16_bit,
    zoom,
)

CPU = torch.device("cpu")
SHAPES = [(2, 17, 23, 3), (3, 48, 33)]


def values(shape, dtype=np.float64):
    if dtype == np.uint8:
        return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    return np.random.default_rng(1).random(shape).astype(dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sigma", [0.05, 0.4, 1, 2.5, 6])
def test_gaussian(shape, dtype, sigma):
    x = values(shape, dtype)
    made = gaussian(torch.from_numpy(x), sigma).numpy()
    assert made.dtype == dtype
    np.testing.assert_array_equal(made, plain.gaussian(x, sigma))


@pytest.mark.parametrize(("repeat", "mode"), [(False, "reflect"), (True, "symmetric")])
@pytest.mark.parametrize("reach", [0, 1, 4, 23])
def test_mirrored_edges(repeat, mode, reach):
    x = np.arange(30).reshape(2, 3, 5)
    made = extended(extended(torch.from_numpy(x), reach, 1, repeat=repeat), reach, 2, repeat=repeat)
    np.testing.assert_array_equal(made, np.pad(x, ((0, 0), (reach, reach), (reach, reach)), mode=mode))


@pytest.mark.parametrize("stop_outside", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("shape", [*SHAPES, (3, 16, 40, 3)])
def test_motion(shape, dtype, stop_outside):
    x, angles = values(shape, dtype), np.random.default_rng(2).uniform(-135, 45, shape[0])
    for radius, sigma in ((6, 1), (12, 8), (20, 15)):
        wanted, made = plain.motion_taps(angles, radius, sigma), motion_taps(torch.from_numpy(angles), radius, sigma)
        for one, other in zip(wanted, made, strict=True):
            np.testing.assert_array_equal(other.numpy(), one)
        blurred = motion_blur(torch.from_numpy(x), made, stop_outside=stop_outside)
        np.testing.assert_array_equal(blurred.numpy(), plain.motion_blur(x, wanted, stop_outside=stop_outside))


@pytest.mark.parametrize(("low", "high", "taps"), [(-45, 45, 41), (-135, -45, 29)])
def test_no_drawn_angle_brings_a_tap_between_two_pixels(low, high, taps):
    """So sines and cosines that differ by some 1e-14 from device to device give the same taps: of all 2^32 angles, the
    two next to each angle where a tap jumps are looked at. motion_blur has up to 41 taps, snow 29."""
    nearest = np.inf
    for step in range(1, taps):
        middles = np.arange(0.5 - step, step)
        sine, cosine = np.rad2deg(np.arcsin(middles / step)), np.rad2deg(np.arccos(middles / step))
        for function, jumps in ((np.sin, (sine, -180 - sine)), (np.cos, (cosine, -cosine))):
            for jump in jumps:
                word = (jump - low) / (high - low) * 2.0**32 - 0.5
                for neighbour in (np.floor(word), np.floor(word) + 1):
                    angle = (neighbour + 0.5) * 2.0**-32 * (high - low) + low
                    distance = np.abs(step * function(np.deg2rad(angle)) - middles)
                    drawn = (neighbour >= 0) & (neighbour < 2**32)
                    nearest = min(nearest, distance[drawn].min(initial=np.inf))
    assert 3.9e-12 < nearest < 1e-9


def test_rounding_to_16_bits():
    levels = np.concatenate([np.arange(0, 256, 0.25), np.arange(1, 256) - 0.5 / 257, np.arange(1, 256) - 0.002])
    np.testing.assert_array_equal(round_16_bit(torch.from_numpy(levels.copy())), plain.round_16_bit(levels))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("factor", [1, 1.07, 1.3, 3, 4.5])
def test_zoom(shape, dtype, factor):
    x = values(shape, dtype)
    there, (height, width) = torch.from_numpy(x), shape[1:3]
    rows, columns = plain.axis_zoom(height, factor), plain.axis_zoom(width, factor)
    wanted = plain.zoom(x, rows, columns)
    made = zoom(there, axis_zoom(height, factor, CPU), axis_zoom(width, factor, CPU))
    np.testing.assert_array_equal(made, wanted)
    crop = there[:, rows.start : rows.stop, columns.start : columns.stop]
    cropped = [axis_zoom(length, factor, CPU, cropped=True, kept=(2, 11)) for length in (height, width)]
    np.testing.assert_array_equal(zoom(crop, *cropped), wanted[:, 2:11, 2:11])


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_pixels_at(dtype):
    x = torch.arange(2 * 3 * 4 * 3).reshape(2, 3, 4, 3)
    places = torch.tensor([[[0, 5], [23, 12]]], dtype=dtype)
    wanted = torch.stack([x[0, 0, 0], x[0, 1, 1], x[1, 2, 3], x[1, 0, 0]]).reshape(1, 2, 2, 3)
    assert torch.equal(pixels_at(x, places), wanted)
