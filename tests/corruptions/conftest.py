"""What the tests of the corruptions share: golden outputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lst_robust.corruptions.registry import built_in, constants

PRESET_OF_SIZE = {32: "cifar", 64: "tiny-imagenet", 224: "imagenet"}


@pytest.fixture(scope="session")
def golden(golden_dir: Path) -> Callable[[int], dict[str, np.ndarray]]:
    """golden(size) -> the authors' scripts' outputs on `images`, each call seeded with 1000 * severity + id."""
    return lambda size: np.load(golden_dir / "corruptions" / f"hendrycks_{size}.npz")


@pytest.fixture(scope="session")
def golden_digests(golden_dir: Path) -> dict[str, list[str]]:
    """Corruption -> the SHA-256 of its output at 224 pixels, one a severity, where the output itself is not stored."""
    return json.loads((golden_dir / "corruptions" / "hendrycks_224_sha256.json").read_text())


@pytest.fixture(scope="session")
def golden_differences(golden, golden_digests) -> Callable[..., np.ndarray]:
    """golden_differences(name, size, severity, legacy_draw) -> |ours - theirs| in levels, all images.

    legacy_draw(image, c) makes one image's draws from NumPy's global generator in the reference's order. Of an output
    of which only the digest is stored, no difference is known: it must be equal.
    """

    def differences(name: str, size: int, severity: int, legacy_draw: Callable) -> np.ndarray:
        stored = golden(size)
        images, c = stored["images"], constants(name, severity, PRESET_OF_SIZE[size])
        state = np.random.get_state()  # noqa: NPY002
        draws = []
        for image, image_id in zip(images, stored["ids"], strict=True):
            np.random.seed(1000 * severity + int(image_id))  # noqa: NPY002
            draws.append(legacy_draw(image, c))
        np.random.set_state(state)  # noqa: NPY002
        batched = {key: np.stack([draw[key] for draw in draws]) for key in draws[0]}
        ours = built_in()[name].apply(images, batched, c)
        if name not in stored.files:
            assert hashlib.sha256(ours.tobytes()).hexdigest() == golden_digests[name][severity - 1]
            return np.zeros(ours.shape, dtype=int)
        return np.abs(ours.astype(int) - stored[name][severity - 1])

    return differences
