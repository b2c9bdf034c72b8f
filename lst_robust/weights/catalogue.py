"""Which weights are published: name, network, suite, size and SHA-256 of each file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from lst_robust.errors import unknown_name

KIND = "published weights"
CATALOGUE = "catalogue.csv"


@dataclass(frozen=True)
class PublishedWeights:
    """One file of weights.

    name: what stands behind `published:`. model: the network's name. suite: on which it was trained.
    seed: of the training. file: below the folder `results` of the repository. bytes: its size.
    sha256: of its bytes, hexadecimal.
    """

    name: str
    model: str
    suite: str
    seed: int
    file: str
    bytes: int
    sha256: str


@cache
def published_weights() -> Sequence[PublishedWeights]:
    """All of them, in the catalogue's order."""
    text = files(__package__).joinpath(CATALOGUE).read_text(encoding="utf-8")
    return tuple(map(_of_row, csv.DictReader(text.splitlines())))


def _of_row(row: dict[str, str]) -> PublishedWeights:
    texts = {key: row[key] for key in ("name", "model", "suite", "file", "sha256")}
    return PublishedWeights(**texts, seed=int(row["seed"]), bytes=int(row["bytes"]))


def weights_named(name: str) -> PublishedWeights:
    """The weights of that name; UsageError with the nearest names when there are none."""
    known = {weights.name: weights for weights in published_weights()}
    if name not in known:
        raise unknown_name(KIND, name, known)
    return known[name]
