"""Two models on the same images: the paired difference of every metric and of every corruption.

    comparison = lst_robust.compare("lst18", "resnet18", suite="digits-c")
    print(comparison.metrics["mce15"].difference, comparison.metrics["mce15"].p_value)

Both models saw the same corrupted images, so the difference is taken image by image, which removes what makes an image
hard for both. Interval: bootstrap over images of the mean difference. p-value: sign flips. Over corruptions: Holm.
All of it is about these weights on other images; what another training would give shows in the spread over seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from lst_robust.analysis import statistics
from lst_robust.analysis.collect import MeasuredRun, collect_runs, run_normaliser
from lst_robust.analysis.evaluation import Evaluation
from lst_robust.analysis.metrics import image_metrics
from lst_robust.analysis.networks import MeasuredNetwork
from lst_robust.analysis.normalisers import Choice, chosen_normaliser
from lst_robust.analysis.protocols import protocol_differences, protocol_key, way_of
from lst_robust.analysis.quantities import part
from lst_robust.analysis.scores import Scores, all_corruptions, by_corruption, mean_scores, weighted, wrong_images
from lst_robust.analysis.selection import choices, label, select
from lst_robust.arguments import instance, text
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import DataError, NothingToEvaluateError, UsageError, some_names
from lst_robust.records.indexed import numbers_of
from lst_robust.records.record import Protocol, Record, other_files
from lst_robust.suites import Normaliser, Suite
from lst_robust.suites.normaliser import caution


@dataclass(frozen=True)
class Difference:
    """One number of two models, in percent. difference = a - b, so below 0 the first is the better; low, high: its 95 %
    interval; p_holm: corrected over the corruptions compared; seeds: spread of the differences of several pairs."""

    a: float
    b: float
    difference: float
    low: float
    high: float
    p_value: float
    p_holm: float | None = None
    seeds: statistics.Spread | None = None


@dataclass(frozen=True)
class Comparison:
    """Model a against model b. `metrics`: those both have; `corruptions`: of each its CE, or (`quantity` is "error")
    its mean error where there is no normaliser. With several training seeds all of these are means over the pairs of
    runs, `pairs` are the comparisons of each, and the intervals are still over images."""

    a: str
    b: str
    protocol: Protocol
    normaliser: str | None
    quantity: str
    metrics: dict[str, Difference]
    corruptions: dict[str, Difference]
    notes: tuple[str, ...] = ()
    pairs: tuple[Comparison, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as `lst-robust compare --json` prints it."""
        data = asdict(self) | {"protocol": self.protocol.model_dump(mode="json")}
        for difference in (*data["metrics"].values(), *data["corruptions"].values()):
            if difference["seeds"] is not None:
                difference["seeds"] = difference["seeds"]._asdict()
        return data | {"pairs": [pair.to_dict() for pair in self.pairs]}


def compare(
    a: str | Evaluation,
    b: str | Evaluation,
    *,
    suite: str | Path | Suite | None = None,
    normaliser: Choice = "suite",
    results_dir: str | Path = "results",
) -> Comparison:
    """The paired comparison of two measured models.

    Args:
        a: an evaluation (then `b` is one, too, and the other arguments do not matter), or the name of a model with
            records: `lst18`, `lst18@seed1`, `lst18@3fa9c1` (see `selection.matches`). Where the names mean one run on
            each side, these are compared. Where they mean several training seeds of one network each, runs of equal
            seed are paired, each pair is compared, and the mean difference is given with its spread over the pairs.
        b: as `a`; the one to compare it with.
        suite: name, YAML file or `Suite`: of which the records are.
        results_dir: where the records are.
        normaliser: what CE is divided by, as for `evaluate`.

    Raises:
        NothingToEvaluateError: a name without records, or no cell that both have.
        DataError: no common protocol (other images, seed, suite version, ...).
        UsageError: names that mean several runs which cannot be paired by seed, or networks of different options.
    """
    a, b = _side("a", a), _side("b", b)
    chosen = chosen_normaliser(normaliser)
    if not isinstance(a, str) and not isinstance(b, str):
        runs = [MeasuredRun(evaluation.run, evaluation.records, None) for evaluation in (a, b)]
        if a.normaliser != b.normaliser:
            raise UsageError("the two evaluations have different normalisers: evaluate both against the same one")
        return _compare([_comparable_pair(*runs)], a.normaliser)
    if not isinstance(a, str) or not isinstance(b, str):
        raise UsageError("compare two names or two evaluations, not one of each")
    measured = collect_runs(results_dir, suite)
    first, second = select(measured, a), select(measured, b)
    pairs, notes = pair_runs(first, second, a, b)
    return _compare(pairs, run_normaliser(chosen, pairs[0][0]), notes, names=(a, b))


