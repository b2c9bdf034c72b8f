"""The gate: are today's records worse than the baseline by more than may be?

A model regresses when its metric is worse by more than the tolerance AND chance does not explain the difference: its
95 % interval over images excludes zero, and its p-value is below 0.05. Chance means other images here. Another training
moves a metric as well, and the gate does not know by how much. What cannot be compared (missing cells, another
protocol, other images, another normaliser) is never passed: it has a finding of its own and a code of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from lst_robust.analysis import statistics
from lst_robust.analysis.baseline import Baseline, BaselineEntry, chosen_entries
from lst_robust.analysis.change import changes
from lst_robust.analysis.collect import MeasuredRun, shipped_suite
from lst_robust.analysis.metrics import METRICS, Metric, image_metrics, plain_mean
from lst_robust.analysis.protocols import protocol_differences, told_apart, way_of
from lst_robust.analysis.selection import choices, label, matches
from lst_robust.analysis.unchecked import notes_on_unchecked
from lst_robust.arguments import choice, finite_number, instance, names, optional, path, yes_or_no
from lst_robust.errors import DataError, NothingToEvaluateError, UsageError
from lst_robust.records.record import ModelIdentity, other_files
from lst_robust.records.store import Store
from lst_robust.suites import Suite, resolve_suite

logger = logging.getLogger(__name__)

Status = Literal["passed", "regression", "incomparable", "missing"]
EXIT_CODES: Mapping[Status, int] = {  # the first that applies
    "regression": 1, "incomparable": DataError.exit_code, "missing": NothingToEvaluateError.exit_code,
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """What is to be said of one entry of the baseline. Numbers in percent, differences current - baseline; None where
    there was nothing to compare.

    model: its name, with seed, options and what differs in the protocol where the baseline has it several times.
    paired: whether the difference was taken image by image, or the baseline has no bits for that.
    corruptions: the differences of those it is made of that got worse, by more than chance explains; worst first.
        With bits Holm's correction is over all of them; without bits each stands for itself.
    p_value: that nothing has changed, from the images that differ; None without their bits.
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
    p_value: float | None = None


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
        return next((code for status, code in EXIT_CODES.items() if status in statuses), 0)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as `lst-robust check --json` prints it."""
        return {"passed": self.exit_code == 0, "exit_code": self.exit_code} | asdict(self)


class Question(NamedTuple):
    """What is asked of every entry. suite: the suite's present state, where the caller gave it. refuse_several: whether
    several present runs for one entry are an error, or one that cannot be compared."""

    metric: Metric
    tolerance: float
    models: tuple[str, ...]
    suite: Suite | None
    refuse_several: bool = True


class Expected(NamedTuple):
    """An entry of the baseline. name: what to call it, another name for each entry of a suite; other_seeds: the
    training seeds of the entries that differ from it in nothing else."""

    entry: BaselineEntry
    name: str
    other_seeds: frozenset[int | None]

    @classmethod
    def of(cls, entry: BaselineEntry, baseline: Baseline) -> Expected:
        model = entry.model
        alike = [e for e in baseline.entries if (e.protocol.suite, e.model.name) == (entry.protocol.suite, model.name)]
        name = model.name if len(alike) == 1 else _with_seed_and_options(model)
        if further := _protocol_apart(entry, alike):
            name += f" ({further})"
        seeds = {e.model.train_seed for e in alike if e.identity[:-1] == entry.identity[:-1]}
        return cls(entry, name, frozenset(seeds - {model.train_seed}))

    def missing(self, name: str, detail: str = "") -> Finding:
        suite = self.entry.protocol.suite
        message = f"no records of {name} on {suite}{detail}: run lst-robust eval first"
        return Finding(self.name, suite, "missing", message)

    def incomparable(self, reason: str) -> Finding:
        suite = self.entry.protocol.suite
        return Finding(self.name, suite, "incomparable", f"{self.name} on {suite}: {reason}")


def _with_seed_and_options(model: ModelIdentity) -> str:
    seed = "" if model.train_seed is None else f"@seed{model.train_seed}"
    return model.name + seed + "".join(f" {key}={value}" for key, value in model.options.items())


def _protocol_apart(entry: BaselineEntry, others: Sequence[BaselineEntry]) -> str:
    """What tells the entry's protocol from those of the same network, such as "engine lst-robust 1"."""
    wanted = _with_seed_and_options(entry.model)
    protocols = [other.protocol for other in others if _with_seed_and_options(other.model) == wanted]
    return told_apart(protocols)[protocols.index(entry.protocol)]


