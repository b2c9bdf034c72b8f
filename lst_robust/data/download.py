"""Downloads, for the data sets that torchvision can fetch and check; for the others, where to get them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lst_robust.data import DatasetConfig, dataset_options
from lst_robust.data.imagenet import LAYOUT as IMAGENET_LAYOUT
from lst_robust.data.tiny_imagenet import LAYOUT as TINY_IMAGENET_LAYOUT
from lst_robust.errors import DataError, UsageError

BY_HAND = {"imagenet": IMAGENET_LAYOUT, "tiny_imagenet": TINY_IMAGENET_LAYOUT}


def download(dataset: Mapping[str, Any] | DatasetConfig, data_dir: Path | str) -> Path:
    """Downloads and unpacks the clean images of a suite's dataset into `data_dir`, which is returned.

    Raises UsageError for data that torchvision cannot download, DataError when the download fails.
    """
    from torchvision import datasets

    options = dataset_options(dataset)
    folder = Path(data_dir).expanduser()
    kind = options.get("name", options["kind"])
    if kind in BY_HAND:
        raise UsageError(f"{kind} cannot be downloaded for you: {BY_HAND[kind]}")
    if kind not in ("cifar10", "cifar100", "places365"):
        raise UsageError(f"there is nothing to download for {kind}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if kind == "cifar10":
            datasets.CIFAR10(folder, download=True)
        elif kind == "cifar100":
            datasets.CIFAR100(folder, download=True)
        else:
            datasets.Places365(folder, split="val", small=True, download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{kind} could not be downloaded to {folder} ({error}): try again, or get it by hand"
        ) from error
    return folder
