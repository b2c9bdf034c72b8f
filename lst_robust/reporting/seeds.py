"""How much a result moves when only the training seed changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lst_robust.analysis.folding import trainings_of
from lst_robust.analysis.metrics import METRICS, Metric, image_metrics, in_columns
from lst_robust.analysis.statistics import Spread, spread
from lst_robust.analysis.summary import Summary
from lst_robust.reporting.tables import checked_summaries


def over_seeds(results: Sequence[Summary | Mapping[str, Any]]) -> list[dict[str, Spread] | None]:
    """For each result, as `robustness_table` takes them, the spread of its means over the training seeds of its model
    under its protocol, in percent; None where there is one seed only. Results of one model share one dictionary.

    A seed that occurs with several checkpoints counts as often: they are different trainings.
    """
    summaries = checked_summaries(results)
    spreads: list[dict[str, Spread] | None] = [None] * len(summaries)
    for group in trainings_of(summaries):
        of_each = [summaries[index].metrics for index in group]
        found: dict[str, Spread] = {}
        for metric in _metrics():
            values = [value for of_one in of_each if (value := of_one.get(metric.name)) is not None]
            whole = spread(values) if len(values) == len(group) else None
            found |= {metric.name: whole} if whole else {}
        for index in group:
            spreads[index] = found
    return spreads


def seed_notes(results: Sequence[Summary | Mapping[str, Any]]) -> list[str]:
    """The same as lines for people: "lst18 on digits-c, 3 trainings: mCE (15) 87.12 ± 0.91, ... (mean ± std)"."""
    summaries = checked_summaries(results)
    lines = []
    for summary, spreads in zip(summaries, over_seeds(summaries), strict=True):
        if not spreads:
            continue
        numbers = ", ".join(_numbers(METRICS[name], value) for name, value in spreads.items())
        n = next(iter(spreads.values())).n
        network = " ".join([summary.model.name, *(f"{key}={value}" for key, value in summary.model.options.items())])
        lines.append(
            f"{network} on {summary.protocol.suite}, {n} trainings: {numbers} (mean ± standard deviation over them)"
        )
    return list(dict.fromkeys(lines))


def _metrics() -> list[Metric]:
    return [metric for metric in in_columns(image_metrics()) if metric.over_seeds]


def _numbers(metric: Metric, value: Spread) -> str:
    return f"{metric.label} {value.mean:.{metric.decimals}f} ± {value.std:.{metric.decimals}f}"
