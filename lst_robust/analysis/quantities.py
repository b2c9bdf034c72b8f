"""The quantities that metrics are means of: error, CE, relative CE, top-5 error, ECE and Brier score.

Definitions of CE: Hendrycks & Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", ICLR 2019, section 4. E(c, s) is the top-1 error on corruption c at severity s, A the normaliser's (an
AlexNet). All are in percent:

    CE(c)          = 100 · Σ_s E(c, s) / Σ_s A(c, s)
    relative CE(c) = 100 · Σ_s (E(c, s) - E_clean) / Σ_s (A(c, s) - A_clean)

Every formula is linear in the numbers of the cells. So each is written once and used twice. Given one number for each
cell, it gives a number. Given one vector for each cell, it gives a vector: from unit vectors, these are the weights of
the cells (see `lst_robust.analysis.scores`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from operator import add
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from lst_robust.benchmark import CLEAN_CELL, SEVERITIES, Cell

if TYPE_CHECKING:
    from lst_robust.records.numbers import CellNumbers
    from lst_robust.records.record import Record
    from lst_robust.suites import Normaliser

T = TypeVar("T", float, np.ndarray)


class Formula(Protocol):
    """From the numbers of the measured cells to the number of one corruption; None where that is not defined."""

    def __call__(self, values: Mapping[Cell, T], corruption: str, normaliser: Normaliser | None) -> T | None: ...


def mean(values: Sequence[T]) -> T:
    """Of at least one value."""
    return reduce(add, values) / len(values)


def corruption_error(errors: Sequence[T], normaliser_errors: Sequence[float]) -> T:
    """CE of one corruption, from its errors and the normaliser's at the five severities."""
    return 100 * reduce(add, errors) / sum(normaliser_errors)


def relative_corruption_error(
    errors: Sequence[T], clean_error: T, normaliser_errors: Sequence[float], normaliser_clean_error: float
) -> T | None:
    """Relative CE of one corruption; None where the normaliser's errors do not exceed its clean error."""
    normaliser_rise = rise(normaliser_errors, normaliser_clean_error)
    if normaliser_rise <= 0:
        return None
    return 100 * (reduce(add, errors) - len(errors) * clean_error) / normaliser_rise


def rise(errors: Sequence[float], clean_error: float) -> float:
    """By how many percent points, summed over the severities, the errors exceed the clean error."""
    # Rounded, so that 0.6 five times against a clean error of 0.6 is no rise of 1e-16.
    return round(sum(errors) - len(errors) * clean_error, 6)


@cache
def cells_of(corruption: str) -> tuple[Cell, ...]:
    """The cells of a corruption at all severities; of "clean", the one cell of the clean images."""
    if corruption == CLEAN_CELL.corruption:
        return (CLEAN_CELL,)
    return tuple(Cell(corruption, severity) for severity in SEVERITIES)


def _mean_of_measured(values: Mapping[Cell, T], corruption: str, normaliser: Normaliser | None) -> T | None:
    measured = [values[cell] for cell in cells_of(corruption) if cell in values]
    return mean(measured) if measured else None


def _ce(values: Mapping[Cell, T], corruption: str, normaliser: Normaliser | None) -> T | None:
    errors = [values[cell] for cell in cells_of(corruption) if cell in values]
    if normaliser is None or corruption not in normaliser.errors or len(errors) < len(SEVERITIES):
        return None
    return corruption_error(errors, normaliser.errors[corruption])


def _relative_ce(values: Mapping[Cell, T], corruption: str, normaliser: Normaliser | None) -> T | None:
    errors = [values[cell] for cell in cells_of(corruption) if cell in values]
    if normaliser is None or corruption not in normaliser.errors or len(errors) < len(SEVERITIES):
        return None
    if CLEAN_CELL not in values:
        return None
    return relative_corruption_error(errors, values[CLEAN_CELL], normaliser.errors[corruption], normaliser.clean_error)


@dataclass(frozen=True)
class Quantity:
    """What is known of one corruption.

    `of_cell`: the number of a cell that the formula starts from; None where the record lacks it.
    `by_image`: whether it starts from the top-1 errors. These are means over images, so the quantity has a score of
    each image, and with it intervals and comparisons.
    `needs_normaliser`: whether it is divided by a normaliser's errors. Then all severities must be measured.
    `needs_clean`: whether the clean images must be measured, too.
    """

    of_cell: Callable[[Record | CellNumbers], float | None]
    formula: Formula
    by_image: bool = False
    needs_normaliser: bool = False
    needs_clean: bool = False


QUANTITIES: Mapping[str, Quantity] = {
    "error": Quantity(lambda record: record.top1_error, _mean_of_measured, by_image=True),
    "ce": Quantity(lambda record: record.top1_error, _ce, by_image=True, needs_normaliser=True),
    "relative_ce": Quantity(
        lambda record: record.top1_error, _relative_ce, by_image=True, needs_normaliser=True, needs_clean=True
    ),
    "top5_error": Quantity(lambda record: record.top5_error, _mean_of_measured),
    "ece": Quantity(lambda record: record.calibration.ece() if record.calibration else None, _mean_of_measured),
    "brier": Quantity(lambda record: record.calibration.brier if record.calibration else None, _mean_of_measured),
}


def part(quantity: str, corruption: str) -> str:
    """The name of one corruption's quantity, such as "ce.fog"."""
    return f"{quantity}.{corruption}"
