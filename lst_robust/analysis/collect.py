"""All finished runs of a results folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from lst_robust.arguments import path
from lst_robust.benchmark import Cell
from lst_robust.errors import NothingToEvaluateError
from lst_robust.records.index import ResultsIndex
from lst_robust.records.indexed import scan_indexed
from lst_robust.records.record import Record, Run
from lst_robust.records.store import Store
from lst_robust.suites import Normaliser, Suite, load_suite, resolve_suite, suite_names

logger = logging.getLogger(__name__)


class MeasuredRun(NamedTuple):
    """One model under one protocol with its records; `suite` is None when its file does not ship with the package."""

    run: Run
    records: Mapping[Cell, Record]
    suite: Suite | None


def collect_runs(
    results_dir: str | Path,
    suite: str | Path | Suite | None,
    *,
    predictions: bool = False,
    index: ResultsIndex | None = None,
) -> list[MeasuredRun]:
    """Every run of one suite (name, YAML file or `Suite`) or of all, in the order of the folders.

    predictions: also the predicted class and confidence of each image, which few need and which take most of the space.
    index: of the results folder. Runs that it knows are not read before their records are asked for.
    Records of an older version of a suite are left out with a warning. Raises NothingToEvaluateError when none is left.
    """
    results_dir = path("results_dir", results_dir)
    with suppress(FileNotFoundError, NotADirectoryError):
        results_dir.stat()  # raises what is wrong with the name, which pathlib keeps to itself since Python 3.13
    wanted = None if suite is None else resolve_suite(suite)
    runs = []
    for run, records in _scan(results_dir, wanted.name if wanted else None, predictions, index):
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


def _scan(
    results_dir: Path, suite: str | None, predictions: bool, index: ResultsIndex | None
) -> Iterator[tuple[Run, Mapping[Cell, Record]]]:
    if index is None:
        yield from Store(results_dir).scan(suite, predictions=predictions)
    else:
        yield from scan_indexed(results_dir, suite, index, predictions=predictions)


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
