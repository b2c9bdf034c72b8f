"""What stands below the rows of a table that may be compared: why a number is not there, and how to read the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lst_robust.analysis.collect import shipped_suite
from lst_robust.analysis.metrics import METRICS
from lst_robust.analysis.published import group_notes, group_of
from lst_robust.benchmark import CORRUPTIONS, label_of
from lst_robust.suites.normaliser import caution

INTERVALS = "Two numbers beside a mean: its 95 % interval, bootstrap over the images."


def notes_below(
    protocol: Mapping[str, str], quantities: Sequence[str], *, incomplete: bool, intervals: bool, spreads: bool
) -> tuple[str, ...]:
    """quantities: of the columns. incomplete, intervals, spreads: whether a row lacks a number, and what stands beside
    the numbers."""
    notes = []
    if not protocol["source"] and (warned := caution(protocol["normaliser"])):
        notes.append(warned)
    if protocol["source"]:
        notes += group_notes(group_of(protocol), protocol["normaliser"] or None)
    elif protocol["measure"] == "error":
        notes.append(
            f"No CE and no mCE: {_why_no_ce(protocol)}. The columns hold mean top-1 errors over the severities."
        )
    further = [label_of(name) for name in quantities if name not in METRICS and name not in CORRUPTIONS]
    if further and protocol["measure"] == "ce":
        notes.append(f"Mean top-1 errors over the severities, no CE: {', '.join(further)}.")
    if incomplete:
        notes.append("– : not published." if protocol["source"] else "– : cells not measured yet.")
    shown = [METRICS[quantity] for quantity in quantities if quantity in METRICS]
    if any(metric.quantity == "brier" for metric in shown):
        notes.append("Records of earlier releases have no calibration: eval --overwrite measures it.")
        notes.append("Brier scores go from 0 to 2, the rest are percentages; ECE has 15 bins.")
    if higher := [f"{metric.group} {metric.short}" for metric in shown if not metric.lower_is_better]:
        notes.append(f"Higher is better: {', '.join(higher)}.")
    if spreads:
        notes.append("After ±: the standard deviation over trainings, whose number stands behind the model's name.")
    if intervals:
        notes.append(INTERVALS)
    return tuple(notes)


def _why_no_ce(protocol: Mapping[str, str]) -> str:
    """A suite in a file of one's own has its normaliser there, and the records do not say which it is."""
    if protocol["normaliser"]:
        return (
            "a CE needs the errors of all five severities, and on the same corruption those of "
            f"{protocol['normaliser']}"
        )
    suite = shipped_suite(protocol["suite"])
    if suite is None:
        return (
            f"the suite {protocol['suite']} does not ship with the package, and no normaliser of it is known. "
            "--suite FILE.yaml takes that of the suite's file, where it has one, and --normaliser FILE.yaml another"
        )
    return "no normaliser was wanted" if suite.normaliser else "the suite has no normaliser"
