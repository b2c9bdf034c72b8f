"""Results as `lst-robust eval --json` prints them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lst_robust.benchmark import CORRUPTIONS


def make_result(model: str = "lst18", base: float = 40.0, missing: tuple[str, ...] = (), **stated: Any) -> dict:
    """Errors base, base + 1, ... base + 4 plus the corruption's place, so that every value can be told by hand."""
    errors: dict[str, list[float | None]] = {
        name: [base + place + step for step in range(5)] for place, name in enumerate(CORRUPTIONS)
    }
    for name in missing:
        errors[name][4] = None
    normalised = stated.get("normaliser", "alexnet") is not None
    ce = {name: None if name in missing or not normalised else row[0] + 50 for name, row in errors.items()}
    complete = normalised and not missing
    return {
        "model": model, "options": {}, "checkpoint_sha256": "0" * 64, "train_seed": None, "run": "0123456789ab",
        "suite": "digits-c", "suite_version": 1, "suite_digest": "", "protocol": "generated", "data": "digits/test",
        "images": "", "image_size": 32, "preset": "cifar", "style": "hendrycks", "engine": "lst-robust", "n": 500,
        "seed": 0, "normaliser": "alexnet", "clean_error": base / 10,
        "mean_corruption_error": base + 11, "mce15": base + 57 if complete else None,
        "mce19": base + 59 if complete else None, "relative_mce": base + 70 if complete else None,
        "ce": ce, "errors": errors, **stated,
    }  # fmt: skip


@pytest.fixture
def result() -> Callable[..., dict]:
    return make_result
