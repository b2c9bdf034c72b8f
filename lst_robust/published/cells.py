"""The published errors of each cell, by groups of models that were measured in one and the same way."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, SEVERITIES, Cell

ALEXNET = "alexnet-imagenet-c"
"""The AlexNet whose errors on the official files the authors of ImageNet-C published."""
TESTBED_ON_DISK, TESTBED_IN_MEMORY = "alexnet-testbed-on-disk", "alexnet-testbed-in-memory"
"""The AlexNet of imagenet-testbed, measured in the two ways in which the testbed's other models were."""
ROBUSTBENCH_ALEXNET = "alexnet-robustbench"
"""The AlexNet of RobustBench, on RobustBench's 5,000 images."""
OFFICIAL, IN_MEMORY, CLEAN_ONLY, PRINTED = "official files", "in memory", "clean images only", "printed"
ALEXNET_FILE = "alexnet_imagenet_c.csv"


@dataclass(frozen=True, kw_only=True)
class PublishedGroup:
    """Models of one source under one protocol, which may be compared with one another.

    source: see `SOURCES`.
    suite, data: the corrupted set, for machines and for people.
    protocol: how the corrupted images were made.
    n: images of each cell. images: which these are, in words.
    normaliser: by which CEs are divided: the AlexNet of the same source, measured in the same way. None where the
    source has none.
    preset: the corruptions' parameters, by the name that suites use; empty where the images were made in another way
    or not corrupted.
    file: what it is read from; empty for the printed table of the paper, which holds CEs only.
    """

    source: str
    suite: str
    data: str
    protocol: str
    n: int = 50_000
    images: str = "all"
    normaliser: str | None = None
    preset: str = ""
    file: str = ""


GROUPS: tuple[PublishedGroup, ...] = (
    PublishedGroup(
        source="robustbench",
        suite="imagenet-c",
        data="ImageNet-C",
        protocol=OFFICIAL,
        n=5_000,
        images="RobustBench's fixed images",
        normaliser=ROBUSTBENCH_ALEXNET,
        preset="imagenet",
        file="robustbench_imagenet.csv",
    ),
    PublishedGroup(
        source="robustbench",
        suite="cifar10-c",
        data="CIFAR-10-C",
        protocol=OFFICIAL,
        n=10_000,
        preset="cifar",
        file="robustbench_cifar10.csv",
    ),
    PublishedGroup(
        source="robustbench",
        suite="cifar100-c",
        data="CIFAR-100-C",
        protocol=OFFICIAL,
        n=10_000,
        preset="cifar",
        file="robustbench_cifar100.csv",
    ),
    PublishedGroup(
        source="testbed",
        suite="imagenet-c",
        data="ImageNet-C",
        protocol=OFFICIAL,
        normaliser=TESTBED_ON_DISK,
        preset="imagenet",
        file="testbed_on_disk.csv",
    ),
    PublishedGroup(
        source="testbed",
        suite="imagenet-c",
        data="ImageNet-C",
        protocol=IN_MEMORY,
        normaliser=TESTBED_IN_MEMORY,
        file="testbed_in_memory.csv",
    ),
    PublishedGroup(
        source="testbed", suite="imagenet-c", data="ImageNet", protocol=CLEAN_ONLY, file="testbed_clean_only.csv"
    ),
    PublishedGroup(
        source="paper",
        suite="imagenet-c",
        data="ImageNet-C",
        protocol=PRINTED,
        normaliser="AlexNet",
        preset="imagenet",
    ),
    PublishedGroup(
        source="hendrycks",
        suite="imagenet-c",
        data="ImageNet-C",
        protocol=OFFICIAL,
        normaliser=ALEXNET,
        preset="imagenet",
        file=ALEXNET_FILE,
    ),
)
"""All groups; those of a source in the order in which tables show them."""


class PublishedModel(NamedTuple):
    """The top-1 errors of one model in percent; `errors` has those cells only that were published."""

    name: str
    errors: Mapping[Cell, float]


@cache
def published_models(file: str) -> tuple[PublishedModel, ...]:
    """The models in a file of `GROUPS`, in the order of their source."""
    if file == ALEXNET_FILE:
        errors = {Cell(name, s): row[s - 1] for name, row in alexnet_errors().items() for s in SEVERITIES}
        return (PublishedModel("AlexNet", errors),)
    return tuple(
        PublishedModel(
            row["model"],
            {Cell.from_name(name): float(value) for name, value in row.items() if name != "model" and value},
        )
        for row in _rows(file)
    )


@cache
def alexnet_errors() -> dict[str, tuple[float, ...]]:
    """AlexNet's errors on ImageNet-C, as its authors published them: corruption -> severities 1 to 5, in percent."""
    return {
        row["corruption"]: tuple(100 * float(row[f"s{severity}"]) for severity in SEVERITIES)
        for row in _rows(ALEXNET_FILE)
    }


def alexnet_of(normaliser: str) -> PublishedModel:
    """The model behind the normaliser of a group: the AlexNet among the models of that group."""
    file = next(group.file for group in GROUPS if group.normaliser == normaliser)
    return next(model for model in published_models(file) if model.name.lower() == "alexnet")


def complete_rows(model: PublishedModel) -> dict[str, tuple[float, ...]]:
    """Corruption -> errors at severities 1 to 5, of those of the 19 that have all five."""
    cells = {name: [Cell(name, severity) for severity in SEVERITIES] for name in CORRUPTIONS}
    return {
        name: tuple(model.errors[cell] for cell in row)
        for name, row in cells.items()
        if all(cell in model.errors for cell in row)
    }


class PipelineDifference(NamedTuple):
    """How far imagenet-testbed's pipeline is from that of ImageNet-C's authors, by AlexNet's errors in percent.

    on_disk, published: on the same official files, cell `cell`, the testbed's and the authors' own.
    in_memory_gain: by how much the errors in memory are lower than those on the official files, a mean over the cells
    that the testbed has both ways.
    missing: the corruptions that were not measured in memory.
    """

    cell: Cell
    on_disk: float
    published: float
    in_memory_gain: float
    missing: tuple[str, ...]


@cache
def pipeline_difference() -> PipelineDifference:
    on_disk, in_memory = (alexnet_of(name).errors for name in (TESTBED_ON_DISK, TESTBED_IN_MEMORY))
    both = [cell for cell in in_memory if cell in on_disk and cell != CLEAN_CELL]
    gain = sum(on_disk[cell] - in_memory[cell] for cell in both) / len(both)
    example = Cell("gaussian_noise", 2)
    published = alexnet_errors()[example.corruption][example.severity - 1]
    measured = {cell.corruption for cell in in_memory}
    missing = tuple(name for name in CORRUPTIONS if name not in measured)
    return PipelineDifference(example, on_disk[example], published, gain, missing)


def _rows(file: str) -> list[dict[str, str]]:
    text = files("lst_robust.published").joinpath(file).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
