"""What the paper claims of LST-Nets, and whether the networks of docs/experiment.md show it.

What a claim comes to is not typed: it follows from two intervals, over images and over trainings, and from Holm's
correction over all claims.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import pandas as pd
from scipy.special import stdtr

import lst_robust
from lst_robust.analysis import statistics
from lst_robust.analysis.comparison import Comparison, Difference
from lst_robust.analysis.statistics import LEVEL
from lst_robust.benchmark import CORRUPTIONS
from lst_robust.paper import printed_table

RECORDS = Path(__file__).parents[1] / "results" / "published"
SUITES = ("cifar10-jpeg", "fashion-c")


@dataclass(frozen=True)
class Network:
    """How a network is called here, and the rows of the corresponding one of 18 layers in the paper's tables: in
    Table 4 (mCE) and in Table 3 (error). None where the paper has no such row."""

    label: str
    mce_row: str | None = None
    error_row: str | None = None


NETWORKS = {
    "lst20": Network("LST-20", "LST-Net-18 (w/ ST)", "LST-Net"),
    "lst20-relu": Network("LST-20 without ST", "LST-Net-18 (w/o ST)"),
    "resnet20": Network("ResNet-20", "ResNet-18", "ResNet"),
    "senet20": Network("SENet-20", "SENet-18", "SENet"),
    "cbam20": Network("CBAM-20", "CBAM-18", "CBAM"),
    "alexnet": Network("AlexNet"),
}
COMPARED = ("resnet20", "senet20", "cbam20", "lst20-relu")
"""What LST-20 is compared with."""
SEVERAL = "LST-20 and each network that it is compared with have several trainings"
METRICS = {
    "clean_error": "clean error",
    "mean_corruption_error": "mean corruption error",
    "mce15": "mCE (15)",
    "mce19": "mCE (19)",
}
CLAIMED = ("mce19", "clean_error")
"""What the paper claims to be lower. Its mCE is that over all 19 corruptions."""
NOT_SHOWN = "not shown"
SENTENCES = {
    "yes": "LST-20 has {claims}.",
    "yes, uncorrected": "Without the correction it would be shown that LST-20 has {claims}.",
    "no": "The opposite is shown: LST-20 has {claims}.",
    "no, uncorrected": "Without the correction the opposite would be shown: LST-20 has {claims}.",
}
"""What is said of the claims with each verdict."""

Row = dict[str, str | int]


class Claim(NamedTuple):
    """That LST-20 has a lower number than another network, on one suite. p_holm: the p-value over trainings, corrected
    over all claims."""

    suite: str
    metric: str
    other: str
    difference: Difference
    p_holm: float

    def words(self, word: str = "lower") -> str:
        return f"a {word} {METRICS[self.metric]} than {NETWORKS[self.other].label}"


@cache
def claims() -> tuple[Claim, ...]:
    """All claims of the page, in the order of its table: by number, by network, by suite."""
    asked = [(suite, metric, other) for metric in CLAIMED for other in COMPARED for suite in SUITES]
    found = [against(suite, other).metrics[metric] for suite, metric, other in asked]
    corrected = statistics.holm([p_over_trainings(over_trainings(one)) for one in found])
    return tuple(Claim(*one, *numbers) for one, *numbers in zip(asked, found, corrected, strict=True))


def verdict(found: Difference, p_holm: float) -> str:
    """`yes` where both intervals, over trainings and over images, are below 0, `no` where both are above 0. All
    trainings see the same test images, so the interval over trainings alone would forget that these are a choice.
    What does not outlast Holm's correction is called uncorrected."""
    spread = over_trainings(found)
    lower, higher = max(spread.high, found.high) < 0, min(spread.low, found.low) > 0
    if not (lower or higher) or found.p_value >= LEVEL:
        return NOT_SHOWN
    return ("yes" if lower else "no") + ("" if p_holm < LEVEL else ", uncorrected")


