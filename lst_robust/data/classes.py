"""The classes of two sets of images: whether they are the same, and their names in a message."""

from __future__ import annotations

from collections.abc import Sequence

from lst_robust.data.source import ImageSource
from lst_robust.errors import DataError

NAMED = 3


def some_names(names: Sequence[str]) -> str:
    """The first of the names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def require_same_classes(train: ImageSource, test: ImageSource) -> None:
    """DataError where the labels of the two mean different classes."""
    if train.classes != test.classes:
        raise DataError(
            f"{test.name}: the classes for training ({some_names(train.classes)}) are not those for testing "
            f"({some_names(test.classes)}): both must have the same classes"
        )
