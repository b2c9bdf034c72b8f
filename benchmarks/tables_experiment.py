"""The blocks of numbers in docs/experiment.md, from the records of the committed networks.

    python -m benchmarks.tables

What a claim comes to is not typed: it follows from two intervals, over images and over trainings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean

import pandas as pd

import lst_robust
from lst_robust.analysis import statistics
from lst_robust.analysis.comparison import Comparison, Difference
from lst_robust.analysis.networks import collect_summaries
from lst_robust.analysis.statistics import LEVEL
from lst_robust.analysis.summary import Summary
from lst_robust.benchmark import CORRUPTIONS, GROUPS
from lst_robust.paper import printed_table

RECORDS = Path(__file__).parents[1] / "results" / "published"
SUITES = ("cifar10-jpeg", "fashion-c")
NETWORKS = {
    "lst20": "LST-20",
    "lst20-relu": "LST-20, ReLU for ST",
    "resnet20": "ResNet-20",
    "senet20": "SENet-20",
    "cbam20": "CBAM-20",
    "alexnet": "AlexNet",
}

Row = dict[str, str | int]


@dataclass(frozen=True)
class Network:
    """A network by its name here, and the rows of the corresponding one of 18 layers in the paper's tables: in Table 4
    (mCE) and, if it is there, in Table 3 (error)."""

    label: str
    mce_row: str
    error_row: str | None = None


SEVERAL = "LST-20 and each network that it is compared with have several trainings"
OTHERS = {
    "resnet20": Network("ResNet-20", "ResNet-18", "ResNet"),
    "senet20": Network("SENet-20", "SENet-18", "SENet"),
    "cbam20": Network("CBAM-20", "CBAM-18", "CBAM"),
    "lst20-relu": Network("LST-20 with ReLU", "LST-Net-18 (w/o ST)"),
}
LST = Network("LST-20", "LST-Net-18 (w/ ST)", "LST-Net")


def answer() -> str:
    """A row a claim of the paper: is it so here? That follows from the 95 % intervals. The mCE is that over all 19
    corruptions, as in the paper."""
    claims = {f"a lower mCE (19) than {other.label}": ("mce19", name) for name, other in OTHERS.items()}
    claims |= {f"a lower clean error than {other.label}": ("clean_error", name) for name, other in OTHERS.items()}
    rows: list[Row] = []
    for claim, (metric, name) in claims.items():
        row: Row = {"LST-20 has": claim}
        for suite in SUITES:
            row[suite] = verdict(_against(suite, name).metrics[metric])
        of_paper = printed_difference(metric, OTHERS[name])
        row["the paper's networks of 18 layers"] = "" if of_paper is None else f"{of_paper:+.2f}"
        rows.append(row)
    return _markdown(rows)


def networks(suite: str) -> str:
    """A row a network: means of its trainings, their standard deviation, and the mCE of each."""
    folded = collect_summaries(RECORDS, suite, "suite", intervals=False, fold_seeds=True)
    found = {one.model.name: one for one in folded}
    assert len(found) == len(folded), "all trainings of a network are one entry"
    rows: list[Row] = []
    for name, label in NETWORKS.items():
        one = found[name]
        by_seed = sorted(one.trainings or (one,), key=lambda training: training.model.train_seed or 0)
        rows.append(
            {
                "network": f"**{label}**" if name == "lst20" else label,
                "trainings": len(by_seed),
                "clean error": _with_spread(one, "clean_error"),
                "mean corruption error": _with_spread(one, "mean_corruption_error"),
                "mCE (15)": _with_spread(one, "mce15"),
                "mCE (15) of seeds 0, 1, ...": ", ".join(f"{training.metrics['mce15']:.1f}" for training in by_seed),
                "mCE (19)": _with_spread(one, "mce19"),
                "relative mCE (15)": _with_spread(one, "relative_mce"),
            }
        )
    return _markdown(rows)


def pairs(suite: str) -> str:
    """LST-20's numbers minus those of each other network."""
    rows: list[Row] = []
    for name, other in OTHERS.items():
        found = _against(suite, name)
        clean, mce = found.metrics["clean_error"], found.metrics["mce15"]
        by_seed = [pair.metrics["mce15"].difference for pair in found.pairs]
        sure = [one.difference for one in found.corruptions.values() if one.p_holm is not None and one.p_holm < LEVEL]
        lower = sum(difference < 0 for difference in sure)
        rows.append(
            {
                "LST-20 against": other.label,
                "clean error": _with_interval(clean, 2),
                "mCE (15), over images": _with_interval(mce, 2),
                "p": _p(mce.p_value),
                "mCE (15) by seed": ", ".join(f"{value:+.1f}" for value in by_seed),
                "over trainings": _interval(_over_trainings(mce)),
                "CEs lower / higher, over images, Holm p < 0.05": f"{lower} / {len(sure) - lower}",
            }
        )
    return _markdown(rows)


