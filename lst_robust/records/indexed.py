"""The runs of a results folder, of which the records are read only where they are needed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError
from lst_robust.records.folder import RUN_FOLDERS, FolderRecords, read_folder
from lst_robust.records.index import Entry, ResultsIndex, folder_state, outcomes_digest
from lst_robust.records.numbers import CellNumbers
from lst_robust.records.packed_files import PACKED
from lst_robust.records.packed_numbers import read_packed_numbers
from lst_robust.records.record import Record, Run
from lst_robust.runtime.interruption import check_interrupted
from lst_robust.runtime.threads import in_threads

KEPT = 4  # runs whose records stay in memory: one with predictions takes some megabytes


class IndexedRecords(Mapping[Cell, Record]):
    """The records of one run by cell. `numbers` needs no file, and `wrong` none where the run has just been read; a
    record reads the run's files again.

    index: where the ends of intervals are noted, see `ResultsIndex.add_ends`.
    """

    def __init__(
        self, folder: Path, entry: Entry, index: ResultsIndex, loader: Loader, bits: np.ndarray | None = None
    ) -> None:
        self.folder, self.entry, self.index = folder, entry, index
        self._loader, self._bits = loader, bits

    @property
    def numbers(self) -> Mapping[Cell, CellNumbers]:
        return self.entry.numbers

    def wrong(self) -> dict[Cell, np.ndarray]:
        """bool (n,) of each cell: which images were classified wrongly."""
        return dict(zip(self.numbers, self.wrong_bits().astype(bool), strict=True))

    def wrong_bits(self) -> np.ndarray:
        """The same as one array, uint8 of 0 and 1 (cells, n)."""
        if self._bits is None:
            read = _complete(self.folder)
            if read is None or read.entry.outcomes != self.entry.outcomes:
                return np.stack([~self[cell].correct_bits() for cell in self]).astype(np.uint8)
            self._bits = read.bits
        return 1 - np.unpackbits(self._bits, axis=1, count=self.entry.run.protocol.n)

    def __getitem__(self, cell: Cell) -> Record:
        if cell not in self.numbers:
            raise KeyError(cell)
        records = self._loader.records(self.folder)
        if cell not in records:
            raise DataError(f"{self.folder}: has changed while it was read: give the same command again")
        return records[cell]

    def __iter__(self) -> Iterator[Cell]:
        return iter(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)


def numbers_of(records: Mapping[Cell, Record]) -> Mapping[Cell, Record] | Mapping[Cell, CellNumbers]:
    """The errors and what else is a number of each cell, without reading a file where that can be."""
    return records.numbers if isinstance(records, IndexedRecords) else records


class Loader:
    """Reads the records of runs, and keeps those of the last few. predictions: see `read_packed_run`."""

    def __init__(self, predictions: bool) -> None:
        self._predictions = predictions
        self._kept: OrderedDict[Path, Mapping[Cell, Record]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, folder: Path) -> FolderRecords | None:
        """All that can be trusted; warnings name the rest."""
        found = read_folder(folder, predictions=self._predictions)
        if found is not None:
            self._keep(folder, found.records)
        return found

    def records(self, folder: Path) -> Mapping[Cell, Record]:
        """Threads may ask at the same time."""
        with self._lock:
            if folder not in self._kept:
                found = read_folder(folder, predictions=self._predictions)
                self._keep(folder, {} if found is None else found.records)
            self._kept.move_to_end(folder)
            return self._kept[folder]

    def _keep(self, folder: Path, records: Mapping[Cell, Record]) -> None:
        self._kept[folder] = records
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)


def scan_indexed(
    results_dir: Path, suite: str | None, index: ResultsIndex, *, predictions: bool = False
) -> Iterator[tuple[Run, IndexedRecords]]:
    """As `Store.scan`. Runs that the index knows are not read."""
    loader = Loader(predictions)
    folders = sorted(results_dir.glob(f"{suite or '*'}/*/{RUN_FOLDERS}"))
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
    state = folder_state(folder)
    if [file[0] for file in state] != [PACKED]:
        return None
    found = read_packed_numbers(folder / PACKED)
    if found is None or not folder.name.endswith(found.run_file.run.digest) or folder_state(folder) != state:
        return None
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
