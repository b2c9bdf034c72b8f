"""From the records of one run to its numbers: what `eval --json` prints, and what a table's row is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean
from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from lst_robust.analysis import statistics
from lst_robust.analysis.image_sets import image_set_hashes
from lst_robust.analysis.metrics import METRICS, Metric, calibration_metrics, image_metrics
from lst_robust.analysis.noted_ends import NamedEnds, Wanted, noted_ends
from lst_robust.analysis.notes import notes
from lst_robust.analysis.quantities import QUANTITIES, part
from lst_robust.analysis.scores import all_corruptions, image_scores, mean_scores
from lst_robust.arguments import instance
from lst_robust.benchmark import CORRUPTIONS, SEVERITIES, Cell
from lst_robust.errors import UsageError
from lst_robust.records.indexed import numbers_of
from lst_robust.records.numbers import CellNumbers
from lst_robust.records.record import ModelIdentity, Protocol, Record, Run
from lst_robust.schema import first_mistake
from lst_robust.suites import Normaliser

Ends = tuple[float, float]
IntervalsOf = bool | Literal["metrics"]  # "metrics": without those of single CEs, four times as fast
IDENTITY = ("options", "checkpoint_sha256", "train_seed")  # what the JSON says of a network beside its name


class Intervals(NamedTuple):
    """95 % intervals, lower and upper end in percent, of the metrics and of each CE; None where a number is None.

    ce: empty where only the metrics' were asked for."""

    metrics: Mapping[str, Ends | None]
    ce: Mapping[str, Ends | None]

    def to_dict(self) -> dict[str, Any]:
        return {**_listed(self.metrics), "ce": _listed(self.ce)}


