"""What docs/experiment.md says of a claim, from differences whose answer is known, and from the committed records."""

from __future__ import annotations

from statistics import fmean, stdev

import pandas as pd
import pytest
from scipy import stats

from benchmarks import experiment_claims
from benchmarks.experiment_claims import (
    CLAIMED,
    COMPARED,
    METRICS,
    NETWORKS,
    RECORDS,
    SUITES,
    Claim,
    answer,
    claims,
    p_over_trainings,
    printed_difference,
    summary,
    verdict,
)
from benchmarks.tables_experiment import corruptions, groups, mce_differences, pairs, sensitivity
from lst_robust.analysis import statistics
from lst_robust.analysis.comparison import Difference
from lst_robust.analysis.networks import collect_summaries
from lst_robust.analysis.statistics import Spread
from lst_robust.benchmark import CORRUPTIONS, GROUPS
from tests.test_published_results import TRAININGS


def difference(images: tuple[float, float], trainings: tuple[float, float], p_value: float = 0.01) -> Difference:
    """The middle of both intervals is the difference."""
    mean = fmean(trainings)
    return Difference(50 + mean, 50, mean, *images, p_value, seeds=Spread(mean, 1.0, 3, *trainings))


@pytest.mark.parametrize(
    ("images", "trainings", "p_images", "p_holm", "word"),
    [
        ((-3, -1), (-3.5, -0.5), 0.01, 0.04, "yes"),
        ((1, 3), (0.5, 3.5), 0.01, 0.04, "no"),
        ((-3, -1), (-3.5, -0.5), 0.01, 0.06, "yes, uncorrected"),
        ((1, 3), (0.5, 3.5), 0.01, 0.06, "no, uncorrected"),
        ((-3, -1), (-5, 1), 0.01, 0.04, "not shown"),  # another training may be better or worse
        ((-5, 1), (-3, -1), 0.01, 0.04, "not shown"),  # other images may show another sign
        ((1, 3), (-1, 5), 0.01, 0.04, "not shown"),
        ((-3, -1), (-3, -1), 0.06, 0.04, "not shown"),  # over images the interval and the test do not agree
    ],
)
def test_a_claim_is_judged_by_both_intervals_and_by_the_correction(images, trainings, p_images, p_holm, word):
    assert verdict(difference(images, trainings, p_images), p_holm) == word


@pytest.mark.parametrize("values", [[-1.0, -2.0, -4.0], [0.3, -0.2, 0.1, 0.5, -0.4], [2.0, 2.5]])
def test_p_over_trainings_is_that_of_the_t_test(values):
    spread = statistics.spread(values)
    assert p_over_trainings(spread) == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert (p_over_trainings(spread) < 0.05) == (not spread.low <= 0 <= spread.high)


def test_p_over_trainings_that_are_all_equal():
    assert p_over_trainings(statistics.spread([2.0, 2.0])) == 0
    assert p_over_trainings(statistics.spread([0.0, 0.0])) == 1


def test_the_papers_differences_are_those_of_its_printed_numbers():
    """The 19 CEs of ResNet-18 add up to 1,620, those of LST-Net-18 to 1,517; the top-1 errors are 30.24 and 26.55."""
    assert printed_difference("mce19", NETWORKS["resnet20"]) == pytest.approx((1517 - 1620) / 19)
    assert printed_difference("clean_error", NETWORKS["resnet20"]) == pytest.approx(-3.69, abs=0.006)
    assert printed_difference("clean_error", NETWORKS["lst20-relu"]) is None


def numbers_by_seed(suite: str, metric: str) -> dict[tuple[str, int], float]:
    """From the summaries of the single trainings, not from a comparison."""
    trainings = collect_summaries(RECORDS, suite, "suite", intervals=False)
    return {(one.model.name, one.model.train_seed): one.metrics[metric] for one in trainings}


def differences_by_seed(suite: str, other: str, metric: str) -> list[float]:
    numbers = numbers_by_seed(suite, metric)
    seeds = range(min(TRAININGS[suite][other], TRAININGS[suite]["lst20"]))
    return [numbers["lst20", seed] - numbers[other, seed] for seed in seeds]


