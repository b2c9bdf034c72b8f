"""The randomness of one image, drawn from a legacy NumPy generator in the order in which the references draw it."""

from __future__ import annotations

from typing import Any

import numpy as np

from lst_robust.corruptions.filters import axis_zoom
from lst_robust.corruptions.noise import poisson_thresholds
from lst_robust.corruptions.textures import frost_textures_for
from lst_robust.corruptions.weather import fog_map_size


def legacy_draws(name: str, image: np.ndarray, c: Any, random: Any = np.random) -> dict[str, np.ndarray]:
    """Draws for `apply`, without the leading axis. random: numpy.random itself or a RandomState."""
    maker = globals().get(f"_{name}")
    return maker(image, c, random) if maker else {}


def _gaussian_noise(image, c, random):
    return {"normal": random.normal(size=image.shape)}


_speckle_noise = _gaussian_noise


def _shot_noise(image, c, random):
    """Words at which the Poisson quantile is the count that the reference drew."""
    counts = random.poisson(image / 255.0 * c.amount)
    below = np.pad(poisson_thresholds(c.amount), ((0, 0), (1, 0)))
    return {"word": below[image, counts].astype(np.uint32)}


def _glass_blur(image, c, random):
    height, width = image.shape[:2]
    d = c.max_delta
    shape = (c.iterations, height - 2 * d, width - 2 * d)
    offsets = [random.randint(-d, d, size=(2,)) for _ in range(int(np.prod(shape)))]
    return {"offsets": np.reshape(offsets, (*shape, 2))}


def _motion_blur(image, c, random):
    return {"angle": random.uniform(-45, 45)}


def _snow(image, c, random):
    height, width = image.shape[:2]
    field = random.normal(size=(height, width))
    rows, columns = axis_zoom(height, c.zoom), axis_zoom(width, c.zoom)
    kept = field[rows.start : rows.stop, columns.start : columns.stop]
    return {"field": kept, "angle": random.uniform(-135, -45)}


def _frost(image, c, random):
    height, width = image.shape[:2]
    texture = random.randint(5)
    high, wide = frost_textures_for(c, height, width)[texture].shape[:2]
    return {"texture": texture, "top": random.randint(0, high - height), "left": random.randint(0, wide - width)}


def _fog(image, c, random):
    return {"wibble": random.random_sample(fog_map_size(*image.shape[:2], c) ** 2 - 1)}


def _elastic_transform(image, c, random):
    height, width = image.shape[:2]
    reach, corner = (1, c.affine * c.side) if c.side else (height * 0.005, 0)
    affine = {"affine": random.uniform(-corner, corner, size=(3, 2))} if c.side else {}
    dx = random.uniform(-reach, reach, size=(height, width))
    return {**affine, "dx": dx, "dy": random.uniform(-reach, reach, size=(height, width))}


def _spatter(image, c, random):
    return {"field": random.normal(size=image.shape[:2])}
