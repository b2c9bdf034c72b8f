"""What docs/experiment.md says of a claim, from differences whose answer is known, and from the committed records."""

from __future__ import annotations

from statistics import fmean

import pytest

from benchmarks.tables_experiment import OTHERS, RECORDS, SUITES, answer, pairs, printed_difference, verdict
from lst_robust.analysis.comparison import Difference
from lst_robust.analysis.networks import collect_summaries
from lst_robust.analysis.statistics import Spread
from tests.test_published_results import TRAININGS


def difference(images: tuple[float, float], trainings: tuple[float, float]) -> Difference:
    """The middle of both intervals is the difference."""
    mean = fmean(trainings)
    return Difference(50 + mean, 50, mean, *images, 0.01, seeds=Spread(mean, 1.0, 3, *trainings))


@pytest.mark.parametrize(
    ("images", "trainings", "word"),
    [
        ((-3, -1), (-3.5, -0.5), "**yes**"),
        ((1, 3), (0.5, 3.5), "**no**"),
        ((-3, -1), (-5, 1), "not shown"),  # another training may be better or worse
        ((-5, 1), (-3, -1), "not shown"),  # other images may show another sign
        ((1, 3), (-1, 5), "not shown"),
    ],
)
def test_a_claim_is_judged_by_both_intervals(images, trainings, word):
    said = verdict(difference(images, trainings))
    assert said == f"{word}: {fmean(trainings):+.2f} [{trainings[0]:+.2f}, {trainings[1]:+.2f}], 3 pairs"


def test_the_papers_differences_are_those_of_its_printed_numbers():
    """The 19 CEs of ResNet-18 add up to 1,620, those of LST-Net-18 to 1,517; the top-1 errors are 30.24 and 26.55."""
    assert printed_difference("mce19", OTHERS["resnet20"]) == pytest.approx((1517 - 1620) / 19)
    assert printed_difference("clean_error", OTHERS["resnet20"]) == pytest.approx(-3.69, abs=0.006)
    assert printed_difference("clean_error", OTHERS["lst20-relu"]) is None


@pytest.mark.parametrize("suite", SUITES)
def test_a_row_is_lst_20_minus_the_other_network(suite):
    """From the summaries of the single trainings, not from a comparison."""
    trainings = collect_summaries(RECORDS, suite, "suite", intervals=False)
    mces = {(one.model.name, one.model.train_seed): one.metrics["mce19"] for one in trainings}
    rows = [line for line in answer().splitlines() if "a lower mCE (19)" in line]
    column = 1 + SUITES.index(suite)
    for (name, other), row in zip(OTHERS.items(), rows, strict=True):
        seeds = [seed for model, seed in mces if model == name and ("lst20", seed) in mces]
        mean = fmean(mces["lst20", seed] - mces[name, seed] for seed in seeds)
        claim, said = (row.split("|")[1:][place] for place in (0, column))
        assert f"than {other.label} " in claim and f": {mean:+.2f} [" in said and f"{len(seeds)} pairs" in said
        assert f"{mean:+.1f}" != "+0.0" and len(seeds) == min(TRAININGS[suite][name], TRAININGS[suite]["lst20"])
        assert pairs(suite).count(f"| {other.label} ") == 1


def test_each_suite_of_the_experiment_is_checked_against_its_checkpoints():
    assert set(SUITES) == set(TRAININGS)
