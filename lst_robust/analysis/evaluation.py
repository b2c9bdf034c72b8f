"""What an evaluation gives back: the run, its records, and its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from lst_robust.analysis.image_sets import image_set_hashes
from lst_robust.analysis.statistics import SharedDraws
from lst_robust.analysis.summary import Summary, summarise
from lst_robust.benchmark import Cell
from lst_robust.records.record import Record, Run
from lst_robust.suites import Normaliser


@dataclass(frozen=True)
class Evaluation:
    """The outcome of `lst_robust.evaluate`, or of one network of `evaluate_many`.

    `records`: by cell. Those of `evaluate` are in memory. Those of `evaluate_many`, `run_requests` and `run` stay in
    the results folder and are read when they are asked for, so that thousands of evaluations fit into memory. Keep that
    folder as long as you need them, or make a `dict` of them. DataError where they have changed or are gone. A pickled
    evaluation holds them itself.
    `measured`: how many cells were measured by this call; `failed`: cells that could not be measured, with the reason;
    `skipped_images`: the images that were left out because they cannot be decoded.
    """

    run: Run
    records: Mapping[Cell, Record]
    normaliser: Normaliser | None
    measured: int = 0
    failed: dict[Cell, str] = field(default_factory=dict)
    skipped_images: tuple[str, ...] = ()

    def summary(self) -> Summary:
        """All numbers, in percent."""
        return summarise(self.run, self.records, self.normaliser)


class FailedNetwork(NamedTuple):
    """A network that could not be evaluated, and why."""

    name: str
    reason: str

    @property
    def line(self) -> str:
        """Both in one line; a reason that begins with the name says it once."""
        return self.reason if self.reason.startswith(self.name) else f"{self.name} failed: {self.reason}"


@dataclass(frozen=True)
class Evaluations:
    """The outcome of `lst_robust.evaluate_many`: the networks that were evaluated, in the order in which they were
    named, and those that could not be."""

    evaluations: tuple[Evaluation, ...]
    failed: tuple[FailedNetwork, ...] = ()

    def __iter__(self) -> Iterator[Evaluation]:
        return iter(self.evaluations)

    def __len__(self) -> int:
        return len(self.evaluations)

    def summaries(self) -> list[Summary]:
        """All numbers of each network, in percent."""
        draws = SharedDraws() if len(self) > 1 else None
        hashes = image_set_hashes([(one.run, one.records) for one in self.evaluations])
        return [
            replace(summarise(one.run, one.records, one.normaliser, draws=draws), pixels=pixels)
            for one, pixels in zip(self.evaluations, hashes, strict=True)
        ]
