"""The classes of two sets of images: whether they are the same."""

from __future__ import annotations

from lst_robust.data.source import ImageSource
from lst_robust.errors import DataError, some_names


def require_same_classes(train: ImageSource, test: ImageSource) -> None:
    """DataError where the labels of the two mean different classes."""
    if train.classes != test.classes:
        raise DataError(
            f"{test.name}: the classes for training ({some_names(train.classes)}) are not those for testing "
            f"({some_names(test.classes)}): both must have the same classes"
        )
