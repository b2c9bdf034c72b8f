"""The package imagecorruptions 1.1.2 as a reference engine: repaired in memory, repeatable, its files untouched.

As released it does not import with setuptools >= 82, three of its functions fail on NumPy 2 or scikit-image >= 0.19,
and all of them draw from global or unseeded generators. Here its source is loaded into a module of our own, without
the two imports that no longer exist, and with the names that it uses replaced:

- `np`: NumPy plus `float_`, with `random` a legacy generator of the image's own, and with a `max` that is never 0,
  for spatter divides by it (and makes images without a drop black);
- `sk.util.random_noise` (impulse_noise): seeded from the same key;
- `gaussian`: takes `multichannel`; `print`: silent, since standard output belongs to results.

No global random state is read or changed, so it is thread-safe.
"""

from __future__ import annotations

import ast
import threading
from collections.abc import Sequence
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import skimage.color
import skimage.filters
import skimage.util
from PIL import Image
from scipy.ndimage import map_coordinates

from lst_robust.arguments import choice
from lst_robust.benchmark import CORRUPTIONS
from lst_robust.corruptions.engine import checked_batch, checked_ids
from lst_robust.corruptions.registry import constants
from lst_robust.corruptions.streams import Streams
from lst_robust.errors import DataError, UsageError

REFERENCE_ENGINE = "imagecorruptions"
MIN_SIDE = 32  # the package's own limit

_GONE = ("pkg_resources", "scipy.ndimage.interpolation")  # modules it imports one name each from
_current = threading.local()  # .keys: uint32 (2,), .legacy: the generator of the image under work


def reference_version() -> str:
    """The installed version of imagecorruptions. DataError where there is none."""
    return _distribution().version


def legacy_generator(keys: np.ndarray) -> np.random.RandomState:
    """The generator that stands for `np.random` while one image is corrupted. keys: uint32 (2,)."""
    return np.random.RandomState(keys)


def impulse_generator(keys: np.ndarray) -> np.random.Generator:
    """The generator of impulse_noise, which scikit-image makes. keys: uint32 (2,)."""
    return np.random.default_rng(keys)


def reference_streams(corruption: str, severity: int, seed: int, ids: Sequence[int | str]) -> Streams:
    """The keys of the images: as our engine's, with this engine's name and version in the place of ours."""
    return Streams.for_images(f"{REFERENCE_ENGINE} {reference_version()}", seed, corruption, severity, ids)


def reference_corrupt(
    images: np.ndarray,
    corruption: str,
    severity: int,
    *,
    seed: int = 0,
    ids: Sequence[int | str] | np.ndarray | None = None,
) -> np.ndarray:
    """imagecorruptions on each image, a pure function of (image, id, corruption, severity, seed).

    images: uint8, (N, H, W, 3) or (H, W, 3), sides of 32 pixels or more; returns the same shape. ids: 0..N-1 by
    default. Raises UsageError (a ValueError) for arguments that cannot be meant, DataError without the package.
    """
    corruption = choice("corruption", corruption, CORRUPTIONS)
    constants(corruption, severity, "imagenet", "imagecorruptions")  # says what is wrong with the severity
    batch = checked_batch(images)
    if min(batch.shape[1:3]) < MIN_SIDE:
        raise UsageError(f"imagecorruptions takes images of {MIN_SIDE} pixels or more a side, not {batch.shape[1:3]}")
    streams = reference_streams(corruption, severity, seed, checked_ids(ids, len(batch)))
    function = getattr(_repaired(), corruption)
    result = np.empty_like(batch)
    for i, image in enumerate(batch):
        _current.keys, _current.legacy = streams.keys[i], legacy_generator(streams.keys[i])
        result[i] = np.asarray(function(Image.fromarray(image), severity)).astype(np.uint8)
    return result.reshape(images.shape)


def _distribution() -> metadata.Distribution:
    try:
        return metadata.distribution("imagecorruptions")
    except metadata.PackageNotFoundError:
        raise DataError("the reference engine needs the package imagecorruptions: install it") from None


@lru_cache(maxsize=1)
def _repaired() -> ModuleType:
    """imagecorruptions/corruptions.py, its source unchanged on disk, as a working module."""
    folder = Path(str(_distribution().locate_file("imagecorruptions")))
    path = folder / "corruptions.py"
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    tree.body = [node for node in tree.body if not (isinstance(node, ast.ImportFrom) and node.module in _GONE)]
    module = ModuleType("imagecorruptions_repaired")
    vars(module).update(map_coordinates=map_coordinates, resource_filename=lambda _, name: str(folder / name))
    exec(compile(tree, str(path), "exec"), vars(module))
    vars(module).update(
        np=_NumPy(),
        sk=SimpleNamespace(color=skimage.color, util=SimpleNamespace(random_noise=_random_noise)),
        gaussian=_gaussian,
        print=lambda *args: None,
    )
    return module


class _NumPy:
    """NumPy as imagecorruptions knows it."""

    float_ = np.float64

    @property
    def random(self) -> np.random.RandomState:
        return _current.legacy

    @staticmethod
    def max(x: Any, axis: Any = None) -> Any:
        strongest = np.max(x, axis=axis)
        return np.where(strongest == 0, 1, strongest).astype(np.asarray(x).dtype)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def _random_noise(image: np.ndarray, **options: Any) -> np.ndarray:
    return skimage.util.random_noise(image, rng=impulse_generator(_current.keys), **options)


def _gaussian(image: np.ndarray, sigma: Any, multichannel: bool = False, **options: Any) -> np.ndarray:
    return skimage.filters.gaussian(image, sigma, channel_axis=-1 if multichannel else None, **options)
