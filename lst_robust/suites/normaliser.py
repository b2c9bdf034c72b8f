"""The errors of another model, by which a CE is divided: an AlexNet's, published or measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

from pydantic import Field, field_validator

from lst_robust import arguments
from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, known_corruptions
from lst_robust.errors import UsageError, unknown_name
from lst_robust.published import (
    ALEXNET,
    SOURCES,
    TESTBED_IN_MEMORY,
    TESTBED_ON_DISK,
    alexnet_errors,
    alexnet_of,
    complete_rows,
    pipeline_difference,
)
from lst_robust.schema import Config, Floats5
from lst_robust.suites.config import read_yaml, validated


class Normaliser(Config):
    """The model whose summed errors divide ours: CE = 100 · Σ_s E(s) / Σ_s E_normaliser(s). All errors in percent."""

    name: str
    clean_error: float = Field(gt=0, le=100)
    errors: dict[str, Floats5]
    made_with: dict[str, str | int | float]

    @field_validator("errors")
    @classmethod
    def _known_and_usable(cls, errors: dict[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
        for corruption, values in errors.items():
            require_corruption(corruption)
            if any(not 0 <= value <= 100 for value in values):
                raise ValueError(f"{corruption}: errors are percentages between 0 and 100, not {list(values)}")
            if sum(values) == 0:
                raise ValueError(f"{corruption}: all five errors are 0, so no CE can be computed against them")
        return errors

    def digest(self) -> str:
        """Short hash of the errors: two normalisers may have one name, and only equal errors make the same CE."""
        errors = [self.errors.get(name) for name in CORRUPTIONS]
        further = [[name, self.errors[name]] for name in sorted(self.errors.keys() - set(CORRUPTIONS))]
        content = json.dumps([self.clean_error, errors, *([further] if further else [])])
        return hashlib.sha256(content.encode()).hexdigest()[:12]


def load_normaliser(path: str | Path) -> Normaliser:
    """A normaliser from a YAML file of its own, as `lst-robust eval --write-normaliser FILE` makes it.

    Raises UsageError, one line a mistake.
    """
    file = arguments.path("path", path)
    normaliser = validated(read_yaml(file), Normaliser, file)
    try:
        require_own_name(normaliser)
    except ValueError as error:
        raise UsageError(f"{file}: {error}") from error
    return normaliser


@cache
def published_normaliser() -> Normaliser:
    """AlexNet's errors on ImageNet-C for all 19 corruptions and five severities, as its authors published them.

    Clean error 43.45 %: the paper's Table 3, the network behind the published figures being torchvision's AlexNet.
    """
    return Normaliser(
        name=ALEXNET,
        clean_error=43.45,
        errors=alexnet_errors(),  # type: ignore[arg-type]  # five values each, which pydantic checks
        made_with={"source": SOURCES["hendrycks"].url, "n": 50_000},
    )


@cache
def imagenet_testbed_normaliser(name: str) -> Normaliser:
    """The errors of imagenet-testbed's AlexNet: "alexnet-testbed-on-disk" on the official files of ImageNet-C,
    "alexnet-testbed-in-memory" on images that the testbed corrupted in memory, without JPEG.

    The latter lacks a corruption (see `caution`), which leaves mCE undefined.
    """
    model = alexnet_of(name)
    return Normaliser(
        name=name,
        clean_error=model.errors[CLEAN_CELL],
        errors=complete_rows(model),  # type: ignore[arg-type]  # five values each, which pydantic checks
        made_with={"source": SOURCES["testbed"].url, "state": SOURCES["testbed"].state, "n": 50_000},
    )


NAMED: Mapping[str, Callable[[], Normaliser]] = {
    ALEXNET: published_normaliser,
    TESTBED_ON_DISK: partial(imagenet_testbed_normaliser, TESTBED_ON_DISK),
    TESTBED_IN_MEMORY: partial(imagenet_testbed_normaliser, TESTBED_IN_MEMORY),
}
"""The normalisers that have a name."""


def require_own_name(normaliser: Normaliser) -> None:
    """ValueError for one that is called as a published one but has other errors."""
    name = normaliser.name
    if name in NAMED and normaliser.digest() != NAMED[name]().digest():
        raise ValueError(
            f"name: {name!r} means a published normaliser, and these errors are others, or there are more of them: "
            "choose another name"
        )


def caution(name: str | None) -> str | None:
    """What must be known where a normaliser of that name is used; None where there is nothing to say."""
    if name not in (TESTBED_ON_DISK, TESTBED_IN_MEMORY):
        return None
    found = pipeline_difference()
    pipelines = (
        f"has {found.on_disk:.2f} % on {found.cell.name}, where the authors of ImageNet-C publish "
        f"{found.published:.2f} %, so a difference of pipelines is mixed in."
    )
    if name == TESTBED_ON_DISK:
        return f"Caution: {name} is the AlexNet of imagenet-testbed, which {pipelines}"
    return (
        f"Caution: {name} is the AlexNet of imagenet-testbed, corrupted in memory. On the official files it "
        f"{pipelines} In memory its errors are {found.in_memory_gain:.1f} points lower on average. It has no errors of "
        f"{', '.join(found.missing)}, so there is no mCE."
    )


def require_corruption(name: str) -> None:
    """ValueError with the nearest names when there is no such corruption."""
    if name not in known_corruptions():
        raise ValueError(str(unknown_name("corruption", name, known_corruptions())))
