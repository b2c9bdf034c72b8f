"""CE and mCE against closed forms and against the paper's own printed table."""

from __future__ import annotations

from importlib.resources import files

import pandas as pd
import pytest

from lst_robust.analysis.corruption_errors import (
    corruption_error,
    corruption_errors,
    mce15,
    mce19,
    mean_corruption_error,
    relative_corruption_error,
    relative_mce,
)
from lst_robust.benchmark import CORRUPTIONS, STANDARD_15
from lst_robust.errors import UsageError
from lst_robust.suites import Normaliser
from lst_robust.suites.normaliser import published_normaliser

ALEXNET = published_normaliser()
# The printed CEs are whole numbers, each within .5 of its value and so their mean too; the printed mCE has two digits.
ROUNDING = 0.5 + 0.005


def flat(value: float) -> dict[str, list[float]]:
    return {name: [value] * 5 for name in CORRUPTIONS}


def test_the_normaliser_itself_scores_100():
    ce = corruption_errors(ALEXNET.errors, ALEXNET)
    assert all(value == pytest.approx(100) for value in ce.values())
    assert mce15(ce) == pytest.approx(100)
    assert mce19(ce) == pytest.approx(100)
    assert relative_mce(ALEXNET.errors, ALEXNET.clean_error, ALEXNET) == pytest.approx(100)


def test_corruption_error_divides_sums_not_severities():
    assert corruption_error([10, 20, 30, 40, 50], [50, 50, 50, 50, 100]) == pytest.approx(50)


def test_relative_mce_of_a_model_that_does_not_degrade_is_zero():
    assert relative_mce(flat(30.0), 30.0, ALEXNET) == pytest.approx(0)


def test_mean_corruption_error_averages_what_was_measured():
    errors = {"fog": [10.0, None, 30.0, None, None], "snow": [None] * 5}
    assert mean_corruption_error(errors) == pytest.approx(20)
    assert mean_corruption_error({}) is None


def test_a_corruption_of_ones_own_does_not_move_the_mean_error():
    assert mean_corruption_error({"fog": [10.0] * 5, "my_fog": [90.0] * 5}) == 10


def test_a_row_of_another_length_than_five_is_refused():
    message = r"^errors\['fog'\] has 6 items: give five, of severities 1 to 5$"
    with pytest.raises(UsageError, match=message):
        mean_corruption_error({"fog": [10.0] * 6})
    with pytest.raises(UsageError, match=message):
        relative_mce({"fog": [10.0] * 6}, 10, ALEXNET)


def test_a_missing_severity_leaves_no_partial_number():
    errors = flat(40.0) | {"fog": [40.0, 40.0, None, 40.0, 40.0]}
    ce = corruption_errors(errors, ALEXNET)
    assert ce["fog"] is None
    assert ce["snow"] is not None
    assert mce15(ce) is None
    assert mce19(ce) is None
    assert relative_mce(errors, 30.0, ALEXNET) is None


def test_a_missing_extra_corruption_spoils_mce19_only():
    errors = {name: row for name, row in flat(40.0).items() if name != "spatter"}
    ce = corruption_errors(errors, ALEXNET)
    assert mce15(ce) is not None
    assert mce19(ce) is None


def test_relative_ce_has_no_meaning_where_the_normaliser_does_not_degrade():
    assert relative_corruption_error([50] * 5, 40, [30] * 5, 30) is None


@pytest.mark.parametrize(("errors", "normaliser_errors"), [(3, 3), (5, 4), (6, 5)])
def test_five_errors_are_needed_on_both_sides(errors, normaliser_errors):
    message = f"five errors, severities 1 to 5, on both sides, not {errors} and {normaliser_errors}"
    with pytest.raises(UsageError, match=message):
        corruption_error([1] * errors, [1] * normaliser_errors)
    with pytest.raises(UsageError, match=message):
        relative_corruption_error([1] * errors, 0, [1] * normaliser_errors, 0)


def test_no_corruption_error_against_a_normaliser_without_an_error():
    with pytest.raises(UsageError, match=r"^the normaliser's errors sum to 0, so no corruption error is defined"):
        corruption_error([1] * 5, [0] * 5)
    assert corruption_error([1] * 5, [0, 0, 0, 0, 0.5]) == pytest.approx(1000)


def test_a_corruption_that_the_normaliser_lacks_has_no_ce():
    part = ALEXNET.model_copy(update={"errors": {"fog": (50.0,) * 5}})
    assert corruption_errors({"fog": [10.0] * 5, "snow": [10.0] * 5}, part) == {
        "fog": 20,
        "snow": None,
    }
    assert relative_mce(flat(40.0), 30.0, part) is None


def test_a_corruption_that_was_not_measured_leaves_no_relative_mce():
    assert relative_mce({"fog": [40.0] * 5}, 30.0, ALEXNET) is None


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
    agrees = abs(mce19(ce) - row["mce"]) <= ROUNDING
    if network == "SENet-18":  # prints 83.97 where its CEs average 84.53: a misprint, or other rounding
        assert not agrees
        assert mce19(ce) == pytest.approx(84.526, abs=1e-3)
    else:
        assert agrees, (network, mce19(ce), row["mce"])


def test_the_papers_mce_is_not_the_standard_mean_of_15():
    table = printed_table4()
    off = [abs(mce15({n: float(row[n]) for n in STANDARD_15}) - row["mce"]) for _, row in table.iterrows()]
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