def check(
    baseline: Baseline,
    *,
    results_dir: str | Path = "results",
    suite: str | Path | Suite | None = None,
    models: Sequence[str] = (),
    metric: str = "mce15",
    tolerance: float = 0.5,
    refuse_several: bool = True,
) -> Gate:
    """Compares the records in a folder with a baseline.

    Args:
        suite: name, YAML file or `Suite`: look at the entries of this suite only, and take it as the suite's present
            state.
        models: look at these only, named as for `compare`; a name with `@`, such as lst18@seed1, means the entries
            that it fits, and also chooses among several present runs.
        metric: the name of a metric that is a mean over images; by how many percent points it may be worse is
            `tolerance`.
        refuse_several: False takes an entry that several present runs fit for one that cannot be compared.

    Raises:
        UsageError: an unknown metric, one that a suite does not define, a negative tolerance, or several present runs
            for one entry. NothingToEvaluateError: the baseline has no such suite or model.
    """
    instance("baseline", baseline, Baseline, "read it with read_baseline(FILE)")
    metric = choice("metric", metric, [known.name for known in image_metrics()])
    tolerance = finite_number("tolerance", tolerance, least=0)
    selectors = optional(names, "models", models, empty=True) or ()
    results_dir = path("results_dir", results_dir)
    wanted = None if suite is None else resolve_suite(suite)
    store = Store(results_dir)
    runs = [MeasuredRun(*run, None) for run in store.scan(wanted.name if wanted else None)]
    entries = chosen_entries(baseline, wanted, selectors, runs)
    question = Question(METRICS[metric], tolerance, selectors, wanted, yes_or_no("refuse_several", refuse_several))
    findings = [_finding(Expected.of(entry, baseline), runs, question) for entry in entries]
    compared = [entry for entry, found in zip(entries, findings, strict=True) if found.difference is not None]
    notes = notes_on_unchecked(baseline, compared, [run.run for run in runs], selectors)
    return Gate(metric, tolerance, tuple(findings), tuple(notes))


def _finding(expected: Expected, runs: Sequence[MeasuredRun], question: Question) -> Finding:
    entry = expected.entry
    _require_defined(question.metric, entry)
    of_model = [measured for measured in runs if _is_of(measured, entry, question.models)]
    if not of_model:
        return expected.missing(expected.name)
    fitting = [measured for measured in of_model if not protocol_differences(entry.protocol, measured.run.protocol)]
    reason = _outdated(entry, question)
    if not reason and not fitting:
        reason = _other_protocol(entry, of_model[0])
    if reason:
        return expected.incomparable(reason)
    candidates = [measured for measured in fitting if measured.run.model.train_seed not in expected.other_seeds]
    if not candidates:
        return expected.missing(entry.model.name, f" with training seed {entry.model.train_seed}")
    if len(candidates) > 1 and not question.refuse_several:
        return expected.incomparable(f"{len(candidates)} present runs fit this entry, and nobody says which is meant")
    measured = _one(candidates)
    if reason := _other_cells(entry, measured):
        return expected.incomparable(reason)
    return _compared(expected, measured, question)


def _is_of(measured: MeasuredRun, entry: BaselineEntry, models: Sequence[str]) -> bool:
    """Whether a run is of the entry's suite, model and options, and asked for."""
    run = measured.run
    wanted = (entry.protocol.suite, entry.model.name, entry.model.options)
    return (run.protocol.suite, run.model.name, run.model.options) == wanted and (
        not models or any(matches(run, selector) for selector in models)
    )


def _require_defined(metric: Metric, entry: BaselineEntry) -> None:
    """Raises UsageError, saying why, when the metric is not defined on the baseline's cells."""
    if metric.of(dict.fromkeys(entry.cells, 0.0), entry.normaliser) is not None:
        return
    of_entry = f"{entry.model.name} on {entry.protocol.suite}"
    if metric.needs_normaliser and entry.normaliser is None:
        raise UsageError(
            f"the baseline of {of_entry} has no normaliser, so no {metric.name}: gate with --metric {plain_mean().name}"
        )
    missing = [cell.name for cell in metric.cells if cell.name not in entry.errors]
    if missing:
        raise UsageError(
            f"the baseline of {of_entry} lacks {len(missing)} cells that {metric.name} needs, such as {missing[0]}: "
            "choose another --metric, or write the baseline from a complete evaluation"
        )
    raise UsageError(
        f"{metric.name} is not defined on {of_entry}: its normaliser lacks a corruption or loses nothing on one; "
        "choose another --metric"
    )


