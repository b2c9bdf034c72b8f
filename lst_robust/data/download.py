"""Downloads the clean images of a data set where that is possible, and says otherwise where to get them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lst_robust.data.kind import DatasetConfig
from lst_robust.data.registry import dataset_config, dataset_kind
from lst_robust.errors import DataError, UsageError


def download(dataset: Mapping[str, Any] | DatasetConfig, data_dir: Path | str) -> Path:
    """Downloads and unpacks the clean images of a suite's dataset into `data_dir`, which is returned.

    Raises UsageError for data that cannot be downloaded, DataError when the download fails.
    """
    config = dataset_config(dataset)
    name, fetch = config.dataset_name, dataset_kind(config).download
    if fetch is None:
        raise UsageError(f"there is nothing to download for {name}")
    if isinstance(fetch, str):
        raise UsageError(f"{name} cannot be downloaded for you: {fetch}")
    folder = Path(os.path.expanduser(data_dir))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fetch(config, folder)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{name} could not be downloaded to {folder} ({error}): try again, or get it by hand"
        ) from error
    return folder
