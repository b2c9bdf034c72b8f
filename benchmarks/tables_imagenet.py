"""The tables of docs/imagenet-c.md, from the records and files that benchmarks/leaderboard.py and many.py wrote."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pandas as pd

import lst_robust
from lst_robust.analysis.metrics import METRICS
from lst_robust.analysis.networks import collect_summaries
from lst_robust.analysis.summary import Summary

PUBLISHED = Path(__file__).parents[1] / "results" / "published"
RECORDS = PUBLISHED / "imagenet-sample"
JPEG, GENERATED = "imagenet-c-jpeg", "imagenet-c-generated"


def leaderboard() -> str:
    """The three networks under both protocols, one row each."""
    rows = []
    for suite in (JPEG, GENERATED):
        summaries = collect_summaries(RECORDS, suite, "suite")
        for summary in sorted(summaries, key=lambda one: one.metrics["mean_corruption_error"] or 0.0):
            rows.append(
                {
                    "protocol": summary.protocol.protocol,
                    "network": f"`{summary.label}`",
                    **{
                        METRICS[name].title: with_interval(summary, name)
                        for name in ("clean_error", "mean_corruption_error", "mce15", "mce19")
                    },
                }
            )
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


def resolution() -> str:
    """What can be told apart with these images: each pair of networks, compared image by image."""
    rows = []
    for suite, metric in ((JPEG, "mce15"), (GENERATED, "mean_corruption_error")):
        names = sorted(summary.label for summary in collect_summaries(RECORDS, suite, "none", intervals=False))
        for a, b in combinations(names, 2):
            comparison = lst_robust.compare(a, b, suite=suite, results_dir=RECORDS)
            found = comparison.metrics[metric]
            told_apart = sum(one.p_holm is not None and one.p_holm < 0.05 for one in comparison.corruptions.values())
            rows.append(
                {
                    "protocol": "generated-jpeg" if suite == JPEG else "generated",
                    "a": f"`{a}`",
                    "b": f"`{b}`",
                    "difference of": METRICS[metric].title,
                    "a - b": f"{found.difference:+.2f} [{found.low:+.2f}, {found.high:+.2f}]",
                    "p": f"{found.p_value:.4f}",
                    "corruptions told apart": f"{told_apart} of {len(comparison.corruptions)}",
                }
            )
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


def protocols() -> str:
    """What the JPEG alone does to the same networks on the same images with the same noise."""
    jpeg, generated = (
        {one.label: one for one in collect_summaries(RECORDS, suite, "none", intervals=False)}
        for suite in (JPEG, GENERATED)
    )
    rows = []
    for label in sorted(jpeg):
        change = {name: _mean(jpeg[label], name) - _mean(generated[label], name) for name in jpeg[label].errors}
        most, least = max(change, key=change.__getitem__), min(change, key=change.__getitem__)
        mean = "mean_corruption_error"
        rows.append(
            {
                "network": f"`{label}`",
                "mean corruption error, generated": f"{generated[label].metrics[mean]:.2f}",
                "generated-jpeg": f"{jpeg[label].metrics[mean]:.2f}",
                "largest change": f"{most} {change[most]:+.1f}",
                "smallest change": f"{least} {change[least]:+.1f}",
            }
        )
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


def clean() -> str:
    """The clean counts of a plain script beside ours."""
    found = pd.read_csv(PUBLISHED / "leaderboard_clean.csv")
    found["network"] = found["network"].map("`{}`".format)
    return found.rename(columns=lambda name: name.replace("_", " ")).to_markdown(index=False)


def many() -> str:
    """What several networks in one call cost."""
    found = pd.read_csv(PUBLISHED / "many.csv", keep_default_na=False)
    first = found.iloc[0]
    ratios = found[found["clock"] != ""]
    table = pd.DataFrame(
        {
            "what": ratios["what"],
            "clock": ratios["clock"].map({"wall": "wall time", "cpu": "processor time"}),
            "median": ratios["median"].map("{:.2f}".format),
            "range": [f"{low:.2f} to {high:.2f}" for low, high in zip(ratios["least"], ratios["most"], strict=True)],
        }
    )
    peaks = found[found["clock"] == ""].set_index("what")["median"]
    rounds = "1 round" if first["rounds"] == 1 else f"{first['rounds']} rounds"
    return (
        f"{table.to_markdown(index=False, disable_numparse=True)}\n\n"
        f"{first['networks'].replace(' ', ', ')}; {first['images']} photographs, {first['cells']} cells, {rounds}, "
        f"{first['threads']} CPU cores.\nThe records of one call were equal to those of several. Peak memory: "
        f"{peaks['peak memory, together (MB)']:.0f} MB in one call,\n"
        f"{peaks['peak memory, alone (MB)']:.0f} MB in the largest of the single calls."
    )


def with_interval(summary: Summary, name: str) -> str:
    """A metric in percent with its 95 % interval over images; a dash where it has no value."""
    value = summary.metrics[name]
    if value is None:
        return "–"
    ends = summary.intervals.metrics[name] if summary.intervals else None
    decimals = METRICS[name].decimals
    return f"{value:.{decimals}f}" + (f" [{ends[0]:.1f}, {ends[1]:.1f}]" if ends else "")


def _mean(summary: Summary, corruption: str) -> float:
    errors = [error for error in summary.errors[corruption] if error is not None]
    return sum(errors) / len(errors)