def _outdated(entry: BaselineEntry, question: Question) -> str | None:
    """Why the baseline is not of the suite as it is now, or None."""
    advice = "write a new baseline"
    suite = question.suite or shipped_suite(entry.protocol.suite)
    if suite is None:
        return None
    if suite.digest() != entry.protocol.suite_digest:
        return (
            f"the suite is now version {suite.version} ({suite.digest()}), the baseline's is version "
            f"{entry.protocol.suite_version} ({entry.protocol.suite_digest}): {advice}"
        )
    if question.metric.needs_normaliser and suite.normaliser != entry.normaliser:
        return f"the suite's normaliser is not the baseline's: {advice}"
    return None


def _other_protocol(entry: BaselineEntry, measured: MeasuredRun) -> str:
    """Why a run of another protocol than the entry's cannot be held against it."""
    if entry.protocol.pixels is None and measured.run.protocol.pixels is not None:
        return (
            "the baseline comes from an earlier release and does not say of which pixels it is: measure its network "
            "again, and write a new baseline"
        )
    differences = protocol_differences(entry.protocol, measured.run.protocol)
    return (
        f"another protocol than the baseline's: {', '.join(differences)}; measure it in the same way"
        f"{way_of(entry.protocol, measured.run.protocol)}"
    )


def _other_cells(entry: BaselineEntry, measured: MeasuredRun) -> str | None:
    """Why the cells of a run cannot be held against the entry's, or None."""
    other = other_files(entry.pixels, {cell.name: record.pixels for cell, record in measured.records.items()})
    if other and entry.protocol.protocol == "official":
        return (
            f"{len(other)} cells have other pixels than the baseline's, such as {other[0]} (other official files, or a "
            "corruption of your own whose code has changed since): measure the same, or write a new baseline"
        )
    if other:
        return (
            f"{len(other)} cells were made by other code of a corruption than the baseline's, such as {other[0]}: "
            "measure them with the same code, or write a new baseline"
        )
    missing = [cell.name for cell in entry.cells if cell not in measured.records]
    if missing:
        return f"{len(missing)} cells of the baseline are not measured, such as {missing[0]}: run lst-robust eval again"
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


def _compared(expected: Expected, measured: MeasuredRun, question: Question) -> Finding:
    entry, metric, tolerance = expected.entry, question.metric, question.tolerance
    change, of_corruptions = changes(entry, measured, metric)
    p_values = [0.0 if one.p_value is None else one.p_value for one in of_corruptions.values()]
    corrected = statistics.holm(p_values)  # without it, chance would name one of many corruptions that have not changed
    harmed = {
        corruption: one.difference
        for (corruption, one), p in zip(of_corruptions.items(), corrected, strict=True)
        if one.worse_by(metric.lower_is_better) > 0 and not one.by_chance and p < statistics.LEVEL
    }
    harmed = dict(sorted(harmed.items(), key=lambda item: -abs(item[1])))
    regressed = change.worse_by(metric.lower_is_better) > tolerance and not change.by_chance
    tolerated = f"tolerance {tolerance:g}"
    if regressed:
        tolerated = f"more than the tolerance of {tolerance:g}"
    elif change.by_chance and not change.low <= 0 <= change.high:
        tolerated += f", p = {change.p_value:.2f}"  # which says why it passed
    message = (
        f"{label(measured.run)} on {entry.protocol.suite}: {metric.name} {change.current:.2f} %, was "
        f"{change.baseline:.2f} % ({change.difference:+.2f} [{change.low:+.2f}, {change.high:+.2f}], {tolerated})"
    )
    if harmed and regressed:
        message += "; worse: " + ", ".join(f"{corruption} {delta:+.1f}" for corruption, delta in harmed.items())
    return Finding(
        expected.name,
        entry.protocol.suite,
        "regression" if regressed else "passed",
        message,
        **change._asdict(),
        paired=entry.correct is not None,
        corruptions=harmed,
    )
