"""The errors of another model, by which a CE is divided: an AlexNet's, published or measured."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from pydantic import Field, field_validator

from lst_robust import arguments
from lst_robust.benchmark import SEVERITIES, known_corruptions
from lst_robust.errors import unknown_name
from lst_robust.schema import Config, Floats5
from lst_robust.suites.config import read_yaml, validated

PUBLISHED = "alexnet-imagenet-c"


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


def load_normaliser(path: str | Path) -> Normaliser:
    """A normaliser from a YAML file of its own, as `lst-robust eval --write-normaliser FILE` makes it."""
    file = arguments.path("path", path)
    return validated(read_yaml(file), Normaliser, file)


@cache
def published_normaliser() -> Normaliser:
    """AlexNet's errors on ImageNet-C for all 19 corruptions and five severities, as its authors published them.

    Clean error 43.45 %: the paper's Table 3, the network behind the published figures being torchvision's AlexNet.
    """
    with open(Path(__file__).with_name("alexnet_imagenet_c.csv"), newline="") as file:
        errors = {
            row["corruption"]: tuple(100 * float(row[f"s{severity}"]) for severity in SEVERITIES)
            for row in csv.DictReader(file)
        }
    return Normaliser(
        name=PUBLISHED,
        clean_error=43.45,
        errors=errors,  # type: ignore[arg-type]  # five values each, which pydantic checks
        made_with={"source": "https://github.com/hendrycks/robustness", "n": 50_000},
    )


def require_corruption(name: str) -> None:
    """ValueError with the nearest names when there is no such corruption."""
    if name not in known_corruptions():
        raise ValueError(str(unknown_name("corruption", name, known_corruptions())))
