"""The clean test images of a suite."""

from __future__ import annotations

from pathlib import Path

from lst_robust.data import ImageSource, open_source
from lst_robust.suites.suite import Suite


def open_test_images(
    suite: Suite, data_dir: str | Path | None, *, skip_unreadable: bool = False, workers: int = 1
) -> ImageSource:
    """The suite's test images, at its size, cut as it says: its `subset` of them, and as many as its `limit`.

    Raises what `open_source` raises. Images are decoded only where `skip_unreadable` asks for a look at all of them.
    """
    source = open_source(
        suite.dataset,
        "test",
        image_size=suite.image_size,
        data_dir=data_dir,
        subset=suite.subset,
        skip_unreadable=skip_unreadable,
        workers=workers,
    )
    return source if suite.limit is None else source.subset(suite.limit)
