"""The blocks of numbers in docs/experiment.md, from the records of the committed networks."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

import lst_robust
from lst_robust.analysis.comparison import Comparison, Difference
from lst_robust.analysis.networks import collect_summaries
from lst_robust.analysis.summary import Summary
from lst_robust.benchmark import CORRUPTIONS
from lst_robust.paper import printed_table

RECORDS = Path(__file__).parents[1] / "results" / "published"
SUITE = "cifar10-jpeg"
NETWORKS = {
    "lst20": "LST-20",
    "lst20-relu": "LST-20, ReLU for ST",
    "resnet20": "ResNet-20",
    "senet20": "SENet-20",
    "cbam20": "CBAM-20",
    "alexnet": "AlexNet",
}
OTHERS = {"resnet20": "ResNet-20", "senet20": "SENet-20", "cbam20": "CBAM-20", "lst20-relu": "LST-20 with ReLU"}
LEVEL = 0.05


def networks() -> str:
    """A row a network: means of its trainings, their standard deviation, and the mCE of each."""
    folded = collect_summaries(RECORDS, SUITE, "suite", intervals=False, fold_seeds=True)
    found = {one.model.name: one for one in folded}
    rows = []
    for name, label in NETWORKS.items():
        one = found[name]
        by_seed = sorted(one.trainings or (one,), key=lambda training: training.model.train_seed or 0)
        rows.append(
            {
                "network": f"**{label}**" if name == "lst20" else label,
                "clean error": _with_spread(one, "clean_error"),
                "mCE (15)": _with_spread(one, "mce15"),
                "mCE (15) of seeds 0, 1, 2": ", ".join(f"{training.metrics['mce15']:.1f}" for training in by_seed),
                "mCE (all 19)": _with_spread(one, "mce19"),
            }
        )
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


def pairs() -> str:
    """LST-20's numbers less those of each other network."""
    rows = []
    for name, label in OTHERS.items():
        clean, mce = (_against(name).metrics[metric] for metric in ("clean_error", "mce15"))
        by_seed = [pair.metrics["mce15"].difference for pair in _against(name).pairs]
        of_all = _against(name).corruptions.values()
        sure = [one.difference for one in of_all if one.p_holm is not None and one.p_holm < LEVEL]
        rows.append(
            {
                "LST-20 against": label,
                "clean error": _with_interval(clean, 2),
                "mCE (15), over images": _with_interval(mce, 2),
                "p": _p(mce.p_value),
                "mCE (15) by seed": ", ".join(f"{value:+.1f}" for value in by_seed),
                "over trainings": _over_trainings(mce),
                "CEs lower / higher, Holm p < 0.05": f"{sum(d < 0 for d in sure)} / {sum(d > 0 for d in sure)}",
            }
        )
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


def corruptions() -> str:
    """Each CE of LST-20 less ResNet-20's, and less that of LST-20 with ReLU."""
    rows = []
    for name in CORRUPTIONS:
        resnet, relu = (_against(other).corruptions[name] for other in ("resnet20", "lst20-relu"))
        rows.append(
            {
                "corruption": name,
                "less ResNet-20's": _with_interval(resnet, 1),
                "p (Holm)": f"{resnet.p_holm:.4f}",
                "less LST-20 with ReLU's": _with_interval(relu, 1),
                "p (Holm) ": f"{relu.p_holm:.4f}",
            }
        )
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


def answer() -> str:
    """What the tables say of the paper's claims, with the paper's own differences of the 18-layer networks."""
    mces = {other: _against(other).metrics["mce15"] for other in OTHERS}
    cleans = {other: _against(other).metrics["clean_error"] for other in OTHERS}
    printed = {row["network"]: float(row["mce"]) for row in printed_table("table4")}
    paper_resnet = printed["LST-Net-18 (w/ ST)"] - printed["ResNet-18"]
    paper_st = printed["LST-Net-18 (w/ ST)"] - printed["LST-Net-18 (w/o ST)"]
    return (
        f"- **Lower mCE than ResNet: yes with each of three seeds** ({mces['resnet20'].difference:+.1f}; the paper: "
        f"{paper_resnet:+.1f} for the 18-layer\n  networks), but the interval over trainings still holds 0. "
        "**Than SENet: on average, with two seeds of three. Than CBAM:\n  not shown.** The mCE of one network differs "
        f"by up to {_largest_range():.0f} points between seeds. That is more than the networks\n  differ. The "
        "intervals over images speak of these weights only.\n"
        "- **LST-20 gains on blur** (defocus, motion, zoom, Gaussian: against all three), and not on noise. The paper "
        "prints gains of\n  6 to 8 points on noise.\n"
        "- **Lower clean error: yes against ResNet and SENet in these trainings.** Their intervals over images do not "
        "hold 0. Those\n  over trainings do: "
        f"{_over_trainings(cleans['resnet20'])} and {_over_trainings(cleans['senet20'])}. LST-20 has a third fewer "
        "parameters. Against CBAM it is\n  not shown.\n"
        f"- **Soft thresholding lowers mCE: no** ({mces['lst20-relu'].difference:+.1f} on these weights, within chance "
        f"over trainings; the paper: {paper_st:+.2f}). It\n  helps on `pixelate` and `gaussian_blur`. It harms on "
        "Gaussian, shot and impulse noise and on `glass_blur`."
    )


@cache
def _against(other: str) -> Comparison:
    return lst_robust.compare("lst20", other, suite=SUITE, results_dir=RECORDS)


def _largest_range() -> float:
    """The largest distance of two trainings of one network, in points of mCE."""
    found = collect_summaries(RECORDS, SUITE, "suite", intervals=False)
    values: dict[str, list[float]] = {}
    for one in found:
        values.setdefault(one.model.name, []).append(one.metrics["mce15"] or 0.0)
    return max(max(of_one) - min(of_one) for of_one in values.values())


def _with_spread(one: Summary, metric: str) -> str:
    spread = one.spreads.get(metric)
    return f"{one.metrics[metric]:.1f}" + (f" ± {spread.std:.1f}" if spread else "")


def _with_interval(found: Difference, decimals: int) -> str:
    return f"{found.difference:+.{decimals}f} [{found.low:+.{decimals}f}, {found.high:+.{decimals}f}]"


def _over_trainings(found: Difference) -> str:
    assert found.seeds is not None
    return f"[{found.seeds.low:+.1f}, {found.seeds.high:+.1f}]"


def _p(value: float) -> str:
    return f"{value:.4f}" if value < 0.01 else f"{value:.2f}"
