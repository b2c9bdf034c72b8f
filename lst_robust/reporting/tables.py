"""Results of evaluations as a table: one row a model, and only comparable numbers side by side.

Two rows are comparable when everything in `PROTOCOL` is equal. A table keeps these fields in its row index,
so that no selection or sorting can lose them, and `groups` splits it by them before anything is ranked or
rendered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

import pandas as pd

from lst_robust.arguments import items, wrong, yes_or_no
from lst_robust.benchmark import CORRUPTIONS, GROUPS, SEVERITIES
from lst_robust.paper import printed_table

SUMMARY: dict[str, tuple[str, ...]] = {
    "mCE": ("mce19", "mce15"),
    "Error": ("clean_error", "mean_corruption_error"),
    "Relative": ("relative_mce",),
}
CALIBRATION: dict[str, tuple[str, ...]] = {
    name: tuple(f"{cells}_{quantity}" for cells in ("clean", "mean"))
    for name, quantity in (("Top-5", "top5_error"), ("ECE", "ece"), ("Brier", "brier"))
}
"""Further columns on demand: on the clean images, and the mean over all measured cells of corruptions."""
PROTOCOL = (
    "suite", "suite_version", "suite_digest", "protocol", "image_size", "preprocess", "geometry", "preset", "style",
    "engine", "n", "images", "pixels", "seed", "normaliser", "severities", "measure",
)  # fmt: skip
"""What must be equal for two rows to be compared. `images` is a hash of the images' names and labels, `pixels` one of
their pixels; `geometry` is "own" where each network has its own; `severities` are those
measured, as "1-5" or "3"; `measure` says what the columns of the corruptions hold: "ce", or "error" where no CE is
defined. Text, "" where it does not apply."""

COLUMNS = pd.MultiIndex.from_tuples(
    [(group, name) for group, names in SUMMARY.items() for name in names]
    + [(group.capitalize(), name) for group, names in GROUPS.items() for name in names],
    names=["group", "quantity"],
)
CALIBRATION_COLUMNS = pd.MultiIndex.from_tuples(
    [(group, name) for group, names in CALIBRATION.items() for name in names], names=COLUMNS.names
)
ALL_COLUMNS = COLUMNS.append(CALIBRATION_COLUMNS)
OWN_GEOMETRY = "own"
PRINTED = "printed"  # the protocol of the paper's own rows
ENDS = ("low", "high")  # of an interval: the columns "mce19_low" and "mce19_high" beside "mce19"


class TableGroup(NamedTuple):
    """Rows that may be compared: `frame` has one row a model and the columns that hold a value; `intervals` holds
    for some of them, by quantity, the lower and upper end of each row, NaN where there is none."""

    caption: str
    notes: tuple[str, ...]
    protocol: Mapping[str, str]
    frame: pd.DataFrame
    intervals: Mapping[str, tuple[list[float], list[float]]]


def robustness_table(
    results: Sequence[Mapping[str, Any]], *, paper: bool = False, intervals: bool = True, calibration: bool = False
) -> pd.DataFrame:
    """One row a result (the JSON of `lst-robust eval --json`), all values in percent (but Brier scores, 0 to 2), NaN
    where cells are missing.

    The row index has the levels PROTOCOL and "model", the columns are COLUMNS; rows of one protocol stand
    together in the order given. Means of which results state the 95 % interval are followed by columns with its ends
    (see ENDS), unless intervals is False. A corruption's column holds its CE, or without a normaliser its mean error
    over the severities measured. calibration=True appends CALIBRATION_COLUMNS. paper=True adds the rows of the paper's
    Table 4 (ImageNet-C) as a protocol of their own.
    """
    paper, intervals = yes_or_no("paper", paper), yes_or_no("intervals", intervals)
    calibration = yes_or_no("calibration", calibration)
    rows = [_row(result) for result in _checked(results)] + (_paper_rows() if paper else [])
    stated = {name for _, _, numbers in rows for name in numbers if intervals and numbers[name] is not None}
    columns = pd.MultiIndex.from_tuples(
        [
            (group, column)
            for group, name in (ALL_COLUMNS if calibration else COLUMNS)
            for column in (name, *(_end(name, end) for end in ENDS if _end(name, end) in stated))
        ],
        names=COLUMNS.names,
    )
    first = {protocol: place for place, (protocol, _, _) in reversed(list(enumerate(rows)))}
    rows.sort(key=lambda row: first[row[0]])
    index = pd.MultiIndex.from_tuples([(*protocol, model) for protocol, model, _ in rows], names=[*PROTOCOL, "model"])
    values = [[numbers.get(name) for _, name in columns] for _, _, numbers in rows]
    table = pd.DataFrame(values, index=index, columns=columns, dtype="float64")
    return table.mask(_partial_means(table))


def groups(table: pd.DataFrame) -> list[TableGroup]:
    """The table of `robustness_table` split by protocol, in order, without columns that hold nothing in a
    group."""
    keys = [tuple(entry[:-1]) for entry in table.index]
    split = []
    for key in dict.fromkeys(keys):
        rows = table[[k == key for k in keys]]
        whole = rows.droplevel(list(PROTOCOL)).dropna(axis="columns", how="all")
        frame = whole[[column for column in whole.columns if column in ALL_COLUMNS]]
        present = {name: whole[group, name].tolist() for group, name in heads(whole)}
        bounds = {
            name: (present[_end(name, "low")], present[_end(name, "high")])
            for _, name in heads(frame)
            if _end(name, "low") in present
        }
        protocol = dict(zip(PROTOCOL, key, strict=True))
        split.append(TableGroup(_caption(protocol), _notes(protocol, frame, bool(bounds)), protocol, frame, bounds))
    return split


def heads(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """(group, quantity) of each column."""
    return list(zip(*(map(str, frame.columns.get_level_values(level)) for level in range(2)), strict=True))


def decimals(group: TableGroup, quantity: str) -> int:
    """Digits after the point: two for means over corruptions, one for a single corruption, none where the paper has
    none; three for Brier scores."""
    if quantity not in CORRUPTIONS:
        return 3 if quantity in CALIBRATION["Brier"] else 2
    return 0 if group.protocol["protocol"] == PRINTED else 1


def _end(quantity: str, end: str) -> str:
    return f"{quantity}_{end}"


def best(group: TableGroup) -> pd.DataFrame:
    """Boolean, shaped like group.frame: the lowest value of each column, and those equal to it as printed.

    Nothing is best where there is nothing to compare with: a column of fewer than two values.
    """
    marks = pd.DataFrame(False, index=group.frame.index, columns=group.frame.columns)
    for place, (_, quantity) in enumerate(heads(group.frame)):
        digits = decimals(group, quantity)
        shown = [round(value, digits) for value in group.frame.iloc[:, place]]
        present = [value for value in shown if not math.isnan(value)]
        if len(present) > 1:
            marks.iloc[:, place] = [value == min(present) for value in shown]
    return marks


def _checked(results: object) -> list[Mapping[str, Any]]:
    found = items("results", results, empty=True)
    for place, result in enumerate(found):
        if not isinstance(result, Mapping) or "model" not in result:
            raise wrong(f"results[{place}]", result, "give evaluation.summary(), or the JSON of lst-robust eval --json")
    return found


def _row(result: Mapping[str, Any]) -> tuple[tuple[str, ...], str, dict[str, float | None]]:
    errors: Mapping[str, Sequence[float | None]] = result.get("errors") or {}
    ce: Mapping[str, float | None] = result.get("ce") or {}
    measured = [i for i in range(len(SEVERITIES)) if any(row[i] is not None for row in errors.values())]
    has_ce = any(value is not None for value in ce.values())
    numbers = {name: result.get(name) for names in SUMMARY.values() for name in names}
    numbers |= result.get("calibration") or {}
    for name, ends in (result.get("intervals") or {}).items():
        if name in numbers and ends is not None:
            numbers |= {_end(name, end): value for end, value in zip(ENDS, ends, strict=True)}
    for name in CORRUPTIONS:
        numbers[name] = ce.get(name) if has_ce else _mean_error(errors.get(name), measured)
    stated = {
        **result,
        "geometry": OWN_GEOMETRY if result.get("preprocess") == "model" else result.get("geometry"),
        "severities": _severities([SEVERITIES[i] for i in measured]),
        "measure": "ce" if has_ce else "error",
    }
    protocol = tuple("" if stated.get(field) is None else str(stated[field]) for field in PROTOCOL)
    return protocol, str(result["model"]), numbers


def _partial_means(table: pd.DataFrame) -> pd.DataFrame:
    """Boolean, shaped like the table: the plain means (of errors, of calibration) of rows that lack a corruption which
    others of their protocol have; a mean over other cells would pass for a comparable one."""
    partial = pd.DataFrame(False, index=table.index, columns=table.columns)
    present = table[[column for column in COLUMNS if column[1] in CORRUPTIONS]].notna().to_numpy()
    keys = [tuple(entry[:-1]) for entry in table.index]
    for key in set(keys):
        rows = [place for place, k in enumerate(keys) if k == key]
        lacks = (present[rows].any(axis=0) & ~present[rows]).any(axis=1)
        for place, name in enumerate(table.columns.get_level_values("quantity")):
            if str(name).startswith("mean_"):
                partial.iloc[rows, place] = lacks
    return partial


def _mean_error(errors: Sequence[float | None] | None, measured: Sequence[int]) -> float | None:
    values = [errors[i] for i in measured] if errors else []
    present = [value for value in values if value is not None]
    return fmean(present) if present and len(present) == len(values) else None


def _severities(measured: Sequence[int]) -> str:
    return "1-5" if tuple(measured) == SEVERITIES else ",".join(str(severity) for severity in measured)


def _paper_rows() -> list[tuple[tuple[str, ...], str, dict[str, float | None]]]:
    """Table 4 of the LST-Net paper as printed; its mCE is the mean of all 19."""
    stated = {
        "suite": "imagenet-c", "protocol": PRINTED, "preset": "imagenet", "n": "50000", "normaliser": "AlexNet",
        "severities": "1-5", "measure": "ce",
    }  # fmt: skip
    protocol = tuple(stated.get(field, "") for field in PROTOCOL)
    rows: list[tuple[tuple[str, ...], str, dict[str, float | None]]] = []
    for printed in printed_table("table4"):
        numbers = {"mce19" if name == "mce" else name: printed[name] for name in printed if name != "network"}
        rows.append((protocol, printed["network"], {name: float(value) for name, value in numbers.items()}))
    return rows


def _caption(protocol: Mapping[str, str]) -> str:
    if protocol["protocol"] == PRINTED:
        return "Paper, Table 4 (ImageNet-C, printed): another protocol than any of ours"
    parts = [
        f"{protocol['suite']} v{protocol['suite_version']}"
        + (f" ({protocol['suite_digest']})" if protocol["suite_digest"] else "")
        + (f", {protocol['image_size']} px" if protocol["image_size"] else ""),
        ", ".join(
            [protocol["protocol"]]
            + [f"{field} {protocol[field]}" for field in ("preset", "style", "engine") if protocol[field]]
        ),
        f"n = {protocol['n']}" + _images(protocol),
        *_preprocessing(protocol),
        f"seed {protocol['seed']}",
    ]
    if protocol["severities"] != "1-5":
        parts.append(f"severities {protocol['severities'] or 'none'}")
    if protocol["measure"] == "ce":
        parts.append(f"CE against {protocol['normaliser']}")
    return " · ".join(parts)


def _images(protocol: Mapping[str, str]) -> str:
    parts = [f"images {protocol['images'][:8]}"] if protocol["images"] else []
    if protocol["pixels"]:
        parts.append(f"pixels {protocol['pixels'][:8]}")
    elif parts:
        parts.append("pixels not hashed")
    return f" ({', '.join(parts)})" if parts else ""


def _preprocessing(protocol: Mapping[str, str]) -> list[str]:
    if protocol["preprocess"] == "model":
        return ["preprocess model: each network's own"]
    return [f"preprocess suite: {protocol['geometry']}"] if protocol["geometry"] else []


def _notes(protocol: Mapping[str, str], frame: pd.DataFrame, intervals: bool) -> tuple[str, ...]:
    notes = []
    if protocol["measure"] == "error":
        why = (
            "the suite has no normaliser"
            if not protocol["normaliser"]
            else f"the errors of all five severities are needed to divide by those of {protocol['normaliser']}"
        )
        notes.append(f"No CE and no mCE: {why}. The columns hold mean top-1 errors over the severities.")
    if frame.isna().any(axis=None):
        notes.append("– : cells not measured yet.")
    if any(quantity in CALIBRATION["Brier"] for _, quantity in heads(frame)):
        notes.append("Records of earlier releases have no calibration: eval --overwrite measures it.")
        notes.append("Brier scores go from 0 to 2, the rest are percentages; ECE has 15 bins.")
    if intervals:
        notes.append("Two numbers after a mean: its 95 % interval, bootstrap over the images.")
    return tuple(notes)
