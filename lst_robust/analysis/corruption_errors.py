"""CE and its means as functions of plain numbers. All errors, CEs and means are in percent, as in the papers.

The formulas stand in `lst_robust.analysis.quantities`, the metrics in `lst_robust.analysis.metrics`. These functions
check what they are given, and share both.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from lst_robust.analysis import quantities
from lst_robust.analysis.metrics import METRICS
from lst_robust.arguments import finite_number, instance, items, optional
from lst_robust.benchmark import CLEAN_CELL, SEVERITIES, Cell
from lst_robust.errors import UsageError
from lst_robust.suites import Normaliser

ErrorsBySeverity = Mapping[str, Sequence[float | None]]
"""Corruption name -> top-1 errors in percent at severities 1..5; None where a cell was not measured."""


def corruption_error(errors: Sequence[float | None], normaliser_errors: Sequence[float]) -> float | None:
    """CE of one corruption in percent, or None when a severity is missing.

    errors, normaliser_errors: five top-1 errors in percent, severities 1..5. Raises UsageError unless there are five
    and the normaliser's do not sum to 0.
    """
    complete, divisors = _five(errors, normaliser_errors)
    if complete is None:
        return None
    if sum(divisors) <= 0:
        raise UsageError("the normaliser's errors sum to 0, so no corruption error is defined against it")
    return quantities.corruption_error(complete, divisors)


def relative_corruption_error(
    errors: Sequence[float | None],
    clean_error: float | None,
    normaliser_errors: Sequence[float],
    normaliser_clean_error: float,
) -> float | None:
    """Relative CE of one corruption in percent; None when a severity or the clean error is missing, or when the
    normaliser's errors do not exceed its clean error on this corruption (the ratio would have no meaning).

    errors, normaliser_errors: five top-1 errors in percent, severities 1..5. The clean errors are in percent, too.
    Raises UsageError unless there are five on both sides.
    """
    complete, divisors = _five(errors, normaliser_errors)
    clean_error = optional(finite_number, "clean_error", clean_error)
    normaliser_clean_error = finite_number("normaliser_clean_error", normaliser_clean_error)
    if complete is None or clean_error is None:
        return None
    return quantities.relative_corruption_error(complete, clean_error, divisors, normaliser_clean_error)


def corruption_errors(errors: ErrorsBySeverity, normaliser: Normaliser) -> dict[str, float | None]:
    """CE of every corruption in `errors`, in percent; None where it is not complete or the normaliser lacks it.

    Raises UsageError for a row of another length than five, and as `corruption_error` does.
    """
    rows, normaliser = _rows(errors), _checked_normaliser(normaliser)
    return {
        name: corruption_error(values, normaliser.errors[name]) if name in normaliser.errors else None
        for name, values in rows.items()
    }


def mce15(ce: Mapping[str, float | None]) -> float | None:
    """ImageNet-C's mCE in percent: the mean CE of the 15 standard corruptions; None when one is missing.

    ce: as `corruption_errors` gives it. Raises UsageError for what is no mapping of finite numbers.
    """
    return _mean_ce(ce, METRICS["mce15"].corruptions)


def mce19(ce: Mapping[str, float | None]) -> float | None:
    """Mean CE of all 19 corruptions in percent, the paper's mCE; None when one is missing.

    ce: as `corruption_errors` gives it. Raises UsageError for what is no mapping of finite numbers.
    """
    return _mean_ce(ce, METRICS["mce19"].corruptions)


def relative_mce(errors: ErrorsBySeverity, clean_error: float | None, normaliser: Normaliser) -> float | None:
    """Mean relative CE over the 15 standard corruptions in percent; None when one is missing or has no meaning.

    clean_error: in percent. Raises UsageError for a row of another length than five.
    """
    values, normaliser = _by_cell(errors), _checked_normaliser(normaliser)
    clean_error = optional(finite_number, "clean_error", clean_error)
    if clean_error is not None:
        values[CLEAN_CELL] = clean_error
    return METRICS["relative_mce"].of(values, normaliser)


def mean_corruption_error(errors: ErrorsBySeverity) -> float | None:
    """Mean top-1 error in percent over the measured cells of the 19 corruptions, not normalised; None without any.
    Rows of other corruptions do not count. Raises UsageError for a row of another length than five."""
    return METRICS["mean_corruption_error"].of(_by_cell(errors))


def _mean_ce(ce: Mapping[str, float | None], names: Collection[str]) -> float | None:
    """Mean of the named CEs, or None when one of them is missing: a partial mCE would look like a whole."""
    instance("ce", ce, Mapping, "give the CE of each corruption by its name, as corruption_errors does")
    values = [optional(finite_number, f"ce[{name!r}]", ce.get(name)) for name in names]
    present = [value for value in values if value is not None]
    return quantities.mean(present) if len(present) == len(values) else None


def _five(errors: Sequence[float | None], normaliser_errors: Sequence[float]) -> tuple[list[float] | None, list[float]]:
    """Both as plain numbers; None in place of the first where one of them is missing."""
    row = _row("errors", errors)
    divisors = [
        finite_number(f"normaliser_errors[{index}]", value)
        for index, value in enumerate(items("normaliser_errors", normaliser_errors, empty=True))
    ]
    if len(row) != len(SEVERITIES) or len(divisors) != len(SEVERITIES):
        raise UsageError(
            f"a corruption error needs five errors, severities 1 to 5, on both sides, "
            f"not {len(row)} and {len(divisors)}"
        )
    present = [value for value in row if value is not None]
    return present if len(present) == len(SEVERITIES) else None, divisors


def _row(name: str, errors: object) -> list[float | None]:
    found = items(name, errors, empty=True)
    return [optional(finite_number, f"{name}[{index}]", value) for index, value in enumerate(found)]


def _rows(errors: ErrorsBySeverity) -> dict[str, list[float | None]]:
    advice = "give five errors for each corruption, by its name"
    return {name: _row(f"errors[{name!r}]", row) for name, row in instance("errors", errors, Mapping, advice).items()}


def _by_cell(errors: ErrorsBySeverity) -> dict[Cell, float]:
    """The errors of the measured cells. Raises UsageError for rows of another length than five."""
    values = {}
    for name, row in _rows(errors).items():
        if len(row) != len(SEVERITIES):
            raise UsageError(f"errors[{name!r}] has {len(row)} items: give five, of severities 1 to 5")
        for severity, value in zip(SEVERITIES, row, strict=True):
            if value is not None:
                values[Cell(name, severity)] = value
    return values


def _checked_normaliser(normaliser: Normaliser) -> Normaliser:
    advice = "give a Normaliser, such as published_normaliser() or load_normaliser(FILE)"
    return instance("normaliser", normaliser, Normaliser, advice)
