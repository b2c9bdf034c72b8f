"""Which published networks belong behind one's own in a scatter, and the line that is fitted to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lst_robust.analysis.metrics import Metric
from lst_robust.analysis.published import PublishedResult, published_results
from lst_robust.analysis.robustness_line import RobustnessLine, robustness_line
from lst_robust.published import IN_MEMORY, OFFICIAL, SOURCES
from lst_robust.report.measured import Measured
from lst_robust.report.request import ReportRequest
from lst_robust.suites import Suite
from lst_robust.suites.normaliser import NAMED

DATA_OF = {"imagenet-c": "imagenet", "cifar10-c": "cifar10", "cifar100-c": "cifar100"}
"""The corrupted set of published results -> the data set of suites on the same images."""
ALIKE = {"generated": IN_MEMORY, "generated-jpeg": OFFICIAL, "official": OFFICIAL}
"""Protocol of a suite -> that of the published results which were made most alike."""


class Cloud(NamedTuple):
    """results: of one group, each with a clean error and the metric. source: whose, and under which protocol."""

    results: tuple[PublishedResult, ...]
    source: str
    line: RobustnessLine | None


def of_same_images(results: Sequence[PublishedResult], suite: Suite | None) -> list[PublishedResult]:
    """Those that were measured on the data set of a suite."""
    name = None if suite is None else suite.dataset.dataset_name
    return [result for result in results if DATA_OF.get(result.group.suite) == name]


def cloud(request: ReportRequest, measured: Measured, metric: Metric) -> Cloud | None:
    """The networks of one published group on the same data set that have both numbers: of the group whose protocol is
    the most alike, then of the largest. None where there is none.

    Their CEs are divided by the normaliser of one's own networks, where that is a named one. Where it is another, mCEs
    are no distances on one scale, so there is no line.
    """
    groups: dict[tuple[str, str], list[PublishedResult]] = {}
    for result in of_same_images(_divided_alike(request, measured, metric), measured.suite):
        if result.metrics.get("clean_error") is not None and result.metrics.get(metric.name) is not None:
            groups.setdefault((result.group.source, result.group.protocol), []).append(result)
    if not groups:
        return None
    wanted = ALIKE.get(measured.table.protocol["protocol"])
    source, protocol = max(groups, key=lambda key: (key[1] == wanted, len(groups[key])))
    members = groups[source, protocol]
    normaliser = members[0].normaliser if metric.needs_normaliser else None
    alike = not metric.needs_normaliser or normaliser == measured.table.protocol["normaliser"]
    line = robustness_line([point(result, metric) for result in members]) if alike else None
    stated = f"{SOURCES[source].title}, {protocol}" + (f", CE against {normaliser}" if normaliser else "")
    return Cloud(tuple(members), stated, line)


def _divided_alike(request: ReportRequest, measured: Measured, metric: Metric) -> Sequence[PublishedResult]:
    own = measured.table.protocol["normaliser"]
    if not metric.needs_normaliser or own not in NAMED or not request.published_sets:
        return request.published
    return published_results(request.published_sets, request.match, normaliser=own)


def point(result: PublishedResult, metric: Metric) -> tuple[float, float]:
    """Clean error and the metric, of a result that has both."""
    clean, value = result.metrics["clean_error"], result.metrics[metric.name]
    assert clean is not None
    assert value is not None
    return clean, value
