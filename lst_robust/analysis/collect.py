"""All finished runs of a results folder, and their summaries ready for a table."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from lst_robust.analysis.normalisers import Choice, chosen_normaliser
from lst_robust.analysis.results import Summary, summarise
from lst_robust.arguments import function, path, yes_or_no
from lst_robust.benchmark import Cell
from lst_robust.errors import NothingToEvaluateError
from lst_robust.records.record import Protocol, Record, Run, other_files
from lst_robust.records.store import Store
from lst_robust.suites import Normaliser, Suite, load_suite, resolve_suite, suite_names

Warn = Callable[[str], None]


class MeasuredRun(NamedTuple):
    """One model under one protocol with its records; `suite` is None when its file does not ship with the package."""

    run: Run
    records: dict[Cell, Record]
    suite: Suite | None


def collect_runs(results_dir: str | Path, suite: str | Path | Suite | None, warn: Warn) -> list[MeasuredRun]:
    """Every run of one suite (name, YAML file or `Suite`) or of all, in the order of the folders.

    Records of an older version of a suite are left out with a warning. Raises NothingToEvaluateError when none is left.
    """
    results_dir, warn = path("results_dir", results_dir), function("warn", warn)
    wanted = None if suite is None else resolve_suite(suite)
    runs = []
    for run, records in Store(results_dir).scan(wanted.name if wanted else None):
        known = wanted or shipped_suite(run.protocol.suite)
        if known and known.digest() != run.protocol.suite_digest:
            warn(
                f"{run.model.name}: measured with another version of suite {known.name!r} "
                f"(v{run.protocol.suite_version}, {run.protocol.suite_digest}); left out"
            )
            continue
        runs.append(MeasuredRun(run, records, known))
    if not runs:
        where = f" for suite {wanted.name!r}" if wanted else ""
        raise NothingToEvaluateError(
            f"no records{where} in {results_dir}: measure a model first, with lst-robust eval --model lst18"
            + (f" --suite {wanted.name if isinstance(suite, Suite) else suite}" if wanted else "")
        )
    return runs


def collect_summaries(
    results_dir: str | Path,
    suite: str | Path | Suite | None,
    normaliser: Choice,
    warn: Warn,
    *,
    intervals: bool = True,
) -> list[Summary]:
    """One summary a run (see `summarise`), of one suite (name, YAML file or `Suite`) or of every suite with records.

    normaliser: as `resolve_normaliser` takes it. Models of which several runs share a protocol get a label that tells
    them apart, and their name in `model_name`; sorted by suite and label. Raises NothingToEvaluateError when there is
    no record.
    """
    intervals, chosen = yes_or_no("intervals", intervals), chosen_normaliser(normaliser)
    summaries = []
    runs = collect_runs(results_dir, suite, warn)
    for measured, pixels in zip(runs, _pixels_of_sets(runs), strict=True):
        divisor = run_normaliser(chosen, measured, warn)
        summaries.append(summarise(measured.run, measured.records, divisor, intervals=intervals) | {"pixels": pixels})
    return sorted(_told_apart(summaries), key=lambda summary: (summary["suite"], summary["model"]))


def _pixels_of_sets(runs: Sequence[MeasuredRun]) -> list[str | None]:
    """For each run a hash of its clean images, and where its cells were read from official files, of these as well.

    Runs whose common cells have the same files are of one set, also where each has cells that the other lacks.
    """
    sets: list[tuple[Protocol, dict[str, str]]] = []
    places = []
    for measured in runs:
        files = {cell.name: record.pixels for cell, record in measured.records.items() if record.pixels is not None}
        fitting = (
            place
            for place, (protocol, known) in enumerate(sets)
            if protocol == measured.run.protocol and not other_files(known, files)
        )
        place = next(fitting, len(sets))
        if place == len(sets):
            sets.append((measured.run.protocol, {}))
        sets[place][1].update(files)
        places.append(place)
    return [_with_files(*sets[place]) for place in places]


def _with_files(protocol: Protocol, files: Mapping[str, str]) -> str | None:
    if not files:
        return protocol.pixels
    return hashlib.sha256(json.dumps([protocol.pixels, sorted(files.items())]).encode()).hexdigest()[:32]


def shipped_suite(name: str) -> Suite | None:
    return load_suite(name) if name in suite_names() else None


def run_normaliser(
    chosen: Normaliser | Literal["suite"] | None, measured: MeasuredRun, warn: Warn
) -> Normaliser | None:
    """What `chosen_normaliser` gave, and for "suite" that of the run's suite. Where the suite is not to be had: None,
    with a warning."""
    if not isinstance(chosen, str):
        return chosen
    if measured.suite is None:
        name = measured.run.protocol.suite
        warn(f"suite {name!r} does not ship with the package: give its file with --suite to get its mCE")
        return None
    return measured.suite.normaliser


def _told_apart(summaries: list[Summary]) -> list[Summary]:
    """Adds what differs to the names of models that occur twice under one protocol: seed, options, weights, and where
    these are equal, too, the run."""

    protocol = ("suite", "suite_digest", "image_size", "preset", "style", "engine", "images", "pixels", "seed")

    def key(summary: Summary) -> tuple[object, ...]:
        return tuple(summary[field] for field in ("model", "preprocess", *protocol))

    def network(summary: Summary) -> tuple[object, ...]:
        options = tuple(sorted(summary["options"].items()))
        return *key(summary), options, summary["train_seed"], summary["checkpoint_sha256"]

    several = Counter(key(summary) for summary in summaries)
    same_network = Counter(network(summary) for summary in summaries)
    labelled = []
    for summary in summaries:
        if several[key(summary)] > 1:
            parts = [f"{name}={value}" for name, value in summary["options"].items()]
            if summary["train_seed"] is not None:
                parts.append(f"seed {summary['train_seed']}")
            parts.append(summary["checkpoint_sha256"][:6])
            if same_network[network(summary)] > 1:
                parts.append(summary["run"][:6])
            told_apart = f"{summary['model']} ({', '.join(parts)})"
            summary = summary | {"model": told_apart, "model_name": summary["model"]}
        labelled.append(summary)
    return labelled