def compare_networks(a: MeasuredNetwork, b: MeasuredNetwork) -> Comparison:
    """The same of two networks with all their trainings, which are paired by their seeds, without the comparisons of
    the single pairs. Raises as `compare`."""
    pairs, notes = pair_runs(a.runs, b.runs, a.summary.label, b.summary.label)
    names = (a.summary.label, b.summary.label)
    return _compare(pairs, a.normaliser, notes, names=names, with_pairs=False)


def _side(name: str, value: str | Evaluation) -> str | Evaluation:
    if isinstance(value, str):
        return text(name, value)
    return instance(name, value, Evaluation, "give a model's name, or what evaluate returned")


def pair_runs(
    first: Sequence[MeasuredRun], second: Sequence[MeasuredRun], a: str, b: str
) -> tuple[list[tuple[MeasuredRun, MeasuredRun]], list[str]]:
    """The pairs of runs that the names a and b mean, and notes on runs without a partner; see `compare`."""
    fitting = [
        (one, other)
        for one, other in product(first, second)
        if not protocol_differences(one.run.protocol, other.run.protocol)
    ]
    if not fitting:
        return [_comparable_pair(first[0], second[0])], []  # which says why not
    protocols = {protocol_key(one.run.protocol) for one, _ in fitting}
    firsts = {one.run.digest: one for one, _ in fitting}
    seconds = {other.run.digest: other for _, other in fitting}
    suites = {one.run.protocol.suite for one, _ in fitting}
    unlike = [
        label(run.run)
        for run in (*first, *second)
        if run.run.protocol.suite in suites and run.run.digest not in firsts.keys() | seconds.keys()
    ]
    notes = [f"left out, because they were measured in another way: {some_names(unlike)}"] if unlike else []
    if len(protocols) == len(firsts) == len(seconds) == 1:
        return [_comparable_pair(*fitting[0])], notes
    sides = [{run.run.model.train_seed: run for run in side.values()} for side in (firsts, seconds)]
    options = [{repr(sorted(run.run.model.options.items())) for run in side.values()} for side in (firsts, seconds)]
    one_network_each = all(len(of_side) == 1 for of_side in options)
    common = sorted(seed for seed in sides[0].keys() & sides[1].keys() if seed is not None)
    distinct = [len(seeds) for seeds in sides] == [len(firsts), len(seconds)]
    if len(protocols) > 1 or not distinct or not common or not one_network_each:
        several = [*firsts.values(), *(run for digest, run in seconds.items() if digest not in firsts)]
        why = "no training seed pairs"
        if len(protocols) > 1:
            why = "are of several protocols"
        elif not one_network_each:
            why = "have different options"
        raise UsageError(f"{a!r} and {b!r} mean several runs that {why}: choose from {choices(several)}")
    alone = [label(run.run) for side in sides for seed, run in side.items() if seed not in common]
    notes += [f"without a partner of the same training seed, left out: {', '.join(alone)}"] if alone else []
    return [_comparable_pair(sides[0][seed], sides[1][seed]) for seed in common], notes


def compare_scores(a: Scores, b: Scores) -> dict[str, Difference]:
    """Paired differences of all scores that both have, (n, k) each, the same images in the same order."""
    names = [name for name in a.names if name in b.names]
    one = a.values[:, [a.names.index(name) for name in names]]
    other = b.values[:, [b.names.index(name) for name in names]]
    deltas = one - other
    ends = statistics.paired_intervals(deltas)
    columns = [one.mean(0), other.mean(0), deltas.mean(0), *ends.T, statistics.paired_p_values(deltas)]
    rows = np.stack(columns, axis=1).tolist()
    return {name: Difference(*row) for name, row in zip(names, rows, strict=True)}


