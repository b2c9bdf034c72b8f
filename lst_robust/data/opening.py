"""Opens the images that a suite's `dataset` section means: the clean ones, and the published corrupted ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lst_robust.arguments import choice
from lst_robust.data.corrupted import CorruptedSet
from lst_robust.data.kind import DatasetConfig
from lst_robust.data.registry import dataset_config, dataset_kind, dataset_kinds, dataset_subset
from lst_robust.data.source import SPLITS, ImageSource, Split, without_unreadable
from lst_robust.errors import NothingToEvaluateError, unknown_name


def open_source(
    dataset: Mapping[str, Any] | DatasetConfig,
    split: Split,
    *,
    image_size: int,
    data_dir: Path | str | None = None,
    subset: str | None = None,
    skip_unreadable: bool = False,
    workers: int = 1,
) -> ImageSource:
    """The clean images of one split. dataset: of a suite, or a dict with "kind" and the kind's own options.

    subset: the name of a published choice of the test images, in place of all. Nothing is decoded, unless
    `skip_unreadable` asks for one pass over all images (with `workers` threads). It leaves out those that cannot be
    read, and lists them in `.skipped`. Raises UsageError for an unknown kind, split or subset and for wrong options,
    DataError when the data is not there or does not lie as it must, NothingToEvaluateError when it has no image.
    """
    choice("split", split, SPLITS)
    config = dataset_config(dataset)
    source = dataset_kind(config).open(config, expanded(data_dir), split, image_size)
    if not len(source):
        raise NothingToEvaluateError(f"{source.name} has no images: give a data set that has some")
    if subset is not None:
        source = dataset_subset(config, subset).of(source)
    return without_unreadable(source, workers) if skip_unreadable else source


def open_corrupted(
    dataset: Mapping[str, Any] | DatasetConfig, *, image_size: int, data_dir: Path | str | None = None
) -> CorruptedSet:
    """The published corrupted images of a dataset: ImageNet-C, Tiny-ImageNet-C, CIFAR-10-C or CIFAR-100-C.

    A kind `image_folder` means a tree <corruption>/<severity>/<class>/* of one's own, or tar shards in place of its
    class folders. Raises UsageError for a kind that has none, DataError when the data is not there.
    """
    config = dataset_config(dataset)
    open_official = dataset_kind(config).open_official
    if open_official is None:
        raise unknown_name("dataset kind", config.kind, [n for n, kind in dataset_kinds().items() if kind.has_official])
    return open_official(config, expanded(data_dir), image_size)


def expanded(folder: Path | str | None) -> Path | None:
    """A folder as a path, in which `~` has become the home folder."""
    return None if folder is None else Path(os.path.expanduser(folder))  # leaves ~name as it is where no such user is
