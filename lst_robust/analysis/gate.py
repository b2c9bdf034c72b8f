"""The gate: are today's records worse than the baseline by more than may be?

A model regresses when its metric is worse by more than the tolerance AND the 95 % interval of the difference excludes
zero; the first keeps trifles out, the second chance. What cannot be compared (missing cells, another protocol, other
images, another normaliser) is never passed: it has a finding of its own and a code of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lst_robust.analysis import statistics
from lst_robust.analysis.baseline import Baseline, BaselineEntry
from lst_robust.analysis.collect import MeasuredRun, Warn, shipped_suite
from lst_robust.analysis.comparison import compare_scores
from lst_robust.analysis.scores import METRICS, NORMALISED, PARTS, cell_weights, image_scores, part, weighted
from lst_robust.analysis.selection import choices, label, matches, model_name, protocol_differences
from lst_robust.arguments import choice, finite_number, function, instance, names, optional, path
from lst_robust.benchmark import CLEAN_CELL, SEVERITIES, Cell
from lst_robust.errors import DataError, NothingToEvaluateError, UsageError
from lst_robust.records.record import other_files
from lst_robust.records.store import Store
from lst_robust.suites import Suite, resolve_suite

REGRESSION = 1
Status = Literal["passed", "regression", "incomparable", "missing"]


@dataclass(frozen=True)
class Finding:
    """What is to be said of one entry of the baseline. Numbers in percent, differences current - baseline, so above 0
    is worse; None where there was nothing to compare.

    model: its name, with seed and options where the baseline has it several times.
    corruptions: those the metric is made of whose own difference has an interval above zero, worst first.
    paired: whether the difference was taken image by image, or the baseline has no bits for that.
    """

    model: str
    suite: str
    status: Status
    message: str
    baseline: float | None = None
    current: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    paired: bool | None = None
    corruptions: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Gate:
    """The outcome of `check`: a finding for each entry of the baseline; `notes`: what was not looked at."""

    metric: str
    tolerance: float
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 all passed; 1 a regression; else 3 something cannot be compared, or 5 a model has no records."""
        statuses = {finding.status for finding in self.findings}
        codes: list[tuple[Status, int]] = [
            ("regression", REGRESSION),
            ("incomparable", DataError.exit_code),
            ("missing", NothingToEvaluateError.exit_code),
        ]
        return next((code for status, code in codes if status in statuses), 0)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as `lst-robust check --json` prints it."""
        return {"passed": self.exit_code == 0, "exit_code": self.exit_code} | asdict(self)


def check(
    baseline: Baseline,
    *,
    results_dir: str | Path = "results",
    suite: str | Path | Suite | None = None,
    models: Sequence[str] = (),
    metric: str = "mce15",
    tolerance: float = 0.5,
    warn: Warn = lambda _: None,
) -> Gate:
    """Compares the records in a folder with a baseline.

    Args:
        suite: name, YAML file or `Suite`: look at the entries of this suite only, and take it as the suite's present
            state.
        models: look at these only, named as for `compare`; a name with `@` also chooses among several present runs.
        metric: one of `METRICS`; by how many percent points it may be worse is `tolerance`.
        warn: receives a line for each file that cannot be trusted.

    Raises:
        UsageError: an unknown metric, one that a suite does not define, a negative tolerance, or several present runs
            for one entry. NothingToEvaluateError: the baseline has no such suite or model.
    """
    instance("baseline", baseline, Baseline, "read it with read_baseline(FILE)")
    metric, tolerance = choice("metric", metric, METRICS), finite_number("tolerance", tolerance, least=0)
    models = optional(names, "models", models, empty=True) or ()
    results_dir, warn = path("results_dir", results_dir), function("warn", warn)
    wanted = None if suite is None else resolve_suite(suite)
    chosen = {model_name(selector) for selector in models}
    entries = [
        entry
        for entry in baseline.entries
        if (wanted is None or entry.protocol.suite == wanted.name) and (not chosen or entry.model.name in chosen)
    ]
    absent = chosen - {entry.model.name for entry in entries}
    if absent or not entries:
        what = f"model {min(absent)!r}" if absent else f"suite {wanted.name if wanted else None!r}"
        there = ", ".join(sorted({f"{entry.model.name} ({entry.protocol.suite})" for entry in baseline.entries}))
        raise NothingToEvaluateError(f"the baseline has no entry of {what}: it holds {there}")
    runs = [MeasuredRun(*found, None) for found in Store(results_dir).scan(wanted.name if wanted else None)]
    findings = [
        _finding(
            entry,
            _name(entry, baseline),
            baseline,
            runs,
            wanted or shipped_suite(entry.protocol.suite),
            models,
            metric,
            tolerance,
        )
        for entry in entries
    ]
    known = {(entry.protocol.suite, entry.model.name) for entry in baseline.entries}
    unknown = sorted({(run.protocol.suite, run.model.name) for run, _, _ in runs} - known) if not chosen else []
    notes = [f"{model} on {suite_name} is not in the baseline: not checked" for suite_name, model in unknown]
    return Gate(metric, tolerance, tuple(findings), tuple(notes))


def _name(entry: BaselineEntry, baseline: Baseline) -> str:
    """What to call an entry: the model's name, with what tells it from others of that name in the baseline."""
    model = entry.model
    alike = [e for e in baseline.entries if (e.protocol.suite, e.model.name) == (entry.protocol.suite, model.name)]
    if len(alike) == 1:
        return model.name
    seed = "" if model.train_seed is None else f"@seed{model.train_seed}"
    return model.name + seed + "".join(f" {key}={value}" for key, value in model.options.items())


