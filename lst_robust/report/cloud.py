"""Which published networks belong behind one's own in a scatter, and the line that is fitted to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lst_robust.analysis.metrics import Metric
from lst_robust.analysis.published import PublishedResult, published_results
from lst_robust.analysis.robustness_line import RobustnessLine, robustness_line
from lst_robust.benchmark import Cell
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
    """results: of one group. points: clean error and the metric of each. source: whose, and under which protocol.
    no_line: why there is none; empty where there is one."""

    results: tuple[PublishedResult, ...]
    points: tuple[tuple[float, float], ...]
    source: str
    line: RobustnessLine | None
    no_line: str


def of_same_images(results: Sequence[PublishedResult], suite: Suite | None) -> list[PublishedResult]:
    """Those that were measured on the data set of a suite."""
    name = None if suite is None else suite.dataset.dataset_name
    return [result for result in results if DATA_OF.get(result.group.suite) == name]


def cloud(request: ReportRequest, measured: Measured, metric: Metric) -> Cloud | None:
    """The networks of one published group on the same data set that have both numbers: of the group whose protocol is
    the most alike, then of the largest. None where there is none.

    Their CEs are divided by the normaliser of one's own networks, where that is a published one. Their plain means are
    over the cells of one's own networks, where they have all of these. Otherwise the two are no distances on one scale,
    so there is no line.
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
    if metric.needs_normaliser:
        cells, alike = None, normaliser == measured.table.protocol["normaliser"]
        difference = "their CEs are divided by another normaliser"
    else:
        cells = _cells_of_mean(measured, metric, members)
        alike, difference = cells is not None, "they lack cells that our means are made of"
    points = tuple(_point(result, metric, cells) for result in members)
    line = robustness_line(points) if alike else None
    stated = f"{SOURCES[source].title}, {protocol}" + (f", CE against {normaliser}" if normaliser else "")
    return Cloud(tuple(members), points, stated, line, "" if line else "they are too few" if alike else difference)


def _cells_of_mean(measured: Measured, metric: Metric, members: Sequence[PublishedResult]) -> set[Cell] | None:
    """The cells over which the plain mean of one's own networks is; None where a published one lacks some of them."""
    of_own = {cell for network in measured.networks for run in network.runs for cell in run.records}
    cells = of_own.intersection(metric.cells)
    return cells if all(cells <= result.cells.keys() for result in members) else None


def _point(result: PublishedResult, metric: Metric, cells: set[Cell] | None) -> tuple[float, float]:
    """Clean error and the metric, of a result that has both. cells: those of a plain mean; None for all that it has."""
    clean, value = result.metrics["clean_error"], result.metrics[metric.name]
    if cells is not None:
        value = metric.of({cell: result.cells[cell] for cell in cells})
    assert clean is not None
    assert value is not None
    return clean, value


def _divided_alike(request: ReportRequest, measured: Measured, metric: Metric) -> Sequence[PublishedResult]:
    own = measured.table.protocol["normaliser"]
    if not metric.needs_normaliser or own not in NAMED or not request.published_sets:
        return request.published
    return published_results(request.published_sets, request.match, normaliser=own)
