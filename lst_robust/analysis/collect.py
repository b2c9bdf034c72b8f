"""All finished runs of a results folder, and their summaries ready for a table."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from lst_robust.analysis.normalisers import Choice, chosen_normaliser
from lst_robust.analysis.protocols import protocol_key
from lst_robust.analysis.summary import Summary, summarise
from lst_robust.arguments import path, yes_or_no
from lst_robust.benchmark import Cell
from lst_robust.errors import NothingToEvaluateError
from lst_robust.records.record import Protocol, Record, Run, other_files
from lst_robust.records.store import Store
from lst_robust.suites import Normaliser, Suite, load_suite, resolve_suite, suite_names

logger = logging.getLogger(__name__)


class MeasuredRun(NamedTuple):
    """One model under one protocol with its records; `suite` is None when its file does not ship with the package."""

    run: Run
    records: dict[Cell, Record]
    suite: Suite | None


def collect_runs(results_dir: str | Path, suite: str | Path | Suite | None) -> list[MeasuredRun]:
    """Every run of one suite (name, YAML file or `Suite`) or of all, in the order of the folders.

    Records of an older version of a suite are left out with a warning. Raises NothingToEvaluateError when none is left.
    """
    results_dir = path("results_dir", results_dir)
    wanted = None if suite is None else resolve_suite(suite)
    runs = []
    for run, records in Store(results_dir).scan(wanted.name if wanted else None):
        known = wanted or shipped_suite(run.protocol.suite)
        if known and known.digest() != run.protocol.suite_digest:
            logger.warning(
                f"{run.model.name}: measured with another version of suite {known.name!r} "
                f"(v{run.protocol.suite_version}, {run.protocol.suite_digest}); left out"
            )
            continue
        runs.append(MeasuredRun(run, records, known))
    if not runs:
        of_suite = f" for suite {wanted.name!r}" if wanted else ""
        raise NothingToEvaluateError(
            f"no records{of_suite} in {results_dir}: measure a model first, with lst-robust eval --model lst18"
            + (f" --suite {wanted.name if isinstance(suite, Suite) else suite}" if wanted else "")
        )
    return runs


def collect_summaries(
    results_dir: str | Path, suite: str | Path | Suite | None, normaliser: Choice, *, intervals: bool = True
) -> list[Summary]:
    """One summary a run (see `summarise`), of one suite (name, YAML file or `Suite`) or of every suite with records.

    normaliser: as `resolve_normaliser` takes it. Models of which several runs share a protocol get a label that tells
    them apart; sorted by suite and label. Raises NothingToEvaluateError when there is no record.
    """
    intervals, chosen = yes_or_no("intervals", intervals), chosen_normaliser(normaliser)
    summaries = []
    runs = collect_runs(results_dir, suite)
    divisors: dict[str, Normaliser | None] = {}  # one a suite, so that a missing suite is warned of once
    for measured, pixels in zip(runs, _pixels_of_sets(runs), strict=True):
        name = measured.run.protocol.suite
        if name not in divisors:
            divisors[name] = run_normaliser(chosen, measured)
        divisor = divisors[name]
        summary = summarise(measured.run, measured.records, divisor, intervals=intervals)
        summaries.append(replace(summary, pixels=pixels))
    return sorted(_told_apart(summaries), key=lambda summary: (summary.protocol.suite, summary.label))


def _pixels_of_sets(runs: Sequence[MeasuredRun]) -> list[str | None]:
    """For each run a hash of its clean images, and where its cells were read from official files, of these as well.

    Runs whose common cells have the same files are of one set, also where each has cells that the other lacks.
    """
    sets: list[tuple[Protocol, dict[str, str]]] = []
    set_of_run = []
    for measured in runs:
        files = {cell.name: record.pixels for cell, record in measured.records.items() if record.pixels is not None}
        fitting = (
            index
            for index, (protocol, known) in enumerate(sets)
            if protocol == measured.run.protocol and not other_files(known, files)
        )
        index = next(fitting, len(sets))
        if index == len(sets):
            sets.append((measured.run.protocol, {}))
        sets[index][1].update(files)
        set_of_run.append(index)
    return [_with_files(*sets[index]) for index in set_of_run]


def _with_files(protocol: Protocol, files: Mapping[str, str]) -> str | None:
    if not files:
        return protocol.pixels
    return hashlib.sha256(json.dumps([protocol.pixels, sorted(files.items())]).encode()).hexdigest()[:32]


def shipped_suite(name: str) -> Suite | None:
    return load_suite(name) if name in suite_names() else None


def run_normaliser(chosen: Normaliser | Literal["suite"] | None, measured: MeasuredRun) -> Normaliser | None:
    """What `chosen_normaliser` gave, and for "suite" that of the run's suite. Where the suite is not to be had: None,
    with a warning."""
    if not isinstance(chosen, str):
        return chosen
    if measured.suite is None:
        name = measured.run.protocol.suite
        logger.warning(f"suite {name!r} does not ship with the package: give its file with --suite to get its mCE")
        return None
    return measured.suite.normaliser


def _told_apart(summaries: Sequence[Summary]) -> list[Summary]:
    """Labels models that occur twice under one protocol with what differs: seed, options, weights, and where these are
    equal, too, the run."""

    def model(summary: Summary) -> tuple[object, ...]:
        return summary.model.name, protocol_key(summary.protocol), summary.pixels

    def network(summary: Summary) -> tuple[object, ...]:
        identity = summary.model
        options = tuple(sorted(identity.options.items()))
        return *model(summary), options, identity.train_seed, identity.checkpoint_sha256

    of_model = Counter(model(summary) for summary in summaries)
    of_network = Counter(network(summary) for summary in summaries)
    return [
        replace(summary, label=_label(summary, with_run=of_network[network(summary)] > 1))
        if of_model[model(summary)] > 1
        else summary
        for summary in summaries
    ]


def _label(summary: Summary, with_run: bool) -> str:
    """Such as "lst18 (seed 1, 3fa9c1)"."""
    identity = summary.model
    parts = [f"{name}={value}" for name, value in identity.options.items()]
    parts += [] if identity.train_seed is None else [f"seed {identity.train_seed}"]
    parts += [identity.checkpoint_sha256[:6], *([summary.run[:6]] if with_run else [])]
    return f"{identity.name} ({', '.join(parts)})"
