"""All networks of a results folder with their numbers, ready for a table."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from lst_robust.analysis.cell_intervals import error_intervals
from lst_robust.analysis.collect import MeasuredRun, collect_runs, run_normaliser
from lst_robust.analysis.folding import doubts, folded, trainings_of
from lst_robust.analysis.image_sets import image_set_hashes
from lst_robust.analysis.normalisers import Choice, chosen_normaliser
from lst_robust.analysis.noted_ends import note_together
from lst_robust.analysis.protocols import protocol_key
from lst_robust.analysis.selection import choose
from lst_robust.analysis.statistics import SharedDraws
from lst_robust.analysis.summary import IntervalsOf, Summary, summarise, wanted_ends
from lst_robust.arguments import path, yes_or_no
from lst_robust.benchmark import Cell
from lst_robust.records.index import ResultsIndex
from lst_robust.runtime.interruption import check_interrupted
from lst_robust.runtime.threads import in_threads
from lst_robust.suites import Normaliser, Suite

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MeasuredNetwork:
    """A network under one protocol: a run, or several of different training seeds.

    summary: its numbers; means over the trainings where there are several, which are then `summary.trainings`.
    runs: in the order of the trainings.
    normaliser: by which its CEs are divided; None without one.
    """

    summary: Summary
    runs: tuple[MeasuredRun, ...]
    normaliser: Normaliser | None

    @cached_property
    def error_intervals(self) -> dict[Cell, tuple[float, float]]:
        """Of each cell, see `lst_robust.analysis.cell_intervals`."""
        return error_intervals([run.records for run in self.runs])


def collect_summaries(
    results_dir: str | Path,
    suite: str | Path | Suite | None,
    normaliser: Choice,
    *,
    intervals: IntervalsOf = True,
    fold_seeds: bool = False,
) -> list[Summary]:
    """The summaries of `collect_networks`."""
    networks = collect_networks(results_dir, suite, normaliser, intervals=intervals, fold_seeds=fold_seeds)
    return [network.summary for network in networks]


def collect_networks(
    results_dir: str | Path,
    suite: str | Path | Suite | None,
    normaliser: Choice,
    *,
    intervals: IntervalsOf = True,
    fold_seeds: bool = False,
    predictions: bool = False,
    models: Sequence[str] = (),
) -> list[MeasuredNetwork]:
    """Every run of one suite (name, YAML file or `Suite`) or of every suite with records, with its summary.

    normaliser: as `resolve_normaliser` takes it. intervals: "metrics" leaves out those of single CEs. fold_seeds:
    trainings of one network are one entry, see `lst_robust.analysis.folding`. predictions: see `collect_runs`. models:
    only these, see `selection.choose`; none chooses all.
    Models of which several runs share a protocol get a label that tells them apart; sorted by suite and label. A
    warning names those whose trainings may be of different networks: also where they are not folded, since whoever
    shows the runs shows their spread as well.
    Raises NothingToEvaluateError when there is no record, or none of a model that is named.
    """
    chosen = chosen_normaliser(normaliser)
    intervals = intervals if intervals == "metrics" else yes_or_no("intervals", intervals)
    index = ResultsIndex(path("results_dir", results_dir))
    runs = choose(collect_runs(results_dir, suite, predictions=predictions, index=index), models)
    divisors: dict[str, Normaliser | None] = {}  # one a suite, so that a missing suite is warned of once
    for measured in runs:
        name = measured.run.protocol.suite
        if name not in divisors:
            divisors[name] = run_normaliser(chosen, measured)
    draws = SharedDraws()
    if intervals:
        note_together([wanted_ends([one.records], divisors[one.run.protocol.suite], intervals) for one in runs], draws)

    def network(measured: MeasuredRun, pixels: str | None) -> MeasuredNetwork:
        check_interrupted()
        divisor = divisors[measured.run.protocol.suite]
        summary = summarise(measured.run, measured.records, divisor, intervals=intervals, draws=draws)
        return MeasuredNetwork(replace(summary, pixels=pixels), (measured,), divisor)

    networks = _told_apart(in_threads(network, runs, image_set_hashes([(one.run, one.records) for one in runs])))
    for doubt in doubts([network.summary for network in networks]):
        logger.warning("%s", doubt)
    if fold_seeds:
        networks = _told_apart(_folded(networks, intervals, draws))
    index.save()
    return sorted(networks, key=lambda network: (network.summary.protocol.suite, network.summary.label))


def _folded(networks: Sequence[MeasuredNetwork], intervals: IntervalsOf, draws: SharedDraws) -> list[MeasuredNetwork]:
    """The trainings of a network stand where the first of them stood."""
    groups = trainings_of([network.summary for network in networks])
    trainings = {group[0]: _by_seed([networks[index] for index in group]) for group in groups}
    others = {index for group in groups for index in group[1:]}
    if intervals:
        of_each = [([run.records for run in _runs(one)], one[0].normaliser) for one in trainings.values()]
        note_together([wanted_ends(records, normaliser, intervals) for records, normaliser in of_each], draws)
    found = []
    for index, network in enumerate(networks):
        if index in others:
            continue
        if index in trainings:
            trained, runs = trainings[index], _runs(trainings[index])
            summary = folded(
                [one.summary for one in trained],
                [run.records for run in runs],
                network.normaliser,
                intervals=intervals,
                draws=draws,
            )
            network = MeasuredNetwork(summary, runs, network.normaliser)
        found.append(network)
    return found


def _by_seed(networks: Sequence[MeasuredNetwork]) -> list[MeasuredNetwork]:
    return sorted(networks, key=lambda network: network.summary.model.train_seed or 0)


def _runs(networks: Sequence[MeasuredNetwork]) -> tuple[MeasuredRun, ...]:
    return tuple(run for network in networks for run in network.runs)


def _told_apart(networks: Sequence[MeasuredNetwork]) -> list[MeasuredNetwork]:
    """Labels models that occur twice under one protocol with what differs: seed, options, weights, and where these are
    equal, too, the run."""

    def model(summary: Summary) -> tuple[object, ...]:
        return summary.model.name, protocol_key(summary.protocol), summary.pixels

    def trained(summary: Summary) -> tuple[object, ...]:
        identity = summary.model
        options = tuple(sorted(identity.options.items()))
        return *model(summary), options, identity.train_seed, identity.checkpoint_sha256

    of_model = Counter(model(network.summary) for network in networks)
    of_training = Counter(trained(network.summary) for network in networks)

    def told_apart(summary: Summary) -> Summary:
        if of_model[model(summary)] == 1:
            return summary
        return replace(summary, label=_label(summary, with_run=of_training[trained(summary)] > 1))

    named = [replace(network, summary=told_apart(network.summary)) for network in networks]
    of_label = Counter((model(network.summary), network.summary.label) for network in named)
    return [
        replace(network, summary=replace(network.summary, label=_label(network.summary, with_run=True)))
        if of_label[model(network.summary), network.summary.label] > 1
        else network
        for network in named
    ]


def _label(summary: Summary, with_run: bool) -> str:
    """Such as "lst18 (seed 1, 3fa9c1)"; of several trainings "lst18 (seeds 0+1)". See `selection.matches`."""
    identity = summary.model
    parts = [f"{name}={value}" for name, value in identity.options.items()]
    if summary.trainings:
        parts.append(f"seeds {'+'.join(str(training.model.train_seed) for training in summary.trainings)}")
    else:
        parts += [] if identity.train_seed is None else [f"seed {identity.train_seed}"]
        parts.append(identity.checkpoint_sha256[:6])
    parts += [summary.run[:6]] if with_run else []
    return f"{identity.name} ({', '.join(parts)})"