def _comparable_pair(one: MeasuredRun, other: MeasuredRun) -> tuple[MeasuredRun, MeasuredRun]:
    differences = protocol_differences(one.run.protocol, other.run.protocol)
    if differences:
        raise DataError(
            f"{label(one.run)} and {label(other.run)} were measured under different protocols, which cannot be "
            f"compared: {', '.join(differences)}; measure both in the same way"
            f"{way_of(one.run.protocol, other.run.protocol)}"
        )
    files = [{cell.name: found.pixels for cell, found in numbers_of(run.records).items()} for run in (one, other)]
    if different := other_files(*files):
        official = one.run.protocol.protocol == "official"
        how = "on two official sets" if official else "with different code of a corruption"
        advice = "on the same files" if official else "with the same code"
        raise DataError(
            f"{label(one.run)} and {label(other.run)} were measured {how}: {len(different)} cells have "
            f"other pixels, such as {different[0]}; measure both {advice}"
        )
    if one.run == other.run:
        raise UsageError(f"both are the same run, {label(one.run)}: name two")
    return one, other


def _compare(
    pairs: Sequence[tuple[MeasuredRun, MeasuredRun]],
    normaliser: Normaliser | None,
    notes: Sequence[str] = (),
    *,
    names: tuple[str, str] = ("", ""),
    with_pairs: bool = True,
) -> Comparison:
    """names: of both sides where there are several pairs. with_pairs: False leaves out the comparison of each pair,
    whose p-values take most of the time."""
    cells = set.intersection(*(set(run.records) for pair in pairs for run in pair))
    everything = set.union(*(set(run.records) for pair in pairs for run in pair))
    if not cells - {CLEAN_CELL}:
        raise NothingToEvaluateError("no corrupted cell was measured of both: run lst-robust eval for both first")
    notes = [*notes]
    if cells != everything:
        notes.append(f"only the {len(cells)} cells that all runs have are compared, of {len(everything)}")
    sides = [[_scores(run.records, cells, normaliser) for run in side] for side in zip(*pairs, strict=True)]
    of_pairs = list(zip(*sides, strict=True))
    compared = [
        _comparison((label(one.run), label(other.run)), one.run.protocol, normaliser, compare_scores(x, y), notes)
        for (one, other), (x, y) in zip(pairs, of_pairs, strict=True)
        if with_pairs or len(pairs) == 1
    ]
    if len(pairs) == 1:
        return compared[0]
    averaged = compare_scores(*(mean_scores(side) for side in sides))
    averaged = {name: replace(value, seeds=_over_pairs(name, of_pairs)) for name, value in averaged.items()}
    return _comparison(names, pairs[0][0].run.protocol, normaliser, averaged, notes, compared)


def _over_pairs(name: str, pairs: Sequence[tuple[Scores, Scores]]) -> statistics.Spread | None:
    """Of the differences of several pairs."""
    return statistics.spread([x.means()[name] - y.means()[name] for x, y in pairs])


def _scores(records: Mapping[Cell, Record], cells: set[Cell], normaliser: Normaliser | None) -> Scores:
    corruptions = all_corruptions(cell.corruption for cell in cells)
    wanted = {part(quantity, name) for quantity in ("ce", "error") for name in corruptions}
    wanted |= {metric.name for metric in image_metrics()}
    wrong = {cell: bits for cell, bits in wrong_images(records).items() if cell in cells}
    return weighted(wrong, normaliser, wanted)


def _comparison(
    names: tuple[str, str],
    protocol: Protocol,
    normaliser: Normaliser | None,
    differences: Mapping[str, Difference],
    notes: Sequence[str],
    pairs: Sequence[Comparison] = (),
) -> Comparison:
    """Sorts the differences into metrics and corruptions, and corrects the latter."""
    ce, errors = (by_corruption(quantity, differences) for quantity in ("ce", "error"))
    corrected = _holm(ce or errors)
    metrics = {metric.name: differences[metric.name] for metric in image_metrics() if metric.name in differences}
    notes = [*notes]
    left_out = [name for name in errors if name not in ce]
    if normaliser and ce and (without := [name for name in left_out if name not in normaliser.errors]):
        notes.append(f"without errors of {normaliser.name}, and so without a CE, left out: {', '.join(without)}")
    if normaliser and ce and (incomplete := [name for name in left_out if name in normaliser.errors]):
        notes.append(f"without all severities, and so without a CE, left out: {', '.join(incomplete)}")
    if normaliser and ce and (warned := caution(normaliser.name)):
        notes.append(warned)
    return Comparison(
        *names,
        protocol,
        normaliser.name if normaliser else None,
        "ce" if ce else "error",
        metrics,
        corrected,
        tuple(notes),
        tuple(pairs),
    )


def _holm(differences: Mapping[str, Difference]) -> dict[str, Difference]:
    corrected = statistics.holm([difference.p_value for difference in differences.values()])
    return {name: replace(value, p_holm=p) for (name, value), p in zip(differences.items(), corrected, strict=True)}
