"""Which runs saw the same images: a hash for each set of clean images and of what the cells were read from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from lst_robust.benchmark import Cell
from lst_robust.records.indexed import numbers_of
from lst_robust.records.record import Protocol, Record, Run, other_files


def image_set_hashes(runs: Sequence[tuple[Run, Mapping[Cell, Record]]]) -> list[str | None]:
    """For each run a hash of its clean images, and where its cells were read from official files, or made by a
    corruption of one's own, of these files or this code as well. runs: each with its records.

    Runs whose common cells have the same files are of one set, also where each has cells that the other lacks.
    """
    sets: list[tuple[Protocol, dict[str, str]]] = []
    set_of_run = []
    for run, records in runs:
        files = {cell.name: found.pixels for cell, found in numbers_of(records).items() if found.pixels is not None}
        fitting = (
            index
            for index, (protocol, known) in enumerate(sets)
            if protocol == run.protocol and not other_files(known, files)
        )
        index = next(fitting, len(sets))
        if index == len(sets):
            sets.append((run.protocol, {}))
        sets[index][1].update(files)
        set_of_run.append(index)
    return [_hash(*sets[index]) for index in set_of_run]


def _hash(protocol: Protocol, files: Mapping[str, str]) -> str | None:
    if not files:
        return protocol.pixels
    return hashlib.sha256(json.dumps([protocol.pixels, sorted(files.items())]).encode()).hexdigest()[:32]
