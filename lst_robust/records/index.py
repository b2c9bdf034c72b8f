"""An index of a results folder: what a table needs of each run, so that a second table reads no records.

It is a file in the cache folder, and never more than a copy. What it says of a run counts only while the files of the
run are those that it was made of: the same names, sizes, times of change and inodes. Everything else is read from the
records again. A run with a file that cannot be trusted is not in it, so that each call names that file. Where the index
is damaged or cannot be written, it is as if there were none.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError
from lst_robust.records.numbers import CalibrationNumbers, CellNumbers, Measurement
from lst_robust.records.record import ModelIdentity, Protocol, Run
from lst_robust.runtime.cache import cache_root, mark_used, remove_unused
from lst_robust.runtime.files import write_output

logger = logging.getLogger(__name__)
SCHEMA = 1  # to be raised whenever the content or the way to an interval's ends changes
MOST_ENDS = 8  # of different normalisers or groups of trainings, that are kept of a run
SETTLED = 2.0  # seconds after which a change of a file must show in its time, on any file system
FOLDER = "tables"
Ends = list[list[float]]
State = list[list[Any]]


@dataclass
class Entry:
    """What is known of a run. outcomes: a hash of which images were classified correctly, in all cells.
    ends: of intervals that were computed from these, by the hash of everything that they follow from."""

    state: State
    run: Run
    numbers: Mapping[Cell, CellNumbers]
    outcomes: str
    ends: dict[str, Ends] = field(default_factory=dict)


class ResultsIndex:
    """The index of one results folder. It is read when it is made, and written by `save`."""

    def __init__(self, results_dir: Path) -> None:
        self._results_dir = results_dir
        name = hashlib.sha256(os.fsencode(os.path.realpath(results_dir))).hexdigest()[:32]
        self.path = cache_root() / FOLDER / f"{name}.json"
        self._kept = _read(self.path)
        self._entries: dict[str, Entry] = {}
        self._changed = False

    def entry(self, folder: Path) -> Entry | None:
        """What is known of the run in a folder; None where it must be read."""
        name = self._name(folder)
        if name in self._entries:
            return self._entries[name]
        fields = self._kept.get(name)
        if not isinstance(fields, dict) or fields.get("state") != folder_state(folder):
            return None
        try:
            self._entries[name] = _entry(fields)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):  # another's content
            return None
        return self._entries[name]

    def add(self, folder: Path, entry: Entry) -> None:
        """Takes an entry up, where the files have been the same for long enough, and still are."""
        newest = max((times[2] for times in entry.state), default=0) / 1e9
        if entry.state and newest < time.time() - SETTLED and folder_state(folder) == entry.state:
            self._entries[self._name(folder)] = entry
            self._changed = True

    def add_ends(self, entry: Entry, key: str, ends: Ends) -> None:
        """Notes the ends of intervals."""
        entry.ends[key] = ends
        while len(entry.ends) > MOST_ENDS:
            del entry.ends[next(iter(entry.ends))]
        self._changed = True

    def save(self) -> None:
        """Writes what is new. Nothing happens where it cannot be written."""
        if not self._changed:
            mark_used(self.path)
            return
        others = {
            name: fields
            for name, fields in self._kept.items()
            if name not in self._entries and (self._results_dir / name).is_dir()
        }
        body = json.dumps({**others, **{name: _fields(one) for name, one in self._entries.items()}}).encode()
        head = {"schema_version": SCHEMA, "sha256": hashlib.sha256(body).hexdigest()}
        with suppress(DataError):
            write_output(self.path, json.dumps(head).encode() + b"\n" + body)
            self._changed = False
            remove_unused(self.path.parent)

    def _name(self, folder: Path) -> str:
        return str(folder.relative_to(self._results_dir))


def folder_state(folder: Path) -> State:
    """By which the files of a run are known again: name, size, times of change (ns) and inode of each, sorted."""
    found = []
    with suppress(OSError), os.scandir(folder) as files:
        for file in files:
            if file.name.endswith((".json", ".parquet")):
                at = file.stat()
                found.append([file.name, at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_ino])
    return sorted(found)


def outcomes_digest(cells: Sequence[Cell], bits: bytes) -> str:
    """bits: packed, of all cells in this order."""
    names = json.dumps([cell.name for cell in cells]).encode()
    return hashlib.sha256(names + b"\n" + bits).hexdigest()[:32]


def _read(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError, RecursionError, AttributeError):
        head, _, body = path.read_bytes().partition(b"\n")
        said = json.loads(head)
        if said.get("schema_version") == SCHEMA and said.get("sha256") == hashlib.sha256(body).hexdigest():
            entries = json.loads(body)
            return entries if isinstance(entries, dict) else {}
    return {}


def _fields(entry: Entry) -> dict[str, Any]:
    return {
        "state": entry.state,
        "protocol": entry.run.protocol.model_dump_json(),
        "model": entry.run.model.model_dump_json(),
        "cells": [
            [cell.name, one.top1_error, one.top5_error, one.calibration, one.pixels, one.provenance]
            for cell, one in entry.numbers.items()
        ],
        "outcomes": entry.outcomes,
        "ends": entry.ends,
    }


def _entry(fields: Mapping[str, Any]) -> Entry:
    numbers = {
        _cell(name): CellNumbers(
            *(top1, top5, None if calibration is None else CalibrationNumbers(*calibration), pixels),
            Measurement(*measurement),
        )
        for name, top1, top5, calibration, pixels, measurement in fields["cells"]
    }
    run = Run(_protocol(fields["protocol"]), ModelIdentity.model_validate_json(fields["model"]))
    return Entry(fields["state"], run, numbers, str(fields["outcomes"]), dict(fields["ends"]))


_cell = cache(Cell.from_name)
_protocol = cache(Protocol.model_validate_json)
