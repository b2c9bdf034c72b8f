"""The records of a run that stay on disk: a few numbers of each cell are in memory, and the rest is read when it is
asked for.

A record with the outcomes of 50,000 images takes 275 KB, and a run of 96 cells 26 MB; its numbers take some KB.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError
from lst_robust.records.folder import FolderRecords, read_folder
from lst_robust.records.index import State, folder_state
from lst_robust.records.numbers import CellNumbers
from lst_robust.records.packed_files import PACKED
from lst_robust.records.packed_numbers import PackedNumbers, read_packed_numbers
from lst_robust.records.record import Record, Run

KEPT = 4  # runs whose records stay in memory: one with predictions takes some megabytes


class StoredRecords(Mapping[Cell, Record]):
    """The records of one run by cell. `numbers` needs no file; a record reads the run's files, unless it was among the
    last few runs that were read.

    What is read must be the measurement whose numbers these are: DataError, one line, where the files have changed or
    are gone. Pickled and copied it is a dict with all records, which needs the folder no more.
    """

    CHANGED: ClassVar[str] = (
        "its records have changed or are gone since they were measured, and an evaluation reads them there when they "
        "are needed: keep the results folder that long, or evaluate again"
    )

    def __init__(self, folder: Path, run: Run, numbers: Mapping[Cell, CellNumbers], loader: Loader) -> None:
        self.folder, self.run, self.numbers = folder, run, numbers
        self._loader = loader

    def only(self, cells: Iterable[Cell]) -> StoredRecords:
        """Those of some cells, in their order."""
        return StoredRecords(self.folder, self.run, {cell: self.numbers[cell] for cell in cells}, self._loader)

    def wrong(self) -> dict[Cell, np.ndarray]:
        """bool (n,) of each cell: which images were classified wrongly."""
        return dict(zip(self.numbers, self.wrong_bits().astype(bool), strict=True)) if self.numbers else {}

    def wrong_bits(self) -> np.ndarray:
        """The same as one array, uint8 of 0 and 1 (cells, n)."""
        correct = self._correct_bits()
        if correct is None:
            return np.stack([~self[cell].correct_bits() for cell in self]).astype(np.uint8)
        return 1 - np.unpackbits(correct, axis=1, count=self.run.protocol.n)

    def _correct_bits(self) -> np.ndarray | None:
        """uint8 (cells, ⌈n / 8⌉), one bit an image, from the columns of a complete run; None where the records have to
        be asked, or are in memory."""
        if self._loader.keeps(self.folder) or (complete := read_complete(self.folder)) is None:
            return None
        found, rows = complete[1], {cell: row for row, cell in enumerate(complete[1].numbers)}
        if any(cell not in rows or not _same(found.numbers[cell], one) for cell, one in self.numbers.items()):
            return None
        return found.correct[[rows[cell] for cell in self.numbers]]

    def __getitem__(self, cell: Cell) -> Record:
        record = self._loader.record(self.folder, cell, self.numbers[cell])
        if record is None:
            raise DataError(f"{self.folder}: {self.CHANGED}")
        return record

    def __contains__(self, cell: object) -> bool:
        return cell in self.numbers

    def __iter__(self) -> Iterator[Cell]:
        return iter(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    def __repr__(self) -> str:
        return f"<{len(self)} records in {self.folder}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


class Loader:
    """Reads the records of runs, and keeps those of the last few. Threads may share it. predictions: see
    `read_packed_run`."""

    def __init__(self, predictions: bool) -> None:
        self._predictions = predictions
        self._kept: OrderedDict[Path, Mapping[Cell, Record]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, folder: Path) -> FolderRecords | None:
        """All that can be trusted; warnings name the rest."""
        found = read_folder(folder, predictions=self._predictions)
        if found is not None:
            self.keep(folder, found.records)
        return found

    def keep(self, folder: Path, records: Mapping[Cell, Record]) -> None:
        """Takes up records that have just been read."""
        with self._lock:
            self._keep(folder, records)

    def keeps(self, folder: Path) -> bool:
        """Whether the run's records are in memory."""
        with self._lock:
            return folder in self._kept

    def record(self, folder: Path, cell: Cell, numbers: CellNumbers) -> Record | None:
        """The record with these numbers; None where the folder has none, or has another one by now."""
        with self._lock:
            record = _with_numbers(self._kept.get(folder, {}).get(cell), numbers)
            if record is None:
                found = read_folder(folder, predictions=self._predictions)
                self._keep(folder, {} if found is None else found.records)
                record = _with_numbers(self._kept[folder].get(cell), numbers)
            self._kept.move_to_end(folder)
            return record

    def _keep(self, folder: Path, records: Mapping[Cell, Record]) -> None:
        self._kept[folder] = records
        self._kept.move_to_end(folder)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)


_EVALUATIONS = Loader(predictions=True)  # one of the process, so that it keeps a few runs and not a few of each call


def stored_records(folder: Path, run: Run, records: Mapping[Cell, Record]) -> StoredRecords:
    """Of records that lie in the run's folder and have just been read there. They stay in memory as long as they are
    among the last few."""
    folder = folder.absolute()  # the program may change its working folder
    _EVALUATIONS.keep(folder, records)
    return StoredRecords(folder, run, {cell: CellNumbers.of(one) for cell, one in records.items()}, _EVALUATIONS)


def read_complete(folder: Path) -> tuple[State, PackedNumbers] | None:
    """What a run's one `run.parquet` says, with the state of the folder; None where there are other files, or something
    is to be said of this one."""
    state = folder_state(folder)
    if [file[0] for file in state] != [PACKED]:
        return None
    found = read_packed_numbers(folder / PACKED)
    if found is None or not folder.name.endswith(found.run_file.run.digest) or folder_state(folder) != state:
        return None
    return state, found


def _with_numbers(record: Record | None, numbers: CellNumbers) -> Record | None:
    return record if record is not None and _same(CellNumbers.of(record), numbers) else None


def _same(found: CellNumbers, known: CellNumbers) -> bool:
    """Whether both are of one measurement: no two have the same speed to the last digit."""
    return (found.top1_error, found.pixels, found.provenance) == (known.top1_error, known.pixels, known.provenance)