def _finding(
    entry: BaselineEntry,
    name: str,
    baseline: Baseline,
    runs: Sequence[MeasuredRun],
    suite: Suite | None,
    models: Sequence[str],
    metric: str,
    tolerance: float,
) -> Finding:
    model, suite_name = entry.model.name, entry.protocol.suite
    _require_defined(metric, entry)
    mine = [
        measured
        for measured in runs
        if measured.run.protocol.suite == suite_name
        and (measured.run.model.name, measured.run.model.options) == (model, entry.model.options)
        and (not models or any(matches(measured.run, name) for name in models))
    ]
    if not mine:
        return Finding(name, suite_name, "missing", f"no records of {name} on {suite_name}: run lst-robust eval first")
    reason = _outdated(entry, suite, metric)
    fitting = [measured for measured in mine if not protocol_differences(entry.protocol, measured.run.protocol)]
    if not reason and not fitting and entry.protocol.pixels is None and mine[0].run.protocol.pixels is not None:
        reason = (
            "the baseline comes from an earlier release and does not say of which pixels it is: measure its network "
            "again, and write a new baseline"
        )
    if not reason and not fitting:
        differences = protocol_differences(entry.protocol, mine[0].run.protocol)
        reason = f"another protocol than the baseline's: {', '.join(differences)}; measure it in the same way"
    if reason:
        return Finding(name, suite_name, "incomparable", f"{name} on {suite_name}: {reason}")
    others = {other.model.train_seed for other in baseline.entries if other.identity[:-1] == entry.identity[:-1]}
    others -= {entry.model.train_seed}
    candidates = [measured for measured in fitting if measured.run.model.train_seed not in others]
    if not candidates:
        where = f"{model} on {suite_name} with training seed {entry.model.train_seed}"
        return Finding(name, suite_name, "missing", f"no records of {where}: run lst-robust eval first")
    measured = _one(candidates)
    other = other_files(entry.pixels, {cell.name: record.pixels for cell, record in measured.records.items()})
    if other:
        reason = f"{len(other)} cells were read from other official files than the baseline's, such as {other[0]}"
        return Finding(name, suite_name, "incomparable", f"{name} on {suite_name}: {reason}: give the same set")
    missing = [cell.name for cell in entry.cells if cell not in measured.records]
    if missing:
        reason = (
            f"{len(missing)} cells of the baseline are not measured, such as {missing[0]}: run lst-robust eval again"
        )
        return Finding(name, suite_name, "incomparable", f"{name} on {suite_name}: {reason}")
    return _compared(entry, name, measured, metric, tolerance)


