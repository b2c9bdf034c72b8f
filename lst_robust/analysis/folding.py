"""Several trainings of one network as one result: the means over its training seeds.

Every number but the intervals is linear in the errors of the cells, so the mean of a number over the trainings is the
number of the mean errors. The intervals are over images, as for one training: they are those of each image's mean
score over the trainings. How far the trainings lie apart is another question, which `Summary.spreads` answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TypeVar

from lst_robust.analysis.protocols import protocol_key
from lst_robust.analysis.statistics import SharedDraws
from lst_robust.analysis.summary import IntervalsOf, Summary, intervals_of
from lst_robust.benchmark import CLEAN, Cell
from lst_robust.records.record import ModelIdentity, Record
from lst_robust.suites import Normaliser

K = TypeVar("K")


def trainings_of(summaries: Sequence[Summary]) -> list[list[int]]:
    """The positions of the summaries that are trainings of one network under one protocol, on the same cells: groups of
    two or more, of at least two different training seeds. A seed that occurs with several checkpoints counts as often:
    they are different trainings. Where one checkpoint was measured twice, as after a change of the code, nobody knows
    which of the two counts, so its network is no group."""
    groups: dict[str, list[int]] = {}
    for index, summary in enumerate(summaries):
        if summary.model.train_seed is not None:
            groups.setdefault(_network(summary), []).append(index)
    return [group for group in groups.values() if _are_trainings([summaries[index].model for index in group])]


def doubts(summaries: Sequence[Summary]) -> list[str]:
    """A line for each network of which nobody knows whether its trainings (see `trainings_of`) are of one network."""
    groups = [[summaries[index] for index in group] for group in trainings_of(summaries)]
    return list(dict.fromkeys(line for group in groups for line in _doubts(group)))


def folded(
    trainings: Sequence[Summary],
    records: Sequence[Mapping[Cell, Record]],
    normaliser: Normaliser | None,
    *,
    intervals: IntervalsOf = True,
    draws: SharedDraws | None = None,
) -> Summary:
    """The means over trainings of one network (see `trainings_of`). records: of each of them, for the intervals.
    draws: shared by many networks.

    `run` and `model` are those of the first, and the label is the network's name.
    """
    first = trainings[0]
    return replace(
        first,
        label=first.model.name,
        metrics=_means([training.metrics for training in trainings]),
        ce=_means([training.ce for training in trainings]),
        errors={
            name: tuple(map(_mean, zip(*(training.errors[name] for training in trainings), strict=True)))
            for name in first.errors
        },
        calibration=_means([training.calibration for training in trainings]),
        notes=tuple(dict.fromkeys([*(note for one in trainings for note in one.notes), *_doubts(trainings)])),
        intervals=intervals_of(records, normaliser, draws, intervals) if intervals else None,
        trainings=tuple(trainings),
    )


def _are_trainings(models: Sequence[ModelIdentity]) -> bool:
    seeds, weights = {model.train_seed for model in models}, {model.checkpoint_sha256 for model in models}
    return len(seeds) > 1 and len(weights) == len(models)


def _doubts(trainings: Sequence[Summary]) -> list[str]:
    """Whether they are of one network nobody knows where its code was changed between them: it can be a new comment or
    another network."""
    models = [training.model for training in trainings]
    different = [
        what
        for what, found in (
            ("structure", {model.structure for model in models}),
            ("code", {model.code for model in models}),
        )
        if len(found - {None}) > 1
    ]
    if not different:
        return []
    name = models[0].name
    return [
        f"the trainings of {name} differ in {' and '.join(different)}, and still count as trainings of one network: "
        "where they are not, let table show each with --seeds, and name the one that is meant to other commands, such "
        f"as {name}@seed{models[0].train_seed}"
    ]


def _means(numbers: Sequence[Mapping[K, float | None]]) -> dict[K, float | None]:
    return {name: _mean([of_one[name] for of_one in numbers]) for name in numbers[0]}


def _mean(values: Sequence[float | None]) -> float | None:
    """None where one of the trainings lacks it."""
    present = [value for value in values if value is not None]
    return fmean(present) if len(present) == len(values) else None


def _network(summary: Summary) -> str:
    """What the trainings of a network have in common: its name and options, the protocol, and the measured cells."""
    clean = (CLEAN, summary.metrics["clean_error"] is not None)
    measured = [clean, *((name, *(error is not None for error in row)) for name, row in sorted(summary.errors.items()))]
    normaliser = (summary.normaliser, summary.normaliser_digest)
    protocol = (protocol_key(summary.protocol), summary.geometry, summary.pixels, normaliser)
    return repr((summary.model.name, sorted(summary.model.options.items()), protocol, measured))