def groups(suite: str) -> str:
    """LST-20's mean CE of each group of corruptions minus that of each other network, over trainings."""
    rows: list[Row] = []
    for group, names in GROUPS.items():
        row: Row = {"corruptions": f"{group} ({len(names)})"}
        for name, other in OTHERS.items():
            of_pairs = _against(suite, name).pairs
            values = [sum(pair.corruptions[one].difference for one in names) / len(names) for pair in of_pairs]
            spread = statistics.spread(values)
            assert spread is not None, SEVERAL
            row[f"minus {other.label}"] = _with_trainings(spread)
        rows.append(row)
    return _markdown(rows)


def corruptions(suite: str) -> str:
    """Each CE of LST-20 minus ResNet-20's, and minus that of LST-20 with ReLU."""
    rows: list[Row] = []
    for name in CORRUPTIONS:
        resnet, relu = (_against(suite, other).corruptions[name] for other in ("resnet20", "lst20-relu"))
        rows.append(
            {
                "corruption": name,
                "minus ResNet-20's": _with_interval(resnet, 1),
                "p (Holm)": _p_holm(resnet),
                "minus LST-20 with ReLU's": _with_interval(relu, 1),
                "p (Holm) ": _p_holm(relu),
            }
        )
    return _markdown(rows)


OF_A_SUITE = (networks, pairs, groups, corruptions)


@cache
def _against(suite: str, other: str) -> Comparison:
    return lst_robust.compare("lst20", other, suite=suite, results_dir=RECORDS)


def printed_difference(metric: str, other: Network) -> float | None:
    """LST-Net-18's number minus the other network's, from what the paper prints; None where it prints none. The mCE is
    the mean of the 19 printed CEs: the printed mCE of SENet-18 is another number."""
    if metric == "mce19":
        rows = {row["network"]: row for row in printed_table("table4")}
        ours, others = ([float(rows[name][one]) for one in CORRUPTIONS] for name in (LST.mce_row, other.mce_row))
        return fmean(ours) - fmean(others)
    of_18 = [row for row in printed_table("table3") if (row["family"], row["depth"]) == ("resnet", "18")]
    errors = {row["model"]: float(row["top1_error"]) for row in of_18}
    assert LST.error_row is not None
    return None if other.error_row is None else errors[LST.error_row] - errors[other.error_row]


def verdict(found: Difference) -> str:
    """`yes` where both intervals, over trainings and over images, are below 0, `no` where both are above 0. All
    trainings see the same test images, so the interval over trainings alone would forget that these are a choice."""
    spread = _over_trainings(found)
    lower, higher = max(spread.high, found.high) < 0, min(spread.low, found.low) > 0
    word = "**yes**" if lower else "**no**" if higher else "not shown"
    return f"{word}: {_with_trainings(spread)}, {spread.n} pairs"


def _over_trainings(found: Difference) -> statistics.Spread:
    assert found.seeds is not None, SEVERAL
    return found.seeds


def _with_spread(one: Summary, metric: str) -> str:
    value, spread = one.metrics[metric], one.spreads.get(metric)
    return "" if value is None else f"{value:.1f}" + (f" ± {spread.std:.1f}" if spread else "")


def _with_interval(found: Difference, decimals: int) -> str:
    return f"{found.difference:+.{decimals}f} [{found.low:+.{decimals}f}, {found.high:+.{decimals}f}]"


def _with_trainings(spread: statistics.Spread) -> str:
    return f"{spread.mean:+.2f} {_interval(spread)}"


def _interval(spread: statistics.Spread) -> str:
    return f"[{spread.low:+.2f}, {spread.high:+.2f}]"


def _p(value: float) -> str:
    """All p-values here come from random flips, so the smallest one is only an upper limit."""
    least = 1 / (1 + statistics.FLIPS)
    return f"≤ {least:.4f}" if value <= least else f"{value:.3f}"


def _p_holm(found: Difference) -> str:
    assert found.p_holm is not None, "each corruption has one"
    return f"{found.p_holm:.3f}"


def _markdown(rows: list[Row]) -> str:
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
