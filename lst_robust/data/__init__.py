"""Where images come from: every data set as an `ImageSource` of uint8 squares with stable ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from lst_robust.data.digits import DigitsSource
from lst_robust.data.image_folder import LAYOUT, ImageFolderSource
from lst_robust.data.source import ImageSource, Unreadable, cached, without_unreadable
from lst_robust.errors import DataError, unknown_name

__all__ = ["KINDS", "ImageSource", "Unreadable", "cached", "open_source"]

Split = Literal["train", "test"]


class DatasetConfig(Protocol):
    """A validated dataset section of a suite (a pydantic model): `kind` and the kind's own options."""

    def model_dump(self, *, exclude_none: bool) -> dict[str, Any]: ...


def _digits(data_dir: Path | None, split: Split, image_size: int) -> ImageSource:
    return DigitsSource(split, image_size)


def _image_folder(data_dir: Path | None, split: Split, image_size: int, **options: Any) -> ImageSource:
    if data_dir is None:
        raise DataError(f"this suite needs a data folder: give it with --data-dir; {LAYOUT}")
    return ImageFolderSource(data_dir, split, image_size, **options)


KINDS: dict[str, Callable[..., ImageSource]] = {"digits": _digits, "image_folder": _image_folder}
"""Every kind of data set a suite can name."""


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
    options = dict(dataset) if isinstance(dataset, Mapping) else dataset.model_dump(exclude_none=True)
    kind = options.pop("kind")
    if kind not in KINDS:
        raise unknown_name("dataset kind", kind, KINDS)
    folder = None if data_dir is None else Path(data_dir).expanduser()
    source = KINDS[kind](folder, split, image_size, **options)
    return without_unreadable(source, workers) if skip_unreadable else source
