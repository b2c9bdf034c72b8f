"""From the records of one run to its numbers: the object that `eval --json` prints and a table's row is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import fmean
from typing import Any

from lst_robust.analysis import metrics, statistics
from lst_robust.analysis.scores import METRICS, image_scores, part
from lst_robust.arguments import instance
from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, SEVERITIES, STANDARD_15, Cell
from lst_robust.records.record import Record, Run
from lst_robust.suites import Normaliser

Summary = dict[str, Any]


def summarise(
    run: Run, records: Mapping[Cell, Record], normaliser: Normaliser | None, *, intervals: bool = True
) -> Summary:
    """All numbers of a run, in percent; None where a cell that a number needs was not measured.

    Keys: model, options, checkpoint_sha256, train_seed, run (its digest), suite, suite_version, suite_digest, protocol,
    data, images, pixels, image_size, preprocess, geometry (in words), preset, style, engine, n, seed, normaliser
    (its name), clean_error, mean_corruption_error, mce15, mce19, relative_mce, ce {19 names}, errors {19 names: [5]},
    calibration (see `calibration`), intervals {the five means: [low, high], ce: {19 names: [low, high]}}, notes (why a
    number is None).
    Without a normaliser the CEs and everything made of them are None, and so are their intervals.
    intervals: False leaves them out, for many runs of many images.
    """
    protocol = run.protocol
    errors = {name: [_error(records, Cell(name, severity)) for severity in SEVERITIES] for name in CORRUPTIONS}
    clean_error = _error(records, CLEAN_CELL)
    ce = metrics.corruption_errors(errors, normaliser) if normaliser else dict.fromkeys(CORRUPTIONS)
    numbers = {
        "model": run.model.name,
        "options": run.model.options,
        "checkpoint_sha256": run.model.checkpoint_sha256,
        "train_seed": run.model.train_seed,
        "run": run.digest,
        "suite": protocol.suite,
        "suite_version": protocol.suite_version,
        "suite_digest": protocol.suite_digest,
        "protocol": protocol.protocol,
        "data": protocol.data,
        "images": protocol.images,
        "pixels": protocol.pixels,
        "preprocess": protocol.preprocess,
        "geometry": _geometry(run),
        "preset": protocol.preset,
        "style": protocol.style,
        "engine": protocol.engine,
        "image_size": protocol.image_size,
        "n": protocol.n,
        "seed": protocol.seed,
        "normaliser": normaliser.name if normaliser else None,
        "clean_error": clean_error,
        "mean_corruption_error": metrics.mean_corruption_error(errors),
        "mce15": metrics.mce15(ce),
        "mce19": metrics.mce19(ce),
        "relative_mce": metrics.relative_mce(errors, clean_error, normaliser) if normaliser else None,
        "ce": ce,
        "errors": errors,
        "calibration": calibration(records),
        "notes": _notes(records, normaliser),
    }
    return numbers | {"intervals": bootstrap_intervals(records, normaliser)} if intervals else numbers


def calibration(records: Mapping[Cell, Record]) -> dict[str, float | None]:
    """Top-5 error and ECE in percent, and the Brier score (0 to 2): `clean_*` on the clean images, `mean_*` over all
    measured cells of corruptions. None where a record lacks it: of schema 1, or top-5 error of five classes or fewer.
    """
    clean = [record for cell, record in records.items() if cell == CLEAN_CELL]
    corrupted = [record for cell, record in records.items() if cell != CLEAN_CELL]
    quantities: dict[str, Callable[[Record], float | None]] = {
        "top5_error": lambda record: record.top5_error,
        "ece": lambda record: None if record.calibration is None else record.calibration.ece(),
        "brier": lambda record: None if record.calibration is None else record.calibration.brier,
    }
    found: dict[str, float | None] = {}
    for name, quantity in quantities.items():
        for cells, some in (("clean", clean), ("mean", corrupted)):
            values = [quantity(record) for record in some]
            present = [value for value in values if value is not None]
            found[f"{cells}_{name}"] = fmean(present) if present and len(present) == len(values) else None
    return found


def bootstrap_intervals(records: Mapping[Cell, Record], normaliser: Normaliser | None) -> dict[str, Any]:
    """95 % intervals, in percent: {metric: [low, high]} for the five means and {"ce": {corruption: [low, high]}}; None
    where the number itself is None. All cells are resampled together, by image; see `statistics.intervals`."""
    mend = "give the records of an evaluation, evaluation.records"
    for record in instance("records", records, Mapping, mend).values():
        instance("records", record, Record, mend)
    if normaliser is not None:
        instance("normaliser", normaliser, Normaliser, "give a Normaliser, or None")
    ce = {name: part("ce", name) for name in CORRUPTIONS}
    scores = image_scores(records, normaliser, {*METRICS, *ce.values()})
    ends = statistics.intervals(scores.values).tolist() if scores.names else []
    found = dict(zip(scores.names, ends, strict=True))
    return {metric: found.get(metric) for metric in METRICS} | {
        "ce": {name: found.get(score) for name, score in ce.items()}
    }


def _geometry(run: Run) -> str | None:
    """How the images get their size, in words; None in records of earlier releases."""
    geometry = run.protocol.geometry or run.model.geometry
    return None if geometry is None else geometry.described()


def _notes(records: Mapping[Cell, Record], normaliser: Normaliser | None) -> list[str]:
    """One line for each reason why a mean is None."""
    if normaliser is None:
        return ["no CE and no mCE: the suite has no normaliser (give one with --normaliser)"]
    missing = [name for name in CORRUPTIONS if any(Cell(name, severity) not in records for severity in SEVERITIES)]
    if missing:
        return [f"a mean needs all severities of all its corruptions; {len(missing)} of 19 are not complete"]
    unharmed = [name for name in STANDARD_15 if name in normaliser.errors and metrics.rise(normaliser, name) <= 0]
    if unharmed:
        return [f"no relative mCE: {normaliser.name} itself loses nothing on {', '.join(unharmed)}"]
    return []


def _error(records: Mapping[Cell, Record], cell: Cell) -> float | None:
    return records[cell].top1_error if cell in records else None
