"""Checks of data: counts, classes, readable images, published checksums, and the same images in every cell."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lst_robust.benchmark import CORRUPTIONS, SEVERITIES
from lst_robust.data.find_shards import TRAIN_WORDS, names_split
from lst_robust.data.kind import DatasetConfig, Published
from lst_robust.data.opening import expanded, open_corrupted, open_source
from lst_robust.data.registry import dataset_config, dataset_kind
from lst_robust.data.source import SPLITS, ImageSource, Split
from lst_robust.errors import DataError, NothingToEvaluateError

SAMPLE = 20  # images decoded of each pre-generated cell; all of ImageNet-C would take hours


class Finding(NamedTuple):
    """One thing that was checked; `expected` is "" where nothing is published about it."""

    what: str
    expected: str
    found: str
    ok: bool


def verify(
    dataset: Mapping[str, Any] | DatasetConfig,
    *,
    image_size: int,
    data_dir: Path | str | None = None,
    corrupted_dir: Path | str | None = None,
    official: bool = False,
    corruptions: Sequence[str] = CORRUPTIONS,
    workers: int = 1,
) -> Iterator[Finding]:
    """Findings about a suite's data, each as soon as it is made (decoding everything can take minutes).

    official: also the published corrupted images in `corrupted_dir` (default: `data_dir`). Every cell is opened, and
    SAMPLE images of it are decoded. corruptions: those of which all five severities must be there. What is missing or
    does not lie as it must is a finding, not an exception.
    """
    config = dataset_config(dataset)
    published = dataset_kind(config).published.get(config.dataset_name)
    folder = expanded(data_dir)
    clean = None
    for split in _splits(published, folder):
        try:
            source = open_source(config, split, image_size=image_size, data_dir=folder)
        except (DataError, NothingToEvaluateError) as error:
            yield Finding(f"{split} images", "", str(error), False)
            continue
        clean = source.fingerprint() if split == "test" else clean
        yield from _source(source, split, published, workers)
    corrupted = folder if corrupted_dir is None else expanded(corrupted_dir)
    for either in dict.fromkeys((folder, corrupted)):
        if published and either:
            yield from _checksums(either, published.md5)
    if official:
        yield from _cells(config, image_size, corrupted, clean, corruptions, workers)


def _splits(published: Published | None, folder: Path | None) -> tuple[Split, ...]:
    """The splits to look at: those that are published. Of other data the test images, and the images for training where
    a folder or shards of that name are there."""
    if published is not None:
        return tuple(split for split in SPLITS if split in published.images)
    has_training = folder is not None and (os.path.isdir(folder / "train") or names_split(folder, TRAIN_WORDS))
    return SPLITS if has_training else ("test",)


def _source(source: ImageSource, split: Split, published: Published | None, workers: int) -> Iterator[Finding]:
    yield _equal(f"{split} images", published.images[split] if published else None, len(source))
    per_class = np.bincount(source.labels, minlength=len(source.classes))
    yield _equal(f"{split} classes", published.classes if published else None, int((per_class > 0).sum()))
    yield Finding(f"{split} images per class", "", f"{per_class.min()} to {per_class.max()}", True)
    failed = source.check(workers)
    named = ": " + "; ".join(f"{image.id} ({image.reason})" for image in failed[:3]) if failed else ""
    yield Finding(f"{split} images unreadable", "0", f"{len(failed)}{named}", not failed)


def _checksums(folder: Path, md5: Mapping[str, str]) -> Iterator[Finding]:
    """Of the files that are there: an archive may be gone once it is unpacked."""
    for name, expected in md5.items():
        if (folder / name).is_file():
            found = _md5(folder / name)
            yield Finding(f"MD5 of {name}", expected, found, found == expected)


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()


def _cells(
    config: DatasetConfig,
    image_size: int,
    folder: Path | None,
    clean: str | None,
    corruptions: Sequence[str],
    workers: int,
) -> Iterator[Finding]:
    """clean: fingerprint of the clean test images, if they are there."""
    try:
        corrupted = open_corrupted(config, image_size=image_size, data_dir=folder)
        present = corrupted.cells()
    except DataError as error:
        yield Finding("corrupted cells", "", str(error), False)
        return
    wanted = [cell for cell in present if cell[0] in corruptions]  # a tree may have others as well
    yield _equal("corrupted cells", len(corruptions) * len(SEVERITIES), len(wanted))
    for corruption, severity in present:
        what = f"{corruption} {severity}"
        try:
            source = corrupted.cell(corruption, severity)
            source.subset(SAMPLE).read(range(min(SAMPLE, len(source))), workers)
        except DataError as error:
            yield Finding(what, "", str(error), False)
        else:
            same = clean in (None, source.fingerprint())
            yield Finding(what, "", f"{len(source)} images{'' if same else ', not those of the clean set'}", same)


def _equal(what: str, expected: int | None, found: int) -> Finding:
    return Finding(what, "" if expected is None else str(expected), str(found), expected in (None, found))