def cells(table: str) -> pd.DataFrame:
    """A Markdown table's texts."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    return pd.DataFrame(rows[2:], columns=rows[0])


@pytest.mark.parametrize("suite", SUITES)
def test_every_claim_has_the_numbers_of_the_single_trainings(suite):
    table = cells(answer())
    asked = [(metric, other) for metric in CLAIMED for other in COMPARED]
    for (metric, other), (_, row) in zip(asked, table.iterrows(), strict=True):
        values = differences_by_seed(suite, other, metric)
        assert row["LST-20 has"] == f"a lower {METRICS[metric]} than {NETWORKS[other].label}"
        p = stats.ttest_1samp(values, 0).pvalue
        assert f": {fmean(values):+.2f} [" in row[suite]
        assert f"{len(values)} pairs, p = {p:.3f}," in row[suite]


def test_the_correction_is_over_all_claims_of_the_table():
    of_both = [
        stats.ttest_1samp(differences_by_seed(suite, other, metric), 0).pvalue
        for metric in CLAIMED
        for other in COMPARED
        for suite in SUITES
    ]
    assert [claim.p_holm for claim in claims()] == pytest.approx(statistics.holm(of_both))


@pytest.mark.parametrize("suite", SUITES)
def test_each_pair_has_its_four_differences(suite):
    table = cells(pairs(suite))
    assert len(table) == len(COMPARED) * len(METRICS)
    for (other, metric), (_, row) in zip(
        [(other, metric) for other in COMPARED for metric in METRICS], table.iterrows(), strict=True
    ):
        values = differences_by_seed(suite, other, metric)
        assert (row["LST-20 minus"], row["number"]) == (NETWORKS[other].label, METRICS[metric])
        assert row["difference, over images"].startswith(f"{fmean(values):+.2f} [")
        assert row["of seeds 0, 1, ..."] == ", ".join(f"{value:+.1f}" for value in values)
        half = float(stats.t.ppf(0.975, len(values) - 1)) * stdev(values) / len(values) ** 0.5
        assert row["over trainings"] == f"[{fmean(values) - half:+.2f}, {fmean(values) + half:+.2f}]"


def ces(suite: str, other: str) -> dict[str, float]:
    """LST-20's CEs minus the other network's, means over the common seeds."""
    trainings = collect_summaries(RECORDS, suite, "suite", intervals=False)
    found = {(one.model.name, one.model.train_seed): one.ce for one in trainings}
    seeds = range(min(TRAININGS[suite][other], TRAININGS[suite]["lst20"]))
    return {name: fmean(found["lst20", s][name] - found[other, s][name] for s in seeds) for name in CORRUPTIONS}


@pytest.mark.parametrize("suite", SUITES)
def test_groups_and_single_corruptions_are_differences_of_ces(suite):
    by_name, by_group = cells(corruptions(suite)).set_index("corruption"), cells(groups(suite))
    for other in ("resnet20", "lst20-relu"):
        of_each, column = ces(suite, other), f"minus {NETWORKS[other].label}"
        for name in CORRUPTIONS:
            assert by_name.loc[name, column].startswith(f"{of_each[name]:+.1f} [")
        for names, said in zip(GROUPS.values(), by_group[column], strict=False):  # the last row counts CEs
            assert said.startswith(f"{fmean(of_each[name] for name in names):+.2f} [")


@pytest.mark.parametrize("suite", SUITES)
def test_what_a_difference_rests_on(suite):
    table = cells(sensitivity(suite))
    for other, (_, row) in zip(COMPARED, table.iterrows(), strict=True):
        of_each = ces(suite, other)
        largest = max(of_each, key=lambda name: abs(of_each[name]))
        left = fmean(value for name, value in of_each.items() if name != largest)
        assert row["largest part"] == f"{of_each[largest] / 19:+.2f} ({largest})"
        assert row["mean of the other 18 CEs"].startswith(f"{left:+.2f} [")
        assert mce_differences(suite, other, 0) == pytest.approx(differences_by_seed(suite, other, "mce19"))
    others = [column for column in table if "with AlexNet" in column]
    assert len(others) == TRAININGS[suite]["alexnet"] - 1


def test_the_answer_in_words_names_each_claim_that_is_shown(monkeypatch):
    low, none = difference((-3, -1), (-3, -1)), difference((-3, 3), (-3, 3))
    made = (
        Claim("cifar10-jpeg", "mce19", "resnet20", low, 0.01),
        Claim("cifar10-jpeg", "mce19", "senet20", low, 0.9),
        Claim("cifar10-jpeg", "mce19", "cbam20", none, 0.9),
        Claim("fashion-c", "clean_error", "lst20-relu", none, 0.9),
        Claim("fashion-c", "clean_error", "cbam20", difference((1, 3), (1, 3)), 0.01),
        Claim("fashion-c", "mce19", "cbam20", none, 1.0),
    )
    monkeypatch.setattr(experiment_claims, "claims", lambda: made)
    assert summary().splitlines() == [
        "Shown after the correction for the number of claims: 1 of 6. The opposite is shown: 1.",
        "",
        "- **cifar10-jpeg**: LST-20 has a lower mCE (19) than ResNet-20. Without the correction it would be shown that "
        "LST-20 has a lower mCE (19) than SENet-20. Not shown: 1 of 3 claims.",
        "- **fashion-c**: The opposite is shown: LST-20 has a higher clean error than CBAM-20. Not shown: 2 of 3 "
        "claims.",
    ]
    monkeypatch.setattr(experiment_claims, "claims", lambda: made[2:4])
    assert summary().splitlines()[2] == "- **cifar10-jpeg**: Not shown: 1 of 1 claims."


def test_each_suite_of_the_experiment_is_checked_against_its_checkpoints():
    assert set(SUITES) == set(TRAININGS)
