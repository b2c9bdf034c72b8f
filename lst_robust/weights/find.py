"""Where the files of published weights lie. A file counts only when its SHA-256 is the catalogue's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from lst_robust.arguments import path
from lst_robust.errors import CheckpointError
from lst_robust.runtime.files import file_sha256
from lst_robust.weights.catalogue import PublishedWeights, weights_named

PREFIX = "published:"
FOLDER_VARIABLE = "LST_ROBUST_PUBLISHED"
RESULTS = "results"

State = Literal["whole", "missing", "damaged"]


class Found(NamedTuple):
    """Where weights lie. file: None where they are missing. state: damaged means another SHA-256."""

    file: Path | None
    state: State


def is_published(checkpoint: str | os.PathLike[str]) -> bool:
    """Whether a checkpoint is named as `published:NAME`, and not by its path."""
    return os.fspath(checkpoint).startswith(PREFIX)


def resolved(checkpoint: Path) -> Path:
    """The file that is meant: of `published:NAME` the one that was found and checked, else the path as it is.

    Raises UsageError for a name that nobody knows, CheckpointError where the file is missing or has other bytes.
    """
    return find_weights(os.fspath(checkpoint).removeprefix(PREFIX)) if is_published(checkpoint) else checkpoint


def checkpoint_path(name: str, value: object, *, also: str = "") -> Path:
    """An argument that is a checkpoint: a path, or `published:NAME`, see `resolved`. For `lst_robust.arguments`."""
    return resolved(path(name, value, also=also))


def find_weights(name: str) -> Path:
    """The file of published weights, its SHA-256 checked. The errors are those of `resolved`."""
    weights = weights_named(name)
    file, state = state_of(weights)
    if file is None:
        folders = " or ".join(map(str, search_folders()))
        raise CheckpointError(
            f"the file of {PREFIX}{name} is not here: put results/{weights.file} of the repository into {folders}, or "
            f"name the folder that holds it in {FOLDER_VARIABLE}"
        )
    if state == "damaged":
        raise CheckpointError(
            f"{file} is not the published file of {name}: its SHA-256 is not {weights.sha256}; copy it again, or give "
            "its path to --checkpoint if these weights are meant"
        )
    return file


def state_of(weights: PublishedWeights) -> Found:
    """The first file with the right bytes; where there is none, the first with other bytes."""
    damaged = None
    for file in _candidates(weights):
        if _is_whole(file, weights):
            return Found(file, "whole")
        damaged = damaged or file
    return Found(damaged, "missing" if damaged is None else "damaged")


def search_folders() -> list[Path]:
    """The folders that are looked into, in order: LST_ROBUST_PUBLISHED, the repository's, and that of this folder."""
    named = os.environ.get(FOLDER_VARIABLE)
    own = [Path(os.path.expanduser(named))] if named else []
    repository = Path(__file__).parents[2] / RESULTS
    return list(dict.fromkeys([*own, *([repository] if repository.is_dir() else []), Path(RESULTS)]))


def _candidates(weights: PublishedWeights) -> Iterator[Path]:
    """Files that may be meant: a folder is laid out as the repository is, or has all files in one place."""
    for folder in search_folders():
        flat = dict.fromkeys([f"{weights.name}.safetensors", Path(weights.file).name])
        for place in (weights.file, f"{RESULTS}/{weights.file}", *flat):
            if os.path.isfile(folder / place):  # which is False, too, where nobody may look
                yield folder / place


def _is_whole(file: Path, weights: PublishedWeights) -> bool:
    try:
        return file.stat().st_size == weights.bytes and file_sha256(file) == weights.sha256
    except OSError:
        return False
