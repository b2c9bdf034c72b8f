"""The tables of docs/experiment.md, one for each suite, from the records of the committed networks.

python -m benchmarks.tables
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from statistics import fmean

from benchmarks.experiment_claims import (
    COMPARED,
    METRICS,
    NETWORKS,
    RECORDS,
    SEVERAL,
    Row,
    against,
    interval,
    markdown,
    over_trainings,
    with_trainings,
)  # fmt: skip
from lst_robust.analysis import statistics
from lst_robust.analysis.comparison import Difference
from lst_robust.analysis.networks import collect_summaries
from lst_robust.analysis.statistics import LEVEL
from lst_robust.analysis.summary import Summary
from lst_robust.benchmark import CORRUPTIONS, GROUPS


def networks(suite: str) -> str:
    """One row for each network: means of its trainings, their standard deviation, and the mCE of each."""
    folded = collect_summaries(RECORDS, suite, "suite", intervals=False, fold_seeds=True)
    found = {one.model.name: one for one in folded}
    assert len(found) == len(folded), "all trainings of a network are one entry"
    rows: list[Row] = []
    for name, network in NETWORKS.items():
        one = found[name]
        by_seed = sorted(one.trainings or (one,), key=lambda training: training.model.train_seed or 0)
        rows.append(
            {
                "network": f"**{network.label}**" if name == "lst20" else network.label,
                "trainings": len(by_seed),
                "clean error": _with_spread(one, "clean_error"),
                "mean corruption error": _with_spread(one, "mean_corruption_error"),
                "mCE (15)": _with_spread(one, "mce15"),
                "mCE (15) of seeds 0, 1, ...": ", ".join(f"{training.metrics['mce15']:.1f}" for training in by_seed),
                "mCE (19)": _with_spread(one, "mce19"),
                "relative mCE (15)": _with_spread(one, "relative_mce"),
            }
        )
    return markdown(rows)


def pairs(suite: str) -> str:
    """LST-20's numbers minus those of each other network."""
    rows: list[Row] = []
    for name in COMPARED:
        found = against(suite, name)
        for metric, title in METRICS.items():
            difference = found.metrics[metric]
            by_seed = [pair.metrics[metric].difference for pair in found.pairs]
            rows.append(
                {
                    "LST-20 minus": NETWORKS[name].label,
                    "number": title,
                    "difference, over images": _with_interval(difference, 2),
                    "p": _p(difference.p_value, difference.p_value),
                    "of seeds 0, 1, ...": ", ".join(f"{value:+.1f}" for value in by_seed),
                    "over trainings": interval(over_trainings(difference)),
                }
            )
    return markdown(rows)


def groups(suite: str) -> str:
    """LST-20's mean CE of each group of corruptions minus that of each other network, over trainings, and how many CEs
    differ over images."""
    rows: list[Row] = []
    for group, names in GROUPS.items():
        row: Row = {"corruptions": f"{group} ({len(names)})"}
        for name in COMPARED:
            of_pairs = against(suite, name).pairs
            row[f"minus {NETWORKS[name].label}"] = with_trainings(
                _spread([fmean(pair.corruptions[one].difference for one in names) for pair in of_pairs])
            )
        rows.append(row)
    last: Row = {"corruptions": "CEs lower / higher, over images"}
    for name in COMPARED:
        corrected = [(one.difference, one.p_holm) for one in against(suite, name).corruptions.values()]
        differ = [difference for difference, p in corrected if p is not None and p < LEVEL]
        lower = sum(difference < 0 for difference in differ)
        last[f"minus {NETWORKS[name].label}"] = f"{lower} / {len(differ) - lower}"
    return markdown([*rows, last])


def sensitivity(suite: str) -> str:
    """What the difference of the mCE (19) rests on: the corruption with the largest part in it, what is left without
    that one, and the difference with AlexNets of other training seeds as normaliser. All over trainings."""
    rows: list[Row] = []
    alexnets = sorted(seed for name, seed in _errors(suite) if name == "alexnet" and seed != 0)
    for name in COMPARED:
        found = against(suite, name)
        parts = {one: difference.difference / len(CORRUPTIONS) for one, difference in found.corruptions.items()}
        largest = max(parts, key=lambda one: abs(parts[one]))
        others = [one for one in CORRUPTIONS if one != largest]
        left = [fmean(pair.corruptions[one].difference for one in others) for pair in found.pairs]
        row: Row = {
            "LST-20 minus": NETWORKS[name].label,
            "mCE (19)": f"{found.metrics['mce19'].difference:+.2f}",
            "largest part": f"{parts[largest]:+.2f} ({largest})",
            "mean of the other 18 CEs": with_trainings(_spread(left)),
        }
        for seed in alexnets:
            row[f"mCE (19) with AlexNet of seed {seed}"] = with_trainings(_spread(mce_differences(suite, name, seed)))
        rows.append(row)
    return markdown(rows)


def corruptions(suite: str) -> str:
    """Each CE of LST-20 minus ResNet-20's, and minus that of LST-20 without ST."""
    rows: list[Row] = []
    for name in CORRUPTIONS:
        row: Row = {"corruption": name}
        for other in ("resnet20", "lst20-relu"):
            found, label = against(suite, other).corruptions[name], NETWORKS[other].label
            assert found.p_holm is not None, "each corruption has one"
            row |= {f"minus {label}": _with_interval(found, 1), f"p, {label}": _p(found.p_holm, found.p_value)}
        rows.append(row)
    return markdown(rows)


OF_A_SUITE = (networks, pairs, groups, sensitivity, corruptions)


def mce_differences(suite: str, other: str, alexnet_seed: int) -> list[float]:
    """The mCE (19) of LST-20 minus that of another network, of each seed that both have, with the AlexNet of that
    training seed as normaliser. In points."""
    errors = _errors(suite)
    normaliser = errors["alexnet", alexnet_seed]
    mces = {
        key: 100 * fmean(sums[one] / normaliser[one] for one in CORRUPTIONS)
        for key, sums in errors.items()
        if key[0] in ("lst20", other)
    }
    return [
        mces["lst20", seed] - mce for (name, seed), mce in mces.items() if name == other and ("lst20", seed) in mces
    ]


@cache
def _errors(suite: str) -> dict[tuple[str, int], dict[str, float]]:
    """Of each network and training seed: the sum of its errors over the severities, for each corruption."""
    found = {}
    for one in collect_summaries(RECORDS, suite, "suite", intervals=False):
        sums = {name: sum(error for error in one.errors[name] if error is not None) for name in CORRUPTIONS}
        found[one.model.name, one.model.train_seed or 0] = sums
    return found


def _spread(values: Sequence[float]) -> statistics.Spread:
    found = statistics.spread(values)
    assert found is not None, SEVERAL
    return found


def _with_spread(one: Summary, metric: str) -> str:
    value, spread = one.metrics[metric], one.spreads.get(metric)
    return "" if value is None else f"{value:.1f}" + (f" ± {spread.std:.1f}" if spread else "")


def _with_interval(found: Difference, decimals: int) -> str:
    return f"{found.difference:+.{decimals}f} [{found.low:+.{decimals}f}, {found.high:+.{decimals}f}]"


def _p(shown: float, uncorrected: float) -> str:
    """A p-value over images, perhaps a corrected one. It comes from random flips, so the smallest is an upper limit."""
    return f"{'≤ ' if uncorrected <= 1 / (1 + statistics.FLIPS) else ''}{shown:.4f}"
