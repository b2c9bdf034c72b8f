"""What an evaluation gives back: the run, its records, and its numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from lst_robust.analysis.summary import Summary, summarise
from lst_robust.benchmark import Cell
from lst_robust.records.record import Record, Run
from lst_robust.suites import Normaliser


@dataclass(frozen=True)
class Evaluation:
    """The outcome of `lst_robust.evaluate`.

    `measured`: how many cells were measured by this call; `failed`: cells that could not be measured, with the reason;
    `skipped_images`: the images that were left out because they cannot be decoded.
    """

    run: Run
    records: dict[Cell, Record]
    normaliser: Normaliser | None
    measured: int = 0
    failed: dict[Cell, str] = field(default_factory=dict)
    skipped_images: tuple[str, ...] = ()

    def summary(self) -> Summary:
        """All numbers, in percent."""
        return summarise(self.run, self.records, self.normaliser)
