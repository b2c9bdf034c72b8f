"""The networks of a results folder, by protocol: what may stand in one table or figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from lst_robust.analysis.comparison import Comparison, compare_networks
from lst_robust.analysis.metrics import Metric, headline
from lst_robust.analysis.networks import MeasuredNetwork, collect_networks
from lst_robust.analysis.protocols import shortened
from lst_robust.analysis.selection import label as selector
from lst_robust.analysis.selection import matches
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import LstRobustError, NothingToEvaluateError, one_line
from lst_robust.records.record import Record
from lst_robust.report.request import ReportRequest
from lst_robust.reporting.protocols import PROTOCOL
from lst_robust.reporting.tables import TableGroup, columns_of, groups, protocol_of, robustness_table
from lst_robust.suites import Suite


@dataclass(frozen=True)
class Measured:
    """The networks that were measured under one protocol, the best one first.

    table: the same as `lst-robust table` shows it; its rows are in the order of `networks`. A mean over fewer cells
    than others have is not in it, and is no value of the network here, either.
    metric: the one that counts most, see `headline`; None where only corruptions from outside were measured.
    """

    networks: tuple[MeasuredNetwork, ...]
    table: TableGroup
    metric: Metric | None

    @property
    def name(self) -> str:
        return self.networks[0].summary.protocol.suite

    @property
    def suite(self) -> Suite | None:
        """None when its file does not ship with the package."""
        return self.networks[0].runs[0].suite

    @property
    def has_ce(self) -> bool:
        return self.table.protocol["measure"] == "ce"

    def value(self, label: str, metric: Metric) -> float | None:
        """As the table shows it, see there."""
        return self.number(label, metric.name)

    def number(self, label: str, quantity: str) -> float | None:
        """Of a metric or of a corruption, as the table shows it; None where it shows none."""
        names = [name for _, name in columns_of(self.table.frame)]
        if quantity not in names:
            return None
        row = [name for name, _ in self.labelled()].index(label)
        found = self.table.frame.iloc[:, names.index(quantity)].tolist()[row]
        return None if math.isnan(found) else found

    def common_cells(self) -> set[Cell]:
        """The cells that all networks have."""
        return set.intersection(*(set(run.records) for network in self.networks for run in network.runs))

    def labelled(self) -> list[tuple[str, MeasuredNetwork]]:
        return [(network.summary.label, network) for network in self.networks]


def measured_networks(request: ReportRequest, *, predictions: bool = False) -> list[Measured]:
    """All networks that are asked for, with their trainings folded, by protocol, in the order of the folders.

    predictions: also the predicted class and confidence of each image. Raises NothingToEvaluateError where there is no
    record, or none of a model that is named.
    """
    networks = collect_networks(
        request.results_dir,
        request.suite,
        request.normaliser,
        fold_seeds=True,
        predictions=predictions,
        models=request.models,
    )
    by_protocol: dict[tuple[str, ...], list[MeasuredNetwork]] = {}
    for network in networks:
        by_protocol.setdefault(protocol_of(network.summary), []).append(network)
    return [_measured(members) for members in by_protocol.values()]


def best_of(measured: Measured, most: int, reference: str | None) -> Measured:
    """The best networks, as many as `most`, and the reference, where it is one of these networks."""
    if len(measured.networks) <= most:
        return measured
    chosen = list(measured.networks[:most])
    named = None if reference is None else reference_of(measured, reference)
    if named is not None and all(named is not network for network in chosen):
        chosen.append(named)
    return _measured(chosen)


def in_memory(measured: Measured) -> Measured:
    """The same networks, with the records of all their cells read, for figures that go through them cell by cell."""
    networks = [
        MeasuredNetwork(
            network.summary,
            tuple(run._replace(records=dict(run.records)) for run in network.runs),
            network.normaliser,
        )
        for network in measured.networks
    ]
    return Measured(tuple(networks), measured.table, measured.metric)


def only_one(measured: Sequence[Measured]) -> Measured:
    """The protocol of a single figure. Raises NothingToEvaluateError, which says how to choose one of several."""
    if len(measured) > 1:
        titles = titles_of(measured)
        first = [selector(one.networks[0].runs[0].run) for one in measured]
        listed = "; ".join(f"{title}: --model {name}" for title, name in zip(titles, first, strict=True))
        raise NothingToEvaluateError(
            f"a figure shows one protocol, and these records are of {len(measured)}: choose a --suite, or networks of "
            f"one of them, such as {listed}"
        )
    return measured[0]


def titles_of(measured: Sequence[Measured]) -> list[str]:
    """The suite of each; of several protocols of one suite also what tells them apart, such as "n 400"."""
    titles = []
    for one in measured:
        alike = [other for other in measured if other.name == one.name]
        different = [field for field in PROTOCOL if len({other.table.protocol[field] for other in alike}) > 1]
        told = [_told(field, one.table.protocol[field]) for field in different]
        titles.append(f"{one.name} ({', '.join(told[:2])})" if told else one.name)
    return titles


def _told(field: str, value: str) -> str:
    """A field of a protocol in a title."""
    if field == "measure":
        return {"ce": "with CE", "error": "without CE"}.get(value, value)
    return f"{field} {shortened(field, value) or 'none'}"


def reference_of(measured: Measured, name: str | None) -> MeasuredNetwork | None:
    """The network that the others are compared to: the one that is named, or the best one. None where none of this
    protocol has that name."""
    if name is None:
        return measured.networks[0]
    for label, network in measured.labelled():
        if label == name or any(matches(run.run, name) for run in network.runs):
            return network
    return None


def comparisons(measured: Measured, reference: MeasuredNetwork) -> tuple[list[tuple[str, Comparison]], list[str]]:
    """Each other network compared to the reference; and lines that say what is left out of this, or why it cannot be
    done."""
    found, notes = [], []
    for label, network in measured.labelled():
        if network is reference:
            continue
        try:
            comparison = compare_networks(network, reference)
            found.append((label, comparison))
            notes += [f"{label}: {note}" for note in comparison.notes]
        except LstRobustError as error:
            notes.append(f"{label} is not compared to {reference.summary.label}: {one_line(str(error))}")
    return found, notes


def records_of(network: MeasuredNetwork) -> list[Record]:
    """Of all its trainings."""
    return [record for run in network.runs for record in run.records.values()]


def _measured(networks: Sequence[MeasuredNetwork]) -> Measured:
    unordered = Measured(tuple(networks), _table(networks), None)
    present = {name for _, name in columns_of(unordered.table.frame)}  # columns without a value are left out
    metric = headline(present)
    if metric is None:
        by_error = sorted(networks, key=lambda network: (_mean_error(network, unordered), network.summary.label))
        return Measured(tuple(by_error), _table(by_error), None)
    ordered = sorted(networks, key=lambda network: _rank(unordered, network, metric))
    return Measured(tuple(ordered), _table(ordered), metric)


def _mean_error(network: MeasuredNetwork, measured: Measured) -> float:
    """Over the corrupted cells that all networks have, or of the clean cell where they have no others."""
    common = measured.common_cells()
    cells = common - {CLEAN_CELL} or common
    return fmean([run.records[cell].top1_error for run in network.runs for cell in cells]) if cells else math.inf


def _table(networks: Sequence[MeasuredNetwork]) -> TableGroup:
    (table,) = groups(robustness_table([network.summary for network in networks]))
    return table


def _rank(measured: Measured, network: MeasuredNetwork, metric: Metric) -> tuple[bool, float, str]:
    value = measured.value(network.summary.label, metric)
    ordered = 0.0 if value is None else value if metric.lower_is_better else -value
    return value is None, ordered, network.summary.label
