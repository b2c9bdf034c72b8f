"""CE and mCE against closed forms and against the paper's own printed table."""

from __future__ import annotations

from importlib.resources import files

import pandas as pd
import pytest

from lst_robust.analysis import metrics
from lst_robust.analysis.normalisers import published_normaliser
from lst_robust.benchmark import CORRUPTIONS, STANDARD_15
from lst_robust.errors import UsageError
from lst_robust.suites import Normaliser

ALEXNET = published_normaliser()
# The printed CEs are whole numbers, each within .5 of its value and so their mean too; the printed mCE has two digits.
ROUNDING = 0.5 + 0.005


def flat(value: float) -> dict[str, list[float]]:
    return {name: [value] * 5 for name in CORRUPTIONS}


def test_the_normaliser_itself_scores_100():
    ce = metrics.corruption_errors(ALEXNET.errors, ALEXNET)
    assert all(value == pytest.approx(100) for value in ce.values())
    assert metrics.mce15(ce) == pytest.approx(100)
    assert metrics.mce19(ce) == pytest.approx(100)
    assert metrics.relative_mce(ALEXNET.errors, ALEXNET.clean_error, ALEXNET) == pytest.approx(100)


def test_corruption_error_divides_sums_not_severities():
    assert metrics.corruption_error([10, 20, 30, 40, 50], [50, 50, 50, 50, 100]) == pytest.approx(50)


def test_relative_mce_of_a_model_that_does_not_degrade_is_zero():
    assert metrics.relative_mce(flat(30.0), 30.0, ALEXNET) == pytest.approx(0)


def test_mean_corruption_error_averages_what_was_measured():
    errors = {"fog": [10.0, None, 30.0, None, None], "snow": [None] * 5}
    assert metrics.mean_corruption_error(errors) == pytest.approx(20)
    assert metrics.mean_corruption_error({}) is None


def test_a_missing_severity_leaves_no_partial_number():
    errors = flat(40.0) | {"fog": [40.0, 40.0, None, 40.0, 40.0]}
    ce = metrics.corruption_errors(errors, ALEXNET)
    assert ce["fog"] is None
    assert ce["snow"] is not None
    assert metrics.mce15(ce) is None
    assert metrics.mce19(ce) is None
    assert metrics.relative_mce(errors, 30.0, ALEXNET) is None


def test_a_missing_extra_corruption_spoils_mce19_only():
    errors = {name: row for name, row in flat(40.0).items() if name != "spatter"}
    ce = metrics.corruption_errors(errors, ALEXNET)
    assert metrics.mce15(ce) is not None
    assert metrics.mce19(ce) is None


def test_relative_ce_has_no_meaning_where_the_normaliser_does_not_degrade():
    assert metrics.relative_corruption_error([50] * 5, 40, [30] * 5, 30) is None


@pytest.mark.parametrize(("errors", "normaliser_errors"), [(3, 3), (5, 4), (6, 5)])
def test_five_errors_are_needed_on_both_sides(errors, normaliser_errors):
    message = f"five errors, severities 1 to 5, on both sides, not {errors} and {normaliser_errors}"
    with pytest.raises(UsageError, match=message):
        metrics.corruption_error([1] * errors, [1] * normaliser_errors)
    with pytest.raises(UsageError, match=message):
        metrics.relative_corruption_error([1] * errors, 0, [1] * normaliser_errors, 0)


def test_no_corruption_error_against_a_normaliser_without_an_error():
    with pytest.raises(UsageError, match=r"^the normaliser's errors sum to 0, so no corruption error is defined"):
        metrics.corruption_error([1] * 5, [0] * 5)
    assert metrics.corruption_error([1] * 5, [0, 0, 0, 0, 0.5]) == pytest.approx(1000)


def test_a_corruption_that_the_normaliser_lacks_has_no_ce():
    part = ALEXNET.model_copy(update={"errors": {"fog": (50.0,) * 5}})
    assert metrics.corruption_errors({"fog": [10.0] * 5, "snow": [10.0] * 5}, part) == {"fog": 20, "snow": None}
    assert metrics.relative_mce(flat(40.0), 30.0, part) is None


def test_a_corruption_that_was_not_measured_leaves_no_relative_mce():
    assert metrics.relative_mce({"fog": [40.0] * 5}, 30.0, ALEXNET) is None


@pytest.mark.parametrize(("error", "expected"), [(30 + 0.8e-7, 0), (30 + 2e-7, 1e-6), (30 - 2e-7, -1e-6)])
def test_a_rise_is_known_to_a_millionth(error, expected):
    """What a sum of five errors leaves behind in float64 is no rise."""
    normaliser = ALEXNET.model_copy(update={"clean_error": 30.0, "errors": {"fog": (error,) * 5}})
    assert metrics.rise(normaliser, "fog") == pytest.approx(expected, abs=1e-12)


def test_published_alexnet_has_the_means_its_authors_print():
    # Their table of per-corruption means, e.g. gaussian_noise 88.6 %, brightness 56.5 %, saturate 65.8 %.
    mean = {name: sum(row) / 5 for name, row in ALEXNET.errors.items()}
    assert set(mean) == set(CORRUPTIONS)
    assert mean["gaussian_noise"] == pytest.approx(88.6428, abs=1e-3)
    assert mean["brightness"] == pytest.approx(56.4592, abs=1e-3)
    assert mean["saturate"] == pytest.approx(65.8248, abs=1e-3)


def printed_table4() -> pd.DataFrame:
    path = files("lst_robust.paper") / "table4_imagenet_c.csv"
    with path.open() as file:
        return pd.read_csv(file).set_index("network")


@pytest.mark.parametrize("network", printed_table4().index)
def test_the_papers_mce_is_the_mean_of_19_printed_ces(network):
    row = printed_table4().loc[network]
    ce = {name: float(row[name]) for name in CORRUPTIONS}
    agrees = abs(metrics.mce19(ce) - row["mce"]) <= ROUNDING
    if network == "SENet-18":  # prints 83.97 where its CEs average 84.53: a misprint, or other rounding
        assert not agrees
        assert metrics.mce19(ce) == pytest.approx(84.526, abs=1e-3)
    else:
        assert agrees, (network, metrics.mce19(ce), row["mce"])


def test_the_papers_mce_is_not_the_standard_mean_of_15():
    table = printed_table4()
    off = [abs(metrics.mce15({n: float(row[n]) for n in STANDARD_15}) - row["mce"]) for _, row in table.iterrows()]
    assert min(off) > ROUNDING


def test_a_normaliser_must_be_usable():
    good = ALEXNET.model_dump()
    Normaliser.model_validate(good)
    with pytest.raises(ValueError, match="all five errors are 0"):
        Normaliser.model_validate(good | {"errors": {"fog": [0, 0, 0, 0, 0]}})
    with pytest.raises(ValueError, match="did you mean fog"):
        Normaliser.model_validate(good | {"errors": {"fogg": [1, 2, 3, 4, 5]}})
    with pytest.raises(ValueError, match="between 0 and 100"):
        Normaliser.model_validate(good | {"errors": {"fog": [1, 2, 3, 4, 500]}})
