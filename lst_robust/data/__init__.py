"""Where images come from: every data set as an `ImageSource` of uint8 squares with stable ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from lst_robust.data.cifar import open_cifar
from lst_robust.data.corrupted import OFFICIAL, CorruptedSet
from lst_robust.data.digits import DigitsSource
from lst_robust.data.image_folder import ImageFolderSource
from lst_robust.data.imagenet import ImageNetSource
from lst_robust.data.places365 import Places365Source
from lst_robust.data.source import ImageSource, Unreadable, cached, without_unreadable
from lst_robust.data.spill import decoded_once
from lst_robust.data.tiny_imagenet import TinyImageNetSource
from lst_robust.errors import unknown_name

__all__ = [
    "KINDS", "CorruptedSet", "ImageSource", "Unreadable", "cached", "decoded_once", "open_corrupted", "open_source",
]  # fmt: skip

Split = Literal["train", "test"]


class DatasetConfig(Protocol):
    """A validated dataset section of a suite (a pydantic model): `kind` and the kind's own options."""

    def model_dump(self, *, exclude_none: bool) -> dict[str, Any]: ...


def _digits(root: Path | None, split: Split, image_size: int) -> ImageSource:
    return DigitsSource(split, image_size)


KINDS: dict[str, Callable[..., ImageSource]] = {
    "digits": _digits,
    "image_folder": ImageFolderSource,
    "cifar": open_cifar,
    "imagenet": ImageNetSource,
    "tiny_imagenet": TinyImageNetSource,
    "places365": Places365Source,
}
"""Every kind of data set a suite can name: (root, split, image_size, the kind's own options) -> source."""


def open_source(
    dataset: Mapping[str, Any] | DatasetConfig,
    split: Split,
    *,
    image_size: int,
    data_dir: Path | str | None = None,
    skip_unreadable: bool = False,
    workers: int = 1,
) -> ImageSource:
    """The images of one split of a suite's dataset: {"kind": one of KINDS, and the kind's own options}.

    Nothing is decoded, unless `skip_unreadable` asks for one pass over all images (with `workers` threads) to
    leave out those that cannot be read; they are listed in `.skipped`. Raises UsageError for an unknown kind,
    DataError when the data is not there or does not lie as it must.
    """
    kind, options = _kind(dataset, KINDS)
    source = KINDS[kind](_root(data_dir), split, image_size, **options)
    return without_unreadable(source, workers) if skip_unreadable else source


def open_corrupted(
    dataset: Mapping[str, Any] | DatasetConfig, *, image_size: int, data_dir: Path | str | None = None
) -> CorruptedSet:
    """The official pre-generated corruptions of a suite's dataset: ImageNet-C, Tiny-ImageNet-C, CIFAR-10-C or -100-C.

    A kind `image_folder` means a tree <corruption>/<severity>/<class>/* of one's own. Raises UsageError for a kind that
    has none, DataError when the data is not there.
    """
    kind, options = _kind(dataset, OFFICIAL)
    return OFFICIAL[kind](_root(data_dir), image_size, **options)


def dataset_options(dataset: Mapping[str, Any] | DatasetConfig) -> dict[str, Any]:
    """The dataset section of a suite as a dict of its own: "kind" and the kind's options."""
    return dict(dataset) if isinstance(dataset, Mapping) else dataset.model_dump(exclude_none=True)


def _kind(dataset: Mapping[str, Any] | DatasetConfig, known: Mapping[str, object]) -> tuple[str, dict[str, Any]]:
    options = dataset_options(dataset)
    kind = options.pop("kind")
    if kind not in known:
        raise unknown_name("dataset kind", kind, known)
    return kind, options


def _root(data_dir: Path | str | None) -> Path | None:
    return None if data_dir is None else Path(data_dir).expanduser()