def _require_defined(metric: str, entry: BaselineEntry) -> None:
    """Raises UsageError, saying why, when the metric is not defined on the baseline's cells."""
    if metric in cell_weights(entry.cells, entry.normaliser):
        return
    where = f"{entry.model.name} on {entry.protocol.suite}"
    if metric in NORMALISED and entry.normaliser is None:
        raise UsageError(
            f"the baseline of {where} has no normaliser, so no {metric}: gate with --metric mean_corruption_error"
        )
    needed = [CLEAN_CELL] if metric in ("clean_error", "relative_mce") else []
    needed += [Cell(name, severity) for name in PARTS[metric][1] for severity in SEVERITIES]
    missing = [cell.name for cell in needed if cell.name not in entry.errors]
    if missing:
        raise UsageError(
            f"the baseline of {where} lacks {len(missing)} cells that {metric} needs, such as {missing[0]}: "
            "choose another --metric, or write the baseline from a complete evaluation"
        )
    raise UsageError(
        f"{metric} is not defined on {where}: its normaliser lacks a corruption or loses nothing on one; choose "
        "another --metric"
    )


def _outdated(entry: BaselineEntry, suite: Suite | None, metric: str) -> str | None:
    """Why the baseline is not of the suite as it is now, or None."""
    mend = "write a new baseline"
    if suite is None:
        return None
    if suite.digest() != entry.protocol.suite_digest:
        return (
            f"the suite is now version {suite.version} ({suite.digest()}), the baseline's is version "
            f"{entry.protocol.suite_version} ({entry.protocol.suite_digest}): {mend}"
        )
    if metric in NORMALISED and suite.normaliser != entry.normaliser:
        return f"the suite's normaliser is not the baseline's: {mend}"
    return None


def _one(candidates: Sequence[MeasuredRun]) -> MeasuredRun:
    """The run to hold against an entry. Of several a person must say which is meant: one that is picked by its seed or
    its weights may be the old measurement that the baseline was made of."""
    if len(candidates) > 1:
        name = candidates[0].run.model.name
        raise UsageError(
            f"several runs of {name} fit the baseline: choose one with --model, from {choices(candidates)}"
        )
    return candidates[0]


def _compared(entry: BaselineEntry, name: str, measured: MeasuredRun, metric: str, tolerance: float) -> Finding:
    quantity, names = PARTS[metric]
    parts = {part(quantity, corruption): corruption for corruption in names}
    current = image_scores({cell: measured.records[cell] for cell in entry.cells}, entry.normaliser, {metric, *parts})
    paired = entry.correct is not None
    if paired:
        old = weighted(entry.wrong(), entry.normaliser, {metric, *parts})
        deltas = {key: (d.b, d.a, d.difference, d.low, d.high) for key, d in compare_scores(current, old).items()}
    else:
        deltas = _unpaired(entry, current.names, current.values)
    before, now, difference, low, high = deltas.pop(metric)
    worse = {parts[key]: row[2] for key, row in deltas.items() if row[3] > 0}
    worse = dict(sorted(worse.items(), key=lambda item: -item[1]))
    regressed = difference > tolerance and low > 0
    message = (
        f"{label(measured.run)} on {entry.protocol.suite}: {metric} {now:.2f} %, was {before:.2f} % "
        f"({difference:+.2f} [{low:+.2f}, {high:+.2f}]"
        + (f", more than the tolerance of {tolerance:g})" if regressed else f", tolerance {tolerance:g})")
    )
    if worse and regressed:
        message += "; worse: " + ", ".join(f"{corruption} {delta:+.1f}" for corruption, delta in worse.items())
    status: Status = "regression" if regressed else "passed"
    numbers = (before, now, difference, low, high)
    return Finding(name, entry.protocol.suite, status, message, *numbers, paired, worse)


def _unpaired(
    entry: BaselineEntry, names: Sequence[str], values: np.ndarray
) -> dict[str, tuple[float, float, float, float, float]]:
    """(baseline, current, difference, low, high) of each score, when the baseline has its errors only.

    The difference is resampled as that of two independent samples, both with the scores of the current run. Models on
    the same images err together, so this interval is wider than the paired one: regressions are found later.
    """
    weights = cell_weights(entry.cells, entry.normaliser)
    errors = np.array(list(entry.errors.values()))
    spread_of_means = statistics.resampled_means(values) - statistics.resampled_means(values, seed=statistics.SEED + 1)
    tail = (1 - statistics.CONFIDENCE) / 2
    lows, highs = np.quantile(spread_of_means, [tail, 1 - tail], axis=0)
    rows = {}
    for name, now, low, high in zip(names, values.mean(axis=0), lows, highs, strict=True):
        before = float(weights[name] @ errors)
        rows[name] = (before, float(now), float(now) - before, float(now) - before + low, float(now) - before + high)
    return rows
