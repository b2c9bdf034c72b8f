"""The blocks of numbers in README.md, and those of docs/paper.md and docs/numbers.md."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.tables_imagenet import JPEG, RECORDS, with_interval
from lst_robust import describe_models, model_names, read_baseline
from lst_robust.analysis import statistics
from lst_robust.analysis.metrics import METRICS, image_metrics
from lst_robust.analysis.networks import collect_summaries
from lst_robust.analysis.scores import weighted
from lst_robust.analysis.summary import Summary
from lst_robust.benchmark import CORRUPTIONS, STANDARD_15
from lst_robust.paper import printed_table

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "results" / "published"
GOLDENS = ROOT / "tests" / "golden" / "corruptions" / "hendrycks_224_sha256.json"
ROUNDING = 0.5 + 0.005
"""A printed CE is a whole number, and an mCE has two decimals."""
SHOWN = ("clean_error", "mean_corruption_error", "mce15", "mce19")


def digits() -> str:
    """The last lines of `make eval`, of the checkpoint that is committed."""
    (entry,) = read_baseline(PUBLISHED / "digits-c" / "baseline.json").entries
    scores = weighted(entry.wrong(), entry.normaliser, [metric.name for metric in image_metrics()])
    means, ends = scores.means(), dict(zip(scores.names, statistics.intervals(scores.values), strict=True))
    width = max(len(METRICS[name].title) for name in SHOWN)
    lines = [
        f"{METRICS[name].title:<{width}}  {means[name]:.2f} % [{ends[name][0]:.1f}, {ends[name][1]:.1f}]"
        for name in SHOWN
    ]
    return "\n".join(["```", *lines, "```"])


def table() -> str:
    """Some columns of `lst-robust table` for the networks of docs/imagenet-c.md, here with the best one first."""
    ranked = _ranked()
    shown = {METRICS[name].title: name for name in SHOWN}
    rows = [
        {"network": f"`{one.label}`", **{title: with_interval(one, name) for title, name in shown.items()}}
        for one in ranked
    ]
    (n,) = {one.protocol.n for one in ranked}
    return f"{pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)}\n\n{n} photographs of ImageNet."


def differences() -> str:
    """What makes it different: a line and a figure each."""
    equal = len(json.loads(GOLDENS.read_text()))
    speed = pd.read_csv(PUBLISHED / "corruption_speed.csv", dtype={"comparison": str})
    ratio = speed[(speed["comparison"] == "224") & (speed["severity"] == 3)]["ratio"]
    faults = pd.read_csv(PUBLISHED / "faults.csv").iloc[0]
    low, high = _coverage()
    gate = pd.read_csv(PUBLISHED / "mutants.csv").set_index("module").loc["analysis.gate"]
    tried = gate["function_mutants"] + gate["constant_mutants"]
    noticed = tried - gate["function_survivors"] - gate["constant_survivors"]
    lines = [
        ("Exact", f"with the same random draws, {equal} of the {len(CORRUPTIONS)} corruptions give the bytes of "
         "ImageNet-C's own scripts",
         "performance.md#corruptions-evaluation-fidelity", "fidelity"),
        ("Fast", f"corruptions are made {np.exp(np.log(ratio).mean()):.0f} times as fast as by imagecorruptions",
         "performance.md", "performance"),
        ("Resumable", f"{faults['lost_cells']} of {faults['finished_cells']} finished cells lost in "
         f"{faults['faults']} faults, such as killed processes and full disks", "faults.md", "faults"),
        ("Intervals", f"a 95 % interval of mCE held the truth in {low:.0f} to {high:.0f} % of simulated trials",
         "numbers.md#what-does-an-interval-say", "intervals"),
        ("Gate", f"its tests noticed {noticed} of {tried} small changes of its code in release 0.1; it passes nothing "
         "that it could not compare", "gate.md", "gate"),
    ]  # fmt: skip
    return "\n".join(f"- **{head}:** {line} ([{word}](docs/{link}))." for head, line, link, word in lines)


def interval() -> str:
    """For docs/numbers.md: what one interval says, of the best network of `table`."""
    best = _ranked()[0]
    return (
        f"`{with_interval(best, 'mce15')}`, as of `{best.label}` in [the leaderboard](imagenet-c.md#a-real-leaderboard-"
        "small-but-true):\nthe mCE of **these weights** over all images of the same kind lies about here. "
        "95 of 100 such intervals contain it."
    )


def coverage() -> str:
    """For docs/numbers.md: how often intervals held the truth, a row a setting."""
    found = pd.read_csv(PUBLISHED / "coverage.csv")
    found["share"] = (100 * found["held"] / found["trials"]).map("{:.1f} %".format)
    found["errors of the cells"] = [
        f"{100 * low:.0f} to {100 * high:.0f} %"
        for low, high in zip(found["lowest_error"], found["highest_error"], strict=True)
    ]
    wide = found.pivot(index=["n", "errors of the cells"], columns="metric", values="share")
    wide = wide[list(dict.fromkeys(found["metric"]))].sort_index().reset_index().rename_axis(columns=None)
    (trials,) = set(found["trials"])
    return f"{wide.to_markdown(index=False, disable_numparse=True)}\n\n{trials:,} trials each."


def counts() -> str:
    """For docs/paper.md: how the counts of the registered networks stand to the printed ones."""
    printed = [one for one in describe_models(model_names()) if one["paper_params"] or one["paper_macs"]]
    rows = {
        "exact": [one for one in printed if one["verdict"].startswith("exact")],
        "a misprint of the paper": [one for one in printed if "misprint" in one["verdict"]],
        "exact or within 0.1 % with `--set channel_transform=diagonal`": [
            one for one in printed if "channel_transform=diagonal" in one["verdict"]
        ],
    }
    named = {one["name"] for ones in rows.values() for one in ones}
    rest = [one for one in printed if one["name"] not in named]
    off = [one for one in rest if "off by" in one["verdict"]]
    rows["within 5 %"] = [one for one in rest if one not in off]
    rows["further off; `lst-robust models` says what is known of it"] = off
    table = pd.DataFrame(
        {
            "counts": list(rows),
            "networks": [len(ones) for ones in rows.values()],
            "which": [
                "" if what == "exact" else ", ".join(f"`{one['name']}`" for one in ones) for what, ones in rows.items()
            ],
        }
    )
    text = table.to_markdown(index=False, disable_numparse=True)
    return f"{text}\n\n{len(printed)} networks have printed counts."


def misprints() -> str:
    """For docs/paper.md: printed counts that cannot be meant."""
    rows = [
        {"network": f"`{one['name']}`", "what": one["verdict"].rpartition("misprint in the paper: ")[2]}
        for one in describe_models(model_names())
        if "misprint" in one["verdict"]
    ]
    return pd.DataFrame(rows).to_markdown(index=False)


def table4() -> str:
    """For docs/paper.md: the printed mCE beside the means of the printed CEs."""
    rows = []
    for row in printed_table("table4"):
        ce = {name: float(row[name]) for name in CORRUPTIONS}
        mean19, mean15 = (sum(ce[name] for name in names) / len(names) for names in (CORRUPTIONS, STANDARD_15))
        fits = abs(mean19 - float(row["mce"])) <= ROUNDING
        rows.append(
            {
                "network": row["network"],
                "mCE, printed": row["mce"],
                "mean of its 19 CEs": f"{mean19:.2f}",
                "mean of the 15 standard CEs": f"{mean15:.2f}",
                "fits": "yes, to rounding" if fits else "no",
            }
        )
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


def _ranked() -> list[Summary]:
    """The networks of docs/imagenet-c.md under the protocol that has an mCE, the best one first."""
    return sorted(collect_summaries(RECORDS, JPEG, "suite"), key=lambda one: one.metrics["mce15"] or 0.0)


def _coverage() -> tuple[float, float]:
    """The least and the largest share of trials, in percent, in which the interval of mCE held the truth."""
    found = pd.read_csv(PUBLISHED / "coverage.csv")
    shares = 100 * found[found["metric"] == "mce15"]["held"] / found["trials"]
    return shares.min(), shares.max()
