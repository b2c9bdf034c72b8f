"""How much a result moves when only the training seed changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lst_robust.analysis.metrics import METRICS, Metric, image_metrics, in_columns
from lst_robust.analysis.protocols import protocol_key
from lst_robust.analysis.statistics import Spread, spread
from lst_robust.analysis.summary import Summary
from lst_robust.reporting.tables import checked_summaries


def over_seeds(results: Sequence[Summary | Mapping[str, Any]]) -> list[dict[str, Spread] | None]:
    """For each result, as `robustness_table` takes them, the spread of its means over the training seeds of its model
    under its protocol, in percent; None where there is one seed only. Results of one model share one dictionary.

    A seed that occurs with several checkpoints counts as often: they are different trainings.
    """
    summaries = checked_summaries(results)
    trainings: dict[str, list[int]] = {}
    for index, summary in enumerate(summaries):
        if summary.model.train_seed is not None:
            trainings.setdefault(_identity(summary), []).append(index)
    spreads: list[dict[str, Spread] | None] = [None] * len(summaries)
    for indices in trainings.values():
        runs = [summaries[index] for index in indices]
        if len({run.model.train_seed for run in runs}) < 2:
            continue
        found: dict[str, Spread] = {}
        for metric in _metrics():
            values = [value for run in runs if (value := run.metrics.get(metric.name)) is not None]
            whole = spread(values) if len(values) == len(runs) else None
            found |= {metric.name: whole} if whole else {}
        for index in indices:
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
        lines.append(
            f"{summary.model.name} on {summary.protocol.suite}, {n} trainings: {numbers} (mean ± standard deviation "
            "over them)"
        )
    return list(dict.fromkeys(lines))


def _metrics() -> list[Metric]:
    return [metric for metric in in_columns(image_metrics()) if metric.over_seeds]


def _numbers(metric: Metric, value: Spread) -> str:
    return f"{metric.label} {value.mean:.{metric.decimals}f} ± {value.std:.{metric.decimals}f}"


def _identity(summary: Summary) -> str:
    """What the trainings of one spread have in common: network, protocol, and the cells that were measured."""
    measured = [(name, *(error is not None for error in row)) for name, row in sorted(summary.errors.items())]
    protocol = (protocol_key(summary.protocol), summary.geometry, summary.pixels, summary.normaliser)
    return repr((summary.model.name, sorted(summary.model.options.items()), protocol, measured))
