"""Counts what the tests of this folder try, for one line at their end: the figures that the README states."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lst_robust.records.record import Record
from tests.fixtures.commands import records

FAULTS = ("test_disk", "test_kills", "test_ranks", "test_signals", "test_workers")  # things that happen to a run
CONTROLS = (  # that the tests around them could fail; no fault and no bad input
    "test_the_payload_would_have_run",
    "test_loading_leaves_the_weights_as_they_were",
    "test_the_suites_above_differ_from_one_that_is_fine",
    "test_a_sound_record_is_a_record",
)

counts: Counter[str] = Counter()


class Snapshot(dict[tuple[str, str], Record]):
    """Every finished cell below a results folder: its run's folder and its name -> its record."""

    def __init__(self, folder: Path) -> None:
        super().__init__(records(folder))
        self.folder = folder


def lost(finished: Snapshot) -> list[tuple[str, str]]:
    """The cells of a snapshot whose records have gone, changed or been made again since."""
    now = records(finished.folder)
    gone = [cell for cell, then in finished.items() if now.get(cell) != then]
    counts.update(stood=len(finished), lost=len(gone))
    return gone


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    path, _, name = report.location
    module = Path(path).stem
    if report.when == "call" and Path(path).parent.name == "faults" and name not in CONTROLS:
        counts[f"{'faults' if module in FAULTS else 'inputs'} {report.outcome}"] += 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands over what only it has seen: reports reach the main process by themselves."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["tally"] = {name: counts[name] for name in ("generated", "stood", "lost")}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    counts.update(getattr(node, "workeroutput", {}).get("tally", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not counts["faults passed"]:
        return
    terminalreporter.write_line(
        f"{counts['faults passed']} faults, {counts['inputs passed']} bad or odd inputs and {counts['generated']:,} "
        f"generated ones tried; {counts['stood']:,} finished cells stood when a fault came, {counts['lost']} were lost"
    )
