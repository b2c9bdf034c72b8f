"""The baseline: a committed file that says how good the models were, against which `lst-robust check` holds later ones.

JSON with one entry a run: protocol, model, normaliser, the error of each cell (for people who read the diff) and,
unless left out, which images were right (for the paired comparison). The same records give the same bytes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError, model_validator

from lst_robust import arguments
from lst_robust.analysis.collect import MeasuredRun, collect_runs, run_normaliser
from lst_robust.analysis.protocols import protocol_key
from lst_robust.analysis.selection import choices, matches, network_of, select
from lst_robust.arguments import instance, names, optional, yes_or_no
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import DataError, NothingToEvaluateError, UsageError
from lst_robust.records.record import ModelIdentity, Protocol, Run, packed, top1_error, unpacked
from lst_robust.runtime.files import write_output
from lst_robust.schema import Config, first_mistake
from lst_robust.suites import Normaliser, Suite

SCHEMA: Literal[2] = 2
Percent = Annotated[float, Field(ge=0, le=100)]


class BaselineEntry(Config):
    """One run. `errors`: top-1 error in percent by cell, `clean` or `fog-3`; `correct`: of the same cells, one bit an
    image in the order of the ids, big-endian, base64; None where the file was written without. `pixels`: of cells that
    were read from official files, the hash of these files. Cells of corruptions that are not known in this process are
    as good as others."""

    protocol: Protocol
    model: ModelIdentity
    normaliser: Normaliser | None
    errors: Annotated[dict[str, Percent], Field(min_length=1)]
    correct: dict[str, str] | None
    pixels: dict[str, str] = Field(default={})

    @model_validator(mode="after")
    def _consistent(self) -> BaselineEntry:
        if self.correct is not None and set(self.correct) != set(self.errors):
            different = min(set(self.correct) ^ set(self.errors))
            raise ValueError(f"errors and correctness bits are of different cells, such as {different}")
        for name in self.errors:
            Cell.from_name(name)  # ValueError for a text that is none
        for cell, wrong in self.wrong().items():
            if abs(top1_error(~wrong) - self.errors[cell.name]) > 1e-9:
                raise ValueError(f"{cell.name}: the error does not follow from the correctness bits")
        return self

    @property
    def run(self) -> Run:
        return Run(self.protocol, self.model)

    @property
    def identity(self) -> tuple[str, str, str, int | None]:
        """Protocol, model, options and training seed: what a later measurement is recognised by."""
        return (
            protocol_key(self.protocol),
            self.model.name,
            repr(sorted(self.model.options.items())),
            self.model.train_seed,
        )

    @property
    def cells(self) -> list[Cell]:
        return [Cell.from_name(name) for name in self.errors]

    def wrong(self) -> dict[Cell, np.ndarray]:
        """bool (n,) of each cell: which images were classified wrongly. Empty without the bits."""
        return {Cell.from_name(name): ~unpacked(bits, self.protocol.n) for name, bits in (self.correct or {}).items()}


class Baseline(Config):
    """The whole file."""

    schema_version: Literal[1, 2] = SCHEMA  # 1 has no hash of the pixels, no geometry, and less of the network
    entries: Annotated[tuple[BaselineEntry, ...], Field(strict=False, min_length=1)]

    @model_validator(mode="after")
    def _recognisable(self) -> Baseline:
        if len({entry.identity for entry in self.entries}) < len(self.entries):
            raise ValueError("two entries of one model, protocol and training seed")
        return self


def make_baseline(
    results_dir: str | Path,
    *,
    suite: str | Path | Suite | None = None,
    models: Sequence[str] = (),
    bits: bool = True,
) -> Baseline:
    """The records of a results folder as a baseline: of one suite (name, YAML file, `Suite`) or all, of some models
    (names as for `compare`) or all. Raises NothingToEvaluateError when there is nothing to write, UsageError when two
    runs could not be told apart later."""
    selectors, bits = optional(names, "models", models, empty=True), yes_or_no("bits", bits)
    runs = collect_runs(results_dir, suite)
    if selectors:
        chosen = {measured.run.digest for name in selectors for measured in select(runs, name)}
        runs = [measured for measured in runs if measured.run.digest in chosen]
    entries = tuple(_entry(measured, bits) for measured in runs)
    several = Counter(entry.identity for entry in entries)
    alike = [measured for measured, entry in zip(runs, entries, strict=True) if several[entry.identity] > 1]
    if alike:
        raise UsageError(
            "a later measurement could not be told which of several runs of one model and training seed it stands "
            f"against: choose one with --model, from {choices(alike)}"
        )
    return Baseline(entries=entries)


def write_baseline(baseline: Baseline, path: str | Path) -> None:
    """Writes the file whole or not at all. Raises DataError when the disk refuses."""
    file = arguments.path("path", path)
    write_output(file, to_json(instance("baseline", baseline, Baseline, "make one with make_baseline")))


def to_json(baseline: Baseline) -> bytes:
    """The content of its file."""
    fields = baseline.model_dump(mode="json")
    return (json.dumps(fields, indent=1, ensure_ascii=False) + "\n").encode()


def read_baseline(path: str | Path) -> Baseline:
    """A baseline from its file. Raises DataError, in one line, when it is missing, damaged or of another schema."""
    advice = "write it with lst-robust baseline write --out FILE"
    file = arguments.path("path", path)
    try:
        return Baseline.model_validate_json(file.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {advice}") from error
    except ValidationError as error:
        raise DataError(f"{path}: not a valid baseline ({first_mistake(error)}); {advice}") from error


def chosen_entries(
    baseline: Baseline, suite: Suite | None, selectors: Sequence[str], runs: Sequence[MeasuredRun]
) -> list[BaselineEntry]:
    """The entries of a suite, or of all, that the selectors of models mean, in their order; all for no selector.

    A selector means the entries that it fits itself. Where it fits none, such as the digest of a new run, it means the
    entries of its network that are like a present run which it fits: of the same suite, options and training seed, else
    of the same suite and options, else all.
    Raises NothingToEvaluateError for a suite or a model without any entry.
    """
    entries = [entry for entry in baseline.entries if suite is None or entry.protocol.suite == suite.name]
    known = {entry.model.name for entry in entries} | {run.model.name for run, _, _ in runs}
    networks = {selector: network_of(selector, known) or selector for selector in selectors}
    of_models = {name: [entry for entry in entries if entry.model.name == name] for name in networks.values()}
    absent = [name for name, found in of_models.items() if not found]
    if absent or not entries:
        what = f"model {min(absent)!r}" if absent else f"suite {suite.name if suite else None!r}"
        held = ", ".join(sorted({f"{entry.model.name} ({entry.protocol.suite})" for entry in baseline.entries}))
        raise NothingToEvaluateError(f"the baseline has no entry of {what}: it holds {held}")
    meant: set[str] = set()
    for selector, name in networks.items():
        of_model = of_models[name]
        fitting = [entry for entry in of_model if matches(entry.run, selector)]
        present = [run for run, _, _ in runs if run.model.name == name and matches(run, selector)]
        like = [entry for entry in of_model if any(_alike(entry.run, run) for run in present)]
        like_but_for_seed = [entry for entry in of_model if any(_alike(entry.run, run, seed=False) for run in present)]
        meant |= {entry.run.digest for entry in fitting or like or like_but_for_seed or of_model}
    return [entry for entry in entries if entry.run.digest in meant or not selectors]


def _alike(one: Run, other: Run, *, seed: bool = True) -> bool:
    """Whether two runs are of the same suite and options, and, with `seed`, of the same training seed."""
    return (one.protocol.suite, one.model.options) == (other.protocol.suite, other.model.options) and (
        not seed or one.model.train_seed == other.model.train_seed
    )


def _entry(measured: MeasuredRun, bits: bool) -> BaselineEntry:
    cells = sorted(measured.records, key=lambda cell: (cell != CLEAN_CELL, cell))
    correct = {cell.name: packed(measured.records[cell].correct_bits()) for cell in cells} if bits else None
    return BaselineEntry(
        protocol=measured.run.protocol,
        model=measured.run.model,
        normaliser=run_normaliser("suite", measured),
        errors={cell.name: measured.records[cell].top1_error for cell in cells},
        correct=correct,
        pixels={cell.name: pixels for cell in cells if (pixels := measured.records[cell].pixels) is not None},
    )