def p_over_trainings(spread: statistics.Spread) -> float:
    """Two-sided p-value of Student's t-test that the mean over trainings is 0. It is below 0.05 where the 95 % interval
    excludes 0."""
    if spread.std == 0:
        return 1.0 if spread.mean == 0 else 0.0
    return float(2 * stdtr(spread.n - 1, -abs(spread.mean) / (spread.std / spread.n**0.5)))


def summary() -> str:
    """The answer in words: how many claims are shown, and a line for each suite."""
    of_all = [verdict(claim.difference, claim.p_holm) for claim in claims()]
    opposite = f" The opposite is shown: {of_all.count('no')}." if "no" in of_all else ""
    shown_of_all = f"{of_all.count('yes')} of {len(of_all)}"
    lines = [f"Shown after the correction for the number of claims: {shown_of_all}.{opposite}\n"]
    for suite in SUITES:
        of_suite = [claim for claim in claims() if claim.suite == suite]
        judged = [(verdict(claim.difference, claim.p_holm), claim) for claim in of_suite]
        sentences = []
        for word, sentence in SENTENCES.items():
            shown = [
                claim.words("higher" if word.startswith("no") else "lower") for said, claim in judged if said == word
            ]
            if shown:
                sentences.append(sentence.format(claims=_listed(shown)))
        not_shown = sum(said == NOT_SHOWN for said, _ in judged)
        sentences.append(f"Not shown: {not_shown} of {len(of_suite)} claims.")
        lines.append(f"- **{suite}**: {' '.join(sentences)}")
    return "\n".join(lines)


def answer() -> str:
    """One row for each claim of the paper, and whether it is shown on each suite."""
    rows: dict[str, Row] = {}
    for claim in claims():
        row = rows.setdefault(claim.words(), {"LST-20 has": claim.words()})
        spread = over_trainings(claim.difference)
        word = verdict(claim.difference, claim.p_holm)
        p = f"p = {p_over_trainings(spread):.3f}, corrected {claim.p_holm:.2f}"
        shown = word if word == NOT_SHOWN else f"**{word}**"
        row[claim.suite] = f"{shown}: {with_trainings(spread)}, {spread.n} pairs, {p}"
    for claim in claims():
        of_paper = printed_difference(claim.metric, NETWORKS[claim.other])
        rows[claim.words()]["the paper's networks of 18 layers"] = "" if of_paper is None else f"{of_paper:+.2f}"
    return markdown(list(rows.values()))


@cache
def against(suite: str, other: str) -> Comparison:
    return lst_robust.compare("lst20", other, suite=suite, results_dir=RECORDS)


def printed_difference(metric: str, other: Network) -> float | None:
    """LST-Net-18's number minus the other network's, from what the paper prints; None where it prints none. The mCE is
    the mean of the 19 printed CEs: the printed mCE of SENet-18 is another number."""
    lst = NETWORKS["lst20"]
    if metric == "mce19":
        rows = {row["network"]: row for row in printed_table("table4")}
        ours, others = (
            [float(rows[name][one]) for one in CORRUPTIONS] for name in (lst.mce_row, other.mce_row) if name is not None
        )
        return fmean(ours) - fmean(others)
    of_18 = [row for row in printed_table("table3") if (row["family"], row["depth"]) == ("resnet", "18")]
    errors = {row["model"]: float(row["top1_error"]) for row in of_18}
    if lst.error_row is None or other.error_row is None:
        return None
    return errors[lst.error_row] - errors[other.error_row]


def over_trainings(found: Difference) -> statistics.Spread:
    assert found.seeds is not None, SEVERAL
    return found.seeds


def with_trainings(spread: statistics.Spread) -> str:
    return f"{spread.mean:+.2f} {interval(spread)}"


def interval(spread: statistics.Spread) -> str:
    return f"[{spread.low:+.2f}, {spread.high:+.2f}]"


def _listed(words: Sequence[str]) -> str:
    """a; a and b; a, b, and c."""
    *first, last = words
    return " and ".join(words) if len(words) < 3 else f"{', '.join(first)}, and {last}"


def markdown(rows: Sequence[Row]) -> str:
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
