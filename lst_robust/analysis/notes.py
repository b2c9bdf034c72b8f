"""Why a number of a run is None, in words: the notes of its summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lst_robust.analysis.metrics import Metric, image_metrics
from lst_robust.analysis.quantities import QUANTITIES, cells_of, rise
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.suites import Normaliser
from lst_robust.suites.normaliser import caution

FEW = 4  # corruptions that a line names


def notes(errors: Mapping[Cell, float], normaliser: Normaliser | None) -> tuple[str, ...]:
    """One line for each reason why a mean is None, with all means that it holds for."""
    lines = ["no CE and no mCE without a normaliser: give one with --normaliser"]
    if normaliser is not None:
        lines = _of_normaliser(normaliser)
    undefined: dict[str, list[str]] = {}
    for metric in image_metrics():
        if normaliser is None and metric.needs_normaliser:
            continue
        for reason in list(_of_cells(metric, errors)) or list(_of_rises(metric, normaliser)):
            undefined.setdefault(reason, []).append(metric.label if metric.needs_normaliser else metric.title)
    return (*lines, *(f"no {', '.join(means)}: {reason}" for reason, means in undefined.items()))


def _of_normaliser(normaliser: Normaliser) -> list[str]:
    """What must be known of it, and which means it does not define because it has no errors of a corruption."""
    lines = [] if (warned := caution(normaliser.name)) is None else [warned]
    divided = [metric for metric in image_metrics() if metric.needs_normaliser]
    wanted = list(dict.fromkeys(name for metric in divided for name in metric.corruptions))
    lacking = [name for name in wanted if name not in normaliser.errors]
    undefined = [metric.label for metric in divided if not set(lacking).isdisjoint(metric.corruptions)]
    if undefined:
        lines.append(f"no {', '.join(undefined)}: {normaliser.name} has no errors of {_few(lacking, wanted)}")
    return lines


def _of_cells(metric: Metric, errors: Mapping[Cell, float]) -> Iterator[str]:
    """Which cells were not measured that the metric needs."""
    if not metric.needs_normaliser and any(cell in errors for cell in metric.cells):
        return
    if CLEAN_CELL in metric.cells and CLEAN_CELL not in errors:
        yield "the clean images are not measured"
    missing = [name for name in metric.corruptions if any(cell not in errors for cell in cells_of(name))]
    if missing and metric.over_corruptions:
        yield f"not all severities of {_few(missing, metric.corruptions)} are measured"


def _of_rises(metric: Metric, normaliser: Normaliser | None) -> Iterator[str]:
    """On which corruptions the normaliser loses nothing, where the metric is divided by that."""
    if normaliser is None or not QUANTITIES[metric.quantity].needs_clean:
        return
    rows = {name: normaliser.errors[name] for name in metric.corruptions if name in normaliser.errors}
    if unharmed := [name for name, row in rows.items() if rise(row, normaliser.clean_error) <= 0]:
        yield f"{normaliser.name} itself loses nothing on {', '.join(unharmed)}"


def _few(names: Sequence[str], of: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= FEW else f"{len(names)} of the {len(of)} corruptions"
