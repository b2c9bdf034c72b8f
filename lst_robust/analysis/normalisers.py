"""Where a normaliser comes from: the suite, a published AlexNet, a file, or a measurement made here."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import yaml
from pydantic import ValidationError

from lst_robust.analysis.collect import shipped_suite
from lst_robust.arguments import path, shown, wrong
from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, OWN_GROUP, SEVERITIES, Cell
from lst_robust.errors import NothingToEvaluateError, UsageError
from lst_robust.records.indexed import numbers_of
from lst_robust.schema import first_mistake
from lst_robust.suites import Suite
from lst_robust.suites.normaliser import NAMED, Normaliser, load_normaliser

if TYPE_CHECKING:
    from lst_robust.analysis.evaluation import Evaluation

OF_SUITE: Literal["suite"] = "suite"
NAMES = ", ".join([OF_SUITE, "none", *NAMED])
ALL_CELLS = (CLEAN_CELL, *(Cell(name, severity) for name in CORRUPTIONS for severity in SEVERITIES))
Choice = Normaliser | str | Path | None
"""What may be given: a normaliser, None or "none" for none, "suite" for the suite's, a known name, or a YAML file."""


def resolve_normaliser(choice: Choice, suite: Suite) -> Normaliser | None:
    """The normaliser that is meant (see `Choice`) for a suite."""
    chosen = chosen_normaliser(choice)
    return suite.normaliser if isinstance(chosen, str) else chosen


def chosen_normaliser(choice: Choice) -> Normaliser | Literal["suite"] | None:
    """The normaliser that is meant, before there is a suite: "suite" stays. Raises UsageError for what is none, and for
    a file that is missing or not valid."""
    if choice is None or isinstance(choice, Normaliser):
        return choice
    if not isinstance(choice, (str, os.PathLike)):
        raise wrong("normaliser", choice, f"give a Normaliser, {NAMES}, a YAML file, or None")
    name = os.fspath(choice)
    if name == OF_SUITE:
        return OF_SUITE
    if name == "none":
        return None
    if name in NAMED:
        return NAMED[name]()
    if not isinstance(name, str) or Path(name).suffix not in (".yaml", ".yml"):
        raise UsageError(f"unknown normaliser {shown(name)}: choose {NAMES}, or give a YAML file")
    return load_normaliser(path("normaliser", choice))


@cache
def known_normaliser(name: str, suite: str) -> Normaliser | None:
    """What a name means without a file: a published normaliser, or that of the shipped suite. None for other names."""
    if name in NAMED:
        return NAMED[name]()
    shipped = shipped_suite(suite)
    own = shipped.normaliser if shipped else None
    return own if own and own.name == name else None


def require_all_cells(cells: Collection[Cell]) -> None:
    """UsageError for a request whose measurement cannot become a normaliser."""
    if len(cells) < len(ALL_CELLS):
        raise UsageError(
            f"a normaliser needs all {len(ALL_CELLS)} cells, and {len(cells)} are asked for: leave out --corruptions "
            "and --severities"
        )


def to_yaml(evaluation: Evaluation, command: str) -> str:
    """The measured errors as a normaliser's YAML, for a suite's `normaliser` key or a file of its own.

    command: how it was made. Raises NothingToEvaluateError unless every corruption was measured at every severity, and
    where `load_normaliser` would refuse the file: without any error on the clean images or on a corruption. The name is
    one that no known normaliser with other errors has.
    """
    errors, run = {cell: one.top1_error for cell, one in numbers_of(evaluation.records).items()}, evaluation.run
    missing = [cell.name for cell in ALL_CELLS if cell not in errors]
    if missing:
        raise NothingToEvaluateError(
            f"a normaliser needs all 96 cells; {len(missing)} are missing, such as {missing[0]}"
        )
    protocol = run.protocol
    fields = {
        "name": f"{run.model.name}-{protocol.suite}",
        "clean_error": round(errors[CLEAN_CELL], 4),
        "made_with": {
            "command": command,
            "n": protocol.n,
            "seed": protocol.seed,
            "train_seed": -1 if run.model.train_seed is None else run.model.train_seed,
            "engine": protocol.engine,
            "suite_version": protocol.suite_version,
            "images": protocol.images,
            "checkpoint_sha256": run.model.checkpoint_sha256,
        },
        "errors": {name: [round(errors[Cell(name, severity)], 4) for severity in SEVERITIES] for name in CORRUPTIONS},
    }
    try:
        normaliser = Normaliser.model_validate(fields)
    except ValidationError as error:
        raise NothingToEvaluateError(
            f"the errors of {run.model.name} cannot be a normaliser ({first_mistake(error)}): measure more images, "
            "such as without --limit, or take another network"
        ) from error
    known = known_normaliser(normaliser.name, protocol.suite)
    if known and known.digest() != normaliser.digest():
        fields["name"] = f"{OWN_GROUP}-{normaliser.name}"
    return yaml.safe_dump(fields, sort_keys=False, default_flow_style=None, width=120)
