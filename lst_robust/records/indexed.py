"""The runs of a results folder, of which the records are read only where they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from lst_robust.benchmark import Cell
from lst_robust.records.folder import measured_folders
from lst_robust.records.index import Entry, ResultsIndex, folder_state, outcomes_digest
from lst_robust.records.numbers import CellNumbers
from lst_robust.records.record import Record, Run
from lst_robust.records.stored import Loader, StoredRecords, read_complete
from lst_robust.runtime.interruption import check_interrupted
from lst_robust.runtime.threads import in_threads


class IndexedRecords(StoredRecords):
    """Stored records that the index of a results folder knows. What is wrong needs no file, too, where the run has just
    been read.

    index: where the ends of intervals are noted, see `ResultsIndex.add_ends`.
    """

    CHANGED: ClassVar[str] = "has changed while it was read: give the same command again"

    def __init__(
        self, folder: Path, entry: Entry, index: ResultsIndex, loader: Loader, bits: np.ndarray | None = None
    ) -> None:
        super().__init__(folder, entry.run, entry.numbers, loader)
        self.entry, self.index = entry, index
        self._bits = bits

    def _correct_bits(self) -> np.ndarray | None:
        if self._bits is None:
            read = _complete(self.folder)
            if read is None or read.entry.outcomes != self.entry.outcomes:
                return None
            self._bits = read.bits
        return self._bits


def numbers_of(records: Mapping[Cell, Record]) -> Mapping[Cell, Record] | Mapping[Cell, CellNumbers]:
    """The errors and what else is a number of each cell, without reading a file where that can be."""
    return records.numbers if isinstance(records, StoredRecords) else records


def scan_indexed(
    results_dir: Path, suite: str | None, index: ResultsIndex, *, predictions: bool = False
) -> Iterator[tuple[Run, IndexedRecords]]:
    """As `Store.scan`. Runs that the index knows are not read."""
    loader = Loader(predictions)
    folders = measured_folders(results_dir, suite)
    found = in_threads(lambda folder: None if index.entry(folder) else _complete(folder), folders)
    for folder, complete in zip(folders, found, strict=True):
        entry, bits, trusted = index.entry(folder), None, False
        if entry is None:
            read = complete or _read(folder, loader)
            if read is None:
                continue
            entry, bits, trusted = read
        if trusted:
            index.add(folder, entry)
        yield entry.run, IndexedRecords(folder, entry, index, loader, bits)


class _Read(NamedTuple):
    """What has been read of a run. bits: see `PackedNumbers.correct`; trusted: whether all files can be used."""

    entry: Entry
    bits: np.ndarray
    trusted: bool


def _complete(folder: Path) -> _Read | None:
    """Of a run that lies in its one `run.parquet`, with nothing to say of it; None of any other."""
    check_interrupted()
    complete = read_complete(folder)
    if complete is None:
        return None
    state, found = complete
    digest = outcomes_digest(list(found.numbers), found.correct.tobytes())
    return _Read(Entry(state, found.run_file.run, found.numbers, digest), found.correct, True)


def _read(folder: Path, loader: Loader) -> _Read | None:
    """Of any other run, from its records; None where there are none. Warnings name what cannot be used."""
    state = folder_state(folder)
    found = loader.read(folder)
    if found is None or not found.records:
        return None
    records = found.records
    bits = np.stack([np.packbits(record.correct_bits()) for record in records.values()])
    numbers = {cell: CellNumbers.of(record) for cell, record in records.items()}
    entry = Entry(state, found.run_file.run, numbers, outcomes_digest(list(records), bits.tobytes()))
    return _Read(entry, bits, found.trusted)
