"""Corruption error and what is made of it. All errors, CEs and means are in percent, as in the papers.

Definitions: Hendrycks & Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations",
ICLR 2019, section 4. E(c, s) is the top-1 error on corruption c at severity s, A the normaliser's (an AlexNet):

    CE(c)          = 100 · Σ_s E(c, s) / Σ_s A(c, s)
    relative CE(c) = 100 · Σ_s (E(c, s) - E_clean) / Σ_s (A(c, s) - A_clean)

`mce15` averages CE over ImageNet-C's 15 standard corruptions, `mce19` over all 19 (what Table 4 of the LST-Net paper
prints as mCE). `relative_mce` averages relative CE over the 15. `mean_corruption_error` is the plain mean of E over
all corruptions and severities measured, without a normaliser.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from statistics import fmean

from lst_robust.arguments import finite_number, instance, items, optional
from lst_robust.benchmark import CORRUPTIONS, SEVERITIES, STANDARD_15
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
    return 100 * sum(complete) / sum(divisors)


def relative_corruption_error(
    errors: Sequence[float | None],
    clean_error: float | None,
    normaliser_errors: Sequence[float],
    normaliser_clean_error: float,
) -> float | None:
    """Relative CE of one corruption in percent; None when a severity or the clean error is missing, or when the
    normaliser's errors do not exceed its clean error on this corruption (the ratio would have no meaning)."""
    complete, divisors = _five(errors, normaliser_errors)
    clean_error = optional(finite_number, "clean_error", clean_error)
    normaliser_rise = _rise(divisors, finite_number("normaliser_clean_error", normaliser_clean_error))
    if complete is None or clean_error is None or normaliser_rise <= 0:
        return None
    return 100 * _rise(complete, clean_error) / normaliser_rise


def rise(normaliser: Normaliser, corruption: str) -> float:
    """By how many percent points, summed over the severities, a corruption raises the normaliser's error; what is
    within a millionth of 0 is 0. Raises KeyError when the normaliser lacks the corruption."""
    return _rise(normaliser.errors[corruption], normaliser.clean_error)


def corruption_errors(errors: ErrorsBySeverity, normaliser: Normaliser) -> dict[str, float | None]:
    """CE of every corruption in `errors`, in percent; None where it is not complete or the normaliser lacks it."""
    rows, normaliser = _rows(errors), _checked_normaliser(normaliser)
    return {
        name: corruption_error(values, normaliser.errors[name]) if name in normaliser.errors else None
        for name, values in rows.items()
    }


def mean_ce(ce: Mapping[str, float | None], names: Collection[str]) -> float | None:
    """Mean of the named CEs in percent, or None when one of them is missing: a partial mCE would look like a whole."""
    instance("ce", ce, Mapping, "give the CE of each corruption by its name, as corruption_errors does")
    values = [optional(finite_number, f"ce[{name!r}]", ce.get(name)) for name in names]
    present = [value for value in values if value is not None]
    return fmean(present) if values and len(present) == len(values) else None


def mce15(ce: Mapping[str, float | None]) -> float | None:
    """ImageNet-C's mCE in percent: the mean CE of the 15 standard corruptions; None when one is missing."""
    return mean_ce(ce, STANDARD_15)


def mce19(ce: Mapping[str, float | None]) -> float | None:
    """Mean CE of all 19 corruptions in percent, the paper's mCE; None when one is missing."""
    return mean_ce(ce, CORRUPTIONS)


def relative_mce(errors: ErrorsBySeverity, clean_error: float | None, normaliser: Normaliser) -> float | None:
    """Mean relative CE over the 15 standard corruptions in percent; None when one is missing or has no meaning."""
    rows, normaliser = _rows(errors), _checked_normaliser(normaliser)
    clean_error = optional(finite_number, "clean_error", clean_error)
    relative = {
        name: relative_corruption_error(rows[name], clean_error, normaliser.errors[name], normaliser.clean_error)
        for name in STANDARD_15
        if name in rows and name in normaliser.errors
    }
    return mean_ce(relative, STANDARD_15)


def mean_corruption_error(errors: ErrorsBySeverity) -> float | None:
    """Mean top-1 error in percent over all corruptions and severities measured, not normalised; None without any."""
    values = [value for row in _rows(errors).values() for value in row if value is not None]
    return fmean(values) if values else None


def _rise(errors: Sequence[float], clean_error: float) -> float:
    # Rounded, so that 0.6 five times against a clean error of 0.6 is no rise of 1e-16.
    return round(sum(errors) - len(SEVERITIES) * clean_error, 6)


def _five(errors: Sequence[float | None], normaliser_errors: Sequence[float]) -> tuple[list[float] | None, list[float]]:
    """Both as plain numbers; None in place of the first where one of them is missing."""
    row = _row("errors", errors)
    divisors = [
        finite_number(f"normaliser_errors[{place}]", value)
        for place, value in enumerate(items("normaliser_errors", normaliser_errors, empty=True))
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
    return [optional(finite_number, f"{name}[{place}]", value) for place, value in enumerate(found)]


def _rows(errors: ErrorsBySeverity) -> dict[str, list[float | None]]:
    mend = "give five errors for each corruption, by its name"
    return {name: _row(f"errors[{name!r}]", row) for name, row in instance("errors", errors, Mapping, mend).items()}


def _checked_normaliser(normaliser: Normaliser) -> Normaliser:
    mend = "give a Normaliser, such as published_normaliser() or load_normaliser(FILE)"
    return instance("normaliser", normaliser, Normaliser, mend)
