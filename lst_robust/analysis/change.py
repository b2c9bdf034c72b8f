"""How much a metric has changed since the baseline, and the corruptions that it is made of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lst_robust.analysis import statistics
from lst_robust.analysis.baseline import BaselineEntry
from lst_robust.analysis.collect import MeasuredRun
from lst_robust.analysis.comparison import compare_scores
from lst_robust.analysis.metrics import Metric
from lst_robust.analysis.scores import Scores, cell_weights, image_scores, weighted


class Change(NamedTuple):
    """One number, in percent. difference: current - baseline; low, high: its 95 % interval; p_value: that there is no
    difference, None where the baseline has no bits of single images."""

    baseline: float
    current: float
    difference: float
    low: float
    high: float
    p_value: float | None = None

    @property
    def by_chance(self) -> bool:
        """Whether chance explains it: the interval contains 0, or p >= 0.05. Where only a handful of images differ the
        interval is too narrow, and the p-value is exact."""
        return self.low <= 0 <= self.high or (self.p_value is not None and self.p_value >= statistics.LEVEL)

    def worse_by(self, lower_is_better: bool) -> float:
        """Below 0 it is better."""
        return self.difference if lower_is_better else -self.difference


def changes(entry: BaselineEntry, measured: MeasuredRun, metric: Metric) -> tuple[Change, dict[str, Change]]:
    """The change of the metric and of each corruption that it is made of, on the cells of the entry. The difference is
    taken image by image where the entry has its bits."""
    wanted = {metric.name, *metric.parts}
    current = image_scores({cell: measured.records[cell] for cell in entry.cells}, entry.normaliser, wanted)
    found = _unpaired(entry, current) if entry.correct is None else _paired(entry, current, wanted)
    return found.pop(metric.name), {metric.parts[name]: change for name, change in found.items()}


def _paired(entry: BaselineEntry, current: Scores, wanted: set[str]) -> dict[str, Change]:
    differences = compare_scores(current, weighted(entry.wrong(), entry.normaliser, wanted))
    return {name: Change(d.b, d.a, d.difference, d.low, d.high, d.p_value) for name, d in differences.items()}


def _unpaired(entry: BaselineEntry, current: Scores) -> dict[str, Change]:
    """When the baseline has its errors only.

    The difference is resampled as that of two independent samples, both with the scores of the current run. Models on
    the same images err together, so this interval is wider than the paired one: regressions are found later. Where no
    image's score differs from another's, the interval is that of the rule of three, ± 3 / n.
    """
    weights = cell_weights(entry.cells, entry.normaliser)
    errors = np.array(list(entry.errors.values()))
    values = current.values
    spread_of_means = statistics.resampled_means(values) - statistics.resampled_means(values, seed=statistics.SEED + 1)
    tail = (1 - statistics.CONFIDENCE) / 2
    lows, highs = np.quantile(spread_of_means, [tail, 1 - tail], axis=0).tolist()
    found = {}
    for name, now, low, high in zip(current.names, values.mean(axis=0).tolist(), lows, highs, strict=True):
        before = float(weights[name] @ errors)
        if high - low <= statistics.TIE * abs(now):  # no image's score differs from another's, to rounding
            reach = 300 / len(values) * float(np.abs(weights[name]).sum())
            low, high = low - reach, high + reach
        found[name] = Change(before, now, now - before, now - before + low, now - before + high)
    return found
