"""How much a result moves when only the training seed changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lst_robust.analysis.statistics import Spread, spread
from lst_robust.reporting.tables import PROTOCOL

QUANTITIES = {"mce19": "mCE (19)", "mce15": "mCE (15)", "clean_error": "clean", "mean_corruption_error": "corrupted"}


def over_seeds(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Spread] | None]:
    """For each result, as `robustness_table` takes them, the spread of its means over the training seeds of its model
    under its protocol, in percent; None where there is one seed only. Results of one model share one dictionary.

    A seed that occurs with several checkpoints counts as often: they are different trainings.
    """
    trainings: dict[str, list[int]] = {}
    for place, result in enumerate(results):
        if result.get("train_seed") is not None:
            trainings.setdefault(_identity(result), []).append(place)
    spreads: list[dict[str, Spread] | None] = [None] * len(results)
    for places in trainings.values():
        runs = [results[place] for place in places]
        if len({run["train_seed"] for run in runs}) < 2:
            continue
        found: dict[str, Spread] = {}
        for name in QUANTITIES:
            values = [run[name] for run in runs if run.get(name) is not None]
            whole = spread(values) if len(values) == len(runs) else None
            found |= {name: whole} if whole else {}
        for place in places:
            spreads[place] = found
    return spreads


def seed_notes(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """The same as lines for people: "lst18 on digits-c, 3 trainings: mCE (15) 87.12 ± 0.91, ... (mean ± std)"."""
    lines = []
    for result, spreads in zip(results, over_seeds(results), strict=True):
        if not spreads:
            continue
        numbers = ", ".join(f"{QUANTITIES[name]} {value.mean:.2f} ± {value.std:.2f}" for name, value in spreads.items())
        n = next(iter(spreads.values())).n
        lines.append(
            f"{_name(result)} on {result['suite']}, {n} trainings: {numbers} (mean ± standard deviation over them)"
        )
    return list(dict.fromkeys(lines))


def _name(result: Mapping[str, Any]) -> str:
    return str(result.get("model_name") or result["model"])


def _identity(result: Mapping[str, Any]) -> str:
    """What the trainings of one spread have in common: network, protocol, and the cells that were measured."""
    errors = result.get("errors") or {}
    measured = [(name, *(error is not None for error in row)) for name, row in sorted(errors.items())]
    stated = [result.get(field) for field in PROTOCOL]
    return repr((_name(result), sorted((result.get("options") or {}).items()), stated, measured))
