"""The blocks of numbers in docs/experiment.md, from the records of the committed networks.

    python -m benchmarks.tables

No sentence about a result is typed: what a claim comes to follows from the interval over trainings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

import lst_robust
from lst_robust.analysis import statistics
from lst_robust.analysis.comparison import Comparison, Difference
from lst_robust.analysis.networks import collect_summaries
from lst_robust.analysis.statistics import Spread
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
LEVEL = 0.05

Row = dict[str, str | int]


@dataclass(frozen=True)
class Network:
    """A network by its name here, and the rows of the corresponding one of 18 layers in the paper's tables: in Table 4
    (mCE) and, if it is there, in Table 3 (error)."""

    label: str
    mce_row: str
    error_row: str | None = None


OTHERS = {
    "resnet20": Network("ResNet-20", "ResNet-18", "ResNet"),
    "senet20": Network("SENet-20", "SENet-18", "SENet"),
    "cbam20": Network("CBAM-20", "CBAM-18", "CBAM"),
    "lst20-relu": Network("LST-20 with ReLU", "LST-Net-18 (w/o ST)"),
}
LST = Network("LST-20", "LST-Net-18 (w/ ST)", "LST-Net")


def answer() -> str:
    """A row a claim of the paper: is it so here? That follows from the 95 % intervals over trainings."""
    claims = {f"lower mCE than {other.label}": ("mce15", name) for name, other in OTHERS.items()}
    claims |= {f"lower clean error than {other.label}": ("clean_error", name) for name, other in OTHERS.items()}
    rows: list[Row] = []
    for claim, (metric, name) in claims.items():
        row: Row = {"LST-20 has a": claim}
        for suite in SUITES:
            row[suite] = _verdict(_spread(_against(suite, name).metrics[metric]))
        of_paper = _printed_difference(metric, OTHERS[name])
        row["the paper's networks of 18 layers"] = "" if of_paper is None else f"{of_paper:+.2f}"
        rows.append(row)
    return _markdown(rows)


def networks(suite: str) -> str:
    """A row a network: means of its trainings, their standard deviation, and the mCE of each."""
    folded = collect_summaries(RECORDS, suite, "suite", intervals=False, fold_seeds=True)
    found = {one.model.name: one for one in folded}
    rows: list[Row] = []
    for name, label in NETWORKS.items():
        one = found[name]
        by_seed = sorted(one.trainings or (one,), key=lambda training: training.model.train_seed or 0)
        rows.append(
            {
                "network": f"**{label}**" if name == "lst20" else label,
                "trainings": len(by_seed),
                "clean error": _with_spread(one, "clean_error"),
                "mCE (15)": _with_spread(one, "mce15"),
                "mCE (15) of seeds 0, 1, ...": ", ".join(f"{training.metrics['mce15']:.1f}" for training in by_seed),
                "mCE (all 19)": _with_spread(one, "mce19"),
            }
        )
    return _markdown(rows)


def pairs(suite: str) -> str:
    """LST-20's numbers less those of each other network."""
    rows: list[Row] = []
    for name, other in OTHERS.items():
        found = _against(suite, name)
        clean, mce = found.metrics["clean_error"], found.metrics["mce15"]
        by_seed = [pair.metrics["mce15"].difference for pair in found.pairs]
        sure = [one.difference for one in found.corruptions.values() if one.p_holm is not None and one.p_holm < LEVEL]
        rows.append(
            {
                "LST-20 against": other.label,
                "clean error": _with_interval(clean, 2),
                "mCE (15), over images": _with_interval(mce, 2),
                "p": _p(mce.p_value),
                "mCE (15) by seed": ", ".join(f"{value:+.1f}" for value in by_seed),
                "over trainings": _interval(_spread(mce)),
                "CEs lower / higher, Holm p < 0.05": f"{sum(d < 0 for d in sure)} / {sum(d > 0 for d in sure)}",
            }
        )
    return _markdown(rows)


def groups(suite: str) -> str:
    """LST-20's mean CE of each group of corruptions less that of each other network, over trainings."""
    rows: list[Row] = []
    for group, names in GROUPS.items():
        row: Row = {"corruptions": f"{group} ({len(names)})"}
        for name, other in OTHERS.items():
            of_pairs = _against(suite, name).pairs
            values = [sum(pair.corruptions[one].difference for one in names) / len(names) for pair in of_pairs]
            row[f"minus {other.label}"] = _with_trainings(statistics.spread(values))
        rows.append(row)
    return _markdown(rows)


def corruptions(suite: str) -> str:
    """Each CE of LST-20 less ResNet-20's, and less that of LST-20 with ReLU."""
    rows: list[Row] = []
    for name in CORRUPTIONS:
        resnet, relu = (_against(suite, other).corruptions[name] for other in ("resnet20", "lst20-relu"))
        rows.append(
            {
                "corruption": name,
                "minus ResNet-20's": _with_interval(resnet, 1),
                "p (Holm)": f"{resnet.p_holm:.4f}",
                "minus LST-20 with ReLU's": _with_interval(relu, 1),
                "p (Holm) ": f"{relu.p_holm:.4f}",
            }
        )
    return _markdown(rows)


OF_A_SUITE = (networks, pairs, groups, corruptions)


@cache
def _against(suite: str, other: str) -> Comparison:
    return lst_robust.compare("lst20", other, suite=suite, results_dir=RECORDS)


def _printed_difference(metric: str, other: Network) -> float | None:
    """LST-Net-18's number less the other network's, as the paper prints them."""
    if metric == "mce15":
        mces = {row["network"]: float(row["mce"]) for row in printed_table("table4")}
        return mces[LST.mce_row] - mces[other.mce_row]
    of_18 = [row for row in printed_table("table3") if (row["family"], row["depth"]) == ("resnet", "18")]
    errors = {row["model"]: float(row["top1_error"]) for row in of_18}
    assert LST.error_row is not None
    return None if other.error_row is None else errors[LST.error_row] - errors[other.error_row]


def _verdict(spread: Spread) -> str:
    """`yes` where the interval over trainings is below 0, `no` where it is above 0."""
    word = "**yes**" if spread.high < 0 else "**no**" if spread.low > 0 else "not shown"
    return f"{word}: {_with_trainings(spread)}, {spread.n} trainings"


def _spread(found: Difference) -> Spread:
    assert found.seeds is not None, "each network but AlexNet has several trainings"
    return found.seeds


def _with_spread(one: Summary, metric: str) -> str:
    spread = one.spreads.get(metric)
    return f"{one.metrics[metric]:.1f}" + (f" ± {spread.std:.1f}" if spread else "")


def _with_interval(found: Difference, decimals: int) -> str:
    return f"{found.difference:+.{decimals}f} [{found.low:+.{decimals}f}, {found.high:+.{decimals}f}]"


def _with_trainings(spread: Spread | None) -> str:
    assert spread is not None, "each network but AlexNet has several trainings"
    return f"{spread.mean:+.2f} {_interval(spread)}"


def _interval(spread: Spread) -> str:
    return f"[{spread.low:+.2f}, {spread.high:+.2f}]"


def _p(value: float) -> str:
    return f"{value:.4f}" if value < 0.01 else f"{value:.2f}"


def _markdown(rows: list[Row]) -> str:
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
