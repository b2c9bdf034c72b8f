"""Where images come from: every data set as an `ImageSource` of uint8 squares with stable ids."""

from lst_robust.data.corrupted import CorruptedSet
from lst_robust.data.kind import DatasetConfig, DatasetKind, Published
from lst_robust.data.opening import open_corrupted, open_source
from lst_robust.data.registry import dataset_kind, dataset_kinds, register_dataset
from lst_robust.data.source import ImageSource, Split, Unreadable, cached
from lst_robust.data.spill import decoded_once

__all__ = [
    "CorruptedSet", "DatasetConfig", "DatasetKind", "ImageSource", "Published", "Split", "Unreadable", "cached",
    "dataset_kind", "dataset_kinds", "decoded_once", "open_corrupted", "open_source", "register_dataset",
]  # fmt: skip
