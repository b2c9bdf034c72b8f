"""The outcome of one evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field

from lst_robust.analysis.results import Summary, summarise
from lst_robust.benchmark import Cell
from lst_robust.records.record import Record, Run
from lst_robust.suites import Normaliser


@dataclass(frozen=True)
class Evaluation:
    """The outcome of `lst_robust.evaluate`: the run, its records, and what went wrong.

    `failed`: cells that could not be measured, with the reason; `measured`: how many were measured by this call.
    """

    run: Run
    records: dict[Cell, Record]
    normaliser: Normaliser | None
    measured: int = 0
    failed: dict[Cell, str] = field(default_factory=dict)
    skipped_images: tuple[str, ...] = ()

    def summary(self) -> Summary:
        """All numbers, in percent, see `lst_robust.analysis.results.summarise`."""
        return summarise(self.run, self.records, self.normaliser)