@dataclass(frozen=True)
class Summary:
    """All numbers of a run, in percent; None where a cell that a number needs was not measured.

    run: its digest.
    label: what tables call the model: its name, with what tells it from others of that name.
    geometry: how the images get their size, in words; None in records of earlier releases.
    pixels: a hash of the clean images and, where cells were read from official files or made by a corruption of one's
        own, of these files or this code as well. Runs that are summarised together, and whose common cells have the
        same files, have one hash.
    normaliser: its name. Without one the CEs and everything made of them are None, and so are their intervals.
    normaliser_digest: a hash of its errors; None without one, and in the JSON of earlier releases.
    metrics: the value of each metric of the table that is a mean over images.
    ce: of the 19 corruptions, and of further ones that the normaliser has errors of.
    errors: top-1 errors at severities 1 to 5, of the 19 corruptions and of further ones that were measured.
    calibration: the other metrics of the table, such as top-5 error and ECE.
    notes: why a number is None.
    intervals: None where they were left out.
    trainings: those that the numbers are means of, see `lst_robust.analysis.folding`; empty for a single run.
    """

    run: str
    protocol: Protocol
    model: ModelIdentity
    label: str
    geometry: str | None
    pixels: str | None
    normaliser: str | None
    normaliser_digest: str | None
    metrics: Mapping[str, float | None]
    ce: Mapping[str, float | None]
    errors: Mapping[str, tuple[float | None, ...]]
    calibration: Mapping[str, float | None]
    notes: tuple[str, ...] = ()
    intervals: Intervals | None = None
    trainings: tuple[Summary, ...] = ()

    @property
    def spreads(self) -> dict[str, statistics.Spread]:
        """Of each metric, CE (as "ce.fog") and mean error (as "error.fog") that all trainings have: how far it differs
        among them. Empty for a single run."""
        of_each = [numbers(training) for training in self.trainings]
        common = [name for name in of_each[0] if all(name in of_one for of_one in of_each)] if of_each else []
        spreads = {name: statistics.spread([of_one[name] for of_one in of_each]) for name in common}
        return {name: found for name, found in spreads.items() if found is not None}

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as `lst-robust eval --json` prints it. `model` is the label, and where that is not the model's
        name, `model_name` is."""
        return {
            "model": self.label,
            **self.model.model_dump(include=set(IDENTITY)),
            "run": self.run,
            **self.protocol.model_dump(),
            "geometry": self.geometry,
            "pixels": self.pixels,
            "normaliser": self.normaliser,
            "normaliser_digest": self.normaliser_digest,
            **self.metrics,
            "ce": dict(self.ce),
            "errors": _listed(self.errors),
            "calibration": dict(self.calibration),
            "notes": list(self.notes),
            **({} if self.intervals is None else {"intervals": self.intervals.to_dict()}),
            **({} if self.label == self.model.name else {"model_name": self.model.name}),
            **({"trainings": [training.to_dict() for training in self.trainings]} if self.trainings else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Summary:
        """The summary of such data, also from a file of an earlier call. Keys that came with later releases may be
        absent: preprocess, geometry, pixels, normaliser_digest, calibration, intervals, notes and metrics. Metrics that
        are not in the table are left out. Raises UsageError, in one line, for data that is no summary."""
        stated = {field: data[field] for field in Protocol.model_fields if field in data and field != "geometry"}
        identity = {"name": data.get("model_name", data.get("model"))} | {key: data.get(key) for key in IDENTITY}
        as_stated = ("run", "geometry", "pixels", "normaliser", "normaliser_digest", "ce", "errors")
        fields = {key: data.get(key) for key in as_stated}
        calibration, ends = data.get("calibration") or {}, data.get("intervals")
        try:
            return _adapter().validate_python(
                {
                    **fields,
                    "protocol": stated,
                    "model": identity,
                    "label": data.get("model"),
                    "metrics": {metric.name: data.get(metric.name) for metric in image_metrics()},
                    "calibration": {metric.name: calibration.get(metric.name) for metric in calibration_metrics()},
                    "notes": data.get("notes", ()),
                    "intervals": None if ends is None else _intervals_from(ends),
                    "trainings": tuple(cls.from_dict(training) for training in data.get("trainings", ())),
                }
            )
        except (ValidationError, AttributeError) as error:
            reason = first_mistake(error) if isinstance(error, ValidationError) else str(error)
            raise UsageError(f"not the JSON of lst-robust eval --json ({reason})") from error


def summarise(
    run: Run,
    records: Mapping[Cell, Record],
    normaliser: Normaliser | None,
    *,
    intervals: IntervalsOf = True,
    draws: statistics.SharedDraws | None = None,
) -> Summary:
    """All numbers of a run; intervals: False leaves them out, for many runs of many images. draws: shared by many
    runs."""
    numbers_of_cells = numbers_of(records)
    errors = {cell: found.top1_error for cell, found in numbers_of_cells.items()}
    names = all_corruptions(cell.corruption for cell in records)
    ce = {
        name: QUANTITIES["ce"].formula(errors, name, normaliser)
        for name in names
        if name in CORRUPTIONS or (normaliser and name in normaliser.errors)
    }
    geometry = run.protocol.geometry or run.model.geometry
    return Summary(
        run=run.digest,
        protocol=run.protocol,
        model=run.model,
        label=run.model.name,
        geometry=None if geometry is None else geometry.described(),
        pixels=image_set_hashes([(run, records)])[0],
        normaliser=normaliser.name if normaliser else None,
        normaliser_digest=normaliser.digest() if normaliser else None,
        metrics={metric.name: _plain(metric.of(errors, normaliser)) for metric in image_metrics()},
        ce={name: _plain(value) for name, value in ce.items()},
        errors={name: tuple(errors.get(Cell(name, severity)) for severity in SEVERITIES) for name in names},
        calibration=calibration(numbers_of_cells),
        notes=notes(errors, normaliser),
        intervals=intervals_of([records], normaliser, draws, intervals) if intervals else None,
    )


def numbers(summary: Summary) -> dict[str, float]:
    """Those that are defined, by name: the metrics, and of each corruption "ce.fog" and "error.fog", the latter over
    the severities measured."""
    means = {name: [error for error in row if error is not None] for name, row in summary.errors.items()}
    found = {
        **summary.metrics,
        **summary.calibration,
        **{part("ce", name): value for name, value in summary.ce.items()},
        **{part("error", name): fmean(row) for name, row in means.items() if row},
    }
    return {name: value for name, value in found.items() if value is not None}


def calibration(records: Mapping[Cell, Record] | Mapping[Cell, CellNumbers]) -> dict[str, float | None]:
    """Top-5 error and ECE in percent, and the Brier score (0 to 2): `clean_*` on the clean images, `mean_*` over the
    measured cells of the 19 corruptions. None where a record lacks it: of schema 1, or top-5 error of five classes or
    fewer."""
    return {metric.name: _of_records(metric, records) for metric in calibration_metrics()}


def bootstrap_intervals(records: Mapping[Cell, Record], normaliser: Normaliser | None) -> dict[str, Any]:
    """95 % intervals, in percent: {metric: [low, high]} for the means and {"ce": {corruption: [low, high]}}; None
    where the number itself is None. All cells are resampled together, by image; see `statistics.intervals`.

    Raises UsageError for what is no record or no normaliser.
    """
    advice = "give the records of an evaluation, evaluation.records"
    for record in instance("records", records, Mapping, advice).values():
        instance("records", record, Record, advice)
    if normaliser is not None:
        instance("normaliser", normaliser, Normaliser, "give a Normaliser, or None")
    return intervals_of([records], normaliser).to_dict()


def intervals_of(
    trainings: Sequence[Mapping[Cell, Record]],
    normaliser: Normaliser | None,
    draws: statistics.SharedDraws | None = None,
    of: IntervalsOf = True,
) -> Intervals:
    """Over images, of the means over one or several trainings that were measured in the same cells; trainings: the
    records of each. draws: shared by many networks."""
    metrics = [metric.name for metric in image_metrics()]
    ce = _ce_scores(trainings[0], of)
    wanted = wanted_ends(trainings, normaliser, of).names

    def computed() -> NamedEnds:
        scores = mean_scores([image_scores(records, normaliser, wanted) for records in trainings])
        ends = statistics.intervals(scores.values, draws=draws).tolist() if scores.names else []
        return {name: (low, high) for name, (low, high) in zip(scores.names, ends, strict=True)}

    found = noted_ends(trainings, normaliser, wanted, computed)
    return Intervals(
        {name: found.get(name) for name in metrics},
        {name: found.get(score) for name, score in ce.items() if name in CORRUPTIONS or score in found},
    )


def wanted_ends(
    trainings: Sequence[Mapping[Cell, Record]], normaliser: Normaliser | None, of: IntervalsOf = True
) -> Wanted:
    """Of which scores `intervals_of` has intervals."""
    names = {*(metric.name for metric in image_metrics()), *_ce_scores(trainings[0], of).values()}
    return Wanted(trainings, normaliser, names)


def _ce_scores(cells: Iterable[Cell], of: IntervalsOf) -> dict[str, str]:
    """By corruption the names of the CEs that are to have intervals."""
    names = [] if of == "metrics" else all_corruptions(cell.corruption for cell in cells)
    return {name: part("ce", name) for name in names}


def _intervals_from(data: Mapping[str, Any]) -> Intervals:
    return Intervals({name: data.get(name) for name in METRICS if name in data}, data.get("ce") or {})


def _of_records(metric: Metric, records: Mapping[Cell, Record] | Mapping[Cell, CellNumbers]) -> float | None:
    number = QUANTITIES[metric.quantity].of_cell
    values = {cell: number(records[cell]) for cell in metric.cells if cell in records}
    present = {cell: value for cell, value in values.items() if value is not None}
    return _plain(metric.of(present)) if len(present) == len(values) else None


def _plain(value: float | None) -> float | None:
    return None if value is None else float(value)


def _listed(values: Mapping[str, Sequence[float | None] | None]) -> dict[str, list[float | None] | None]:
    return {name: None if value is None else list(value) for name, value in values.items()}


@cache
def _adapter() -> TypeAdapter[Summary]:
    return TypeAdapter(Summary)
