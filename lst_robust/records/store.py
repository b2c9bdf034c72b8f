"""The store: one folder a run.

    <results>/<suite>/<model>/n<images>-seed<seed>-<run digest>/
        run.json, <corruption>-<severity>.json, ...    while the run is measured
        run.parquet                                    when all that was asked for is there

Every file is written to a temporary name and renamed, so it is whole or not there, on any file system and with any
number of writers. A run of another protocol or of other weights has another digest and so another folder: nothing
finished is ever overwritten by a different measurement. A damaged or foreign file is reported and measured again,
never trusted. While a cell is measured its lock is held, so that processes that work on one run at the same time share
its cells; the system releases the lock of a process that dies.

A cell's own file is newer than its row in `run.parquet`. Readers look at the files of cells first and at `run.parquet`
second, and packing removes the former after it has written the latter: so no reader can miss a cell.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError
from lst_robust.records.cell_file import EarlierReleaseError, read_cell, to_json
from lst_robust.records.folder import (
    RUN_FILE,
    cell_files,
    measured_folders,
    place_of,
    read_folder,
    records_of,
    run_file_of,
)
from lst_robust.records.packed import DamagedError, PackedRun, packed_run
from lst_robust.records.packed_files import (
    ASIDE,
    PACKED,
    PackedFile,
    PackedReader,
    PackedStates,
    identity,
    mistake_of,
    packed_states,
    put_packed,
)
from lst_robust.records.record import Record, Run
from lst_robust.records.run_file import RunFile
from lst_robust.runtime.file_lock import file_lock
from lst_robust.runtime.files import not_written, remove, write_output

logger = logging.getLogger(__name__)
ATTEMPTS = 20  # at packing a run that others pack at the same time; then its cells stay in files of their own


class Store:
    """Reads and writes the records below one results folder."""

    def __init__(self, results_dir: str | Path) -> None:
        self.results_dir = Path(results_dir)
        self._packed = PackedReader()
        self._packed_cells: dict[Path, tuple[PackedStates, frozenset[Cell]]] = {}  # by folder, as `find` last read them

    def model_folder(self, run: Run) -> Path:
        """Where all runs of the model on the suite lie."""
        return self.run_folder(run).parent

    def run_folder(self, run: Run) -> Path:
        return self.results_dir / place_of(run)

    def check_writable(self) -> None:
        """Makes the results folder; DataError that says what to do when nothing can be written there."""
        try:
            self.results_dir.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.results_dir):
                pass
        except OSError as error:
            raise DataError(
                f"results folder {self.results_dir} is not writable ({error.strerror}); "
                "choose another with --results-dir"
            ) from error

    def write_run_file(self, run_file: RunFile) -> None:
        """Writes what is known of a run. Raises DataError when the disk refuses."""
        content = (run_file.model_dump_json(indent=1) + "\n").encode()
        write_output(self.run_folder(run_file.run) / RUN_FILE, content)

    def write(self, record: Record) -> Path:
        """Writes one record atomically and returns its path. Raises DataError when the disk refuses."""
        path = self._path(record.run, record.cell)
        write_output(path, to_json(record))
        return path

    def claim(self, run: Run, cell: Cell, *, wait: bool) -> AbstractContextManager[bool]:
        """Within it the cell is this process's alone, if it gives True. It gives False where another process has it,
        unless it shall `wait` for that one to finish."""
        return file_lock(self.run_folder(run) / f".{cell.name}.lock", wait=wait)

    def has_file(self, run: Run, cell: Cell) -> bool:
        """Whether the cell has a file of its own, unread: quick, for many cells."""
        return self._path(run, cell).exists()

    def find(self, run: Run, cell: Cell) -> Record | None:
        """The record of one cell if there is one that can be trusted; `load` has said which cannot. Whoever asks for
        many should ask the same store: it knows which cells are packed as long as the packed files are the same."""
        with suppress(DataError):
            return read_cell(self._path(run, cell), run)
        folder = self.run_folder(run)
        states, cells = self._packed_cells.get(folder, (None, frozenset()))
        if states is not None and cell not in cells and states == packed_states(folder):
            return None
        with suppress(DataError):
            files = self._packed.read(folder)
            records = records_of([one.content for one in files if not mistake_of(one, run)])
            self._packed_cells[folder] = tuple((one.path, identity(one.state)) for one in files), frozenset(records)
            return records.get(cell)
        return None

    def load(self, run: Run, *, quiet: bool = False) -> dict[Cell, Record]:
        """The finished cells of a run, with their predictions. Files that cannot be trusted are named by a warning,
        unless this shall be `quiet` because an earlier call has named them, and left out. Raises DataError for cells
        that an earlier release has measured: they shall be migrated first."""
        found = {record.cell: record for record in self._loose(run, quiet=quiet).values()}
        files = self._packed.read(self.run_folder(run))
        for one in files:
            if (mistake := mistake_of(one, run)) is not None:
                logger.log(_level(quiet), "%s; it is not used and its cells are measured again", mistake)
        return records_of([one.content for one in files if not mistake_of(one, run)]) | found

    def scan(self, suite: str | None, *, predictions: bool = False) -> Iterator[tuple[Run, dict[Cell, Record]]]:
        """Every run with at least one trustworthy record, of one suite or of all, sorted by path. What cannot be
        trusted, or is there twice, is named by a warning. predictions: see `read_packed_run`."""
        for folder in measured_folders(self.results_dir, suite):
            found = read_folder(folder, predictions=predictions)
            if found is not None and found.records:
                yield found.run_file.run, found.records

    def pack(self, run: Run) -> None:
        """Puts the cells of a run into its `run.parquet`, beside those that are there, and removes their own files.

        A file that cannot be trusted stays, and so does that of a cell which another process is measuring again. Raises
        DataError when the disk refuses; all files are then as they were. Several processes may call this at the same
        time, with locks or without: see `lst_robust.records.packed_files`.
        """
        folder = self.run_folder(run)
        if not any(folder.glob("*.json")) and not any(folder.glob(ASIDE)):  # all is packed: the disk may be read-only
            return
        with packing(folder):
            for _ in range(ATTEMPTS):
                if self._packed_now(run, folder):
                    return

    def _packed_now(self, run: Run, folder: Path) -> bool:
        """Packs; False where another process has packed since the cells were read."""
        states = _states(cell_files(folder))
        loose = self._loose(run, quiet=True)
        files = self._packed.read(folder)
        packed = _trusted(files, run)
        if loose or any(one.path.name != PACKED for one in files):
            run_file = run_file_of(folder)
            if run_file is None or run_file.run != run:
                raise DataError(f"{folder} has lost its {RUN_FILE}: measure its network again")
            records = packed | {record.cell: record for record in loose.values()}
            if not put_packed_run(folder, run_file, records, files):
                return False
        for path, record in loose.items():
            self._remove_packed_cell(record, path, states.get(path))
        if loose or packed:
            remove(folder / RUN_FILE)
        return True

    def _loose(self, run: Run, *, quiet: bool) -> dict[Path, Record]:
        """The cells in files of their own; see `load`."""
        found: dict[Path, Record] = {}
        for path in cell_files(self.run_folder(run)):
            try:
                found[path] = read_cell(path, run)
            except EarlierReleaseError:
                raise
            except DataError as error:
                if os.path.lexists(path):  # else it has just been packed
                    logger.log(_level(quiet), "%s; it is not used and the cell is measured again", error)
        return found

    def _remove_packed_cell(self, record: Record, path: Path, read: os.stat_result | None) -> None:
        """Removes the file of a cell that has been packed, unless it has been measured again since it was read."""
        with suppress(DataError, OSError), self.claim(record.run, record.cell, wait=False) as claimed:
            if claimed and read is not None and identity(path.stat()) == identity(read):
                path.unlink()

    def _path(self, run: Run, cell: Cell) -> Path:
        return self.run_folder(run) / f"{cell.name}.json"


def put_packed_run(folder: Path, run_file: RunFile, records: Mapping[Cell, Record], read: Sequence[PackedFile]) -> bool:
    """Writes the records as the folder's `run.parquet`, see `put_content`."""
    return put_content(folder, packed_run(run_file, records), read)


def put_content(folder: Path, content: bytes, read: Sequence[PackedFile]) -> bool:
    """Writes the content of a `run.parquet` in the place of the packed files that were read. False where another
    process has packed since. Raises DataError when the disk refuses."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return put_packed(folder, content, read)
    except OSError as error:
        raise DataError(f"{folder / PACKED}: {not_written(error)}") from error


def packing(folder: Path) -> AbstractContextManager[bool]:
    """Within it no other process packs the run of this folder; it waits for one that does."""
    return file_lock(folder / ".pack.lock", wait=True)


def _trusted(files: list[PackedFile], run: Run) -> dict[Cell, Record]:
    """The cells in packed files that shall be replaced; none of a damaged one, because nothing of it will ever be used.
    A file that only cannot be read now, or is of another run, is a DataError: it must not be replaced."""
    found: list[PackedRun | DataError] = []
    for one in files:
        mistake = mistake_of(one, run)
        if isinstance(mistake, DamagedError):
            logger.warning("%s; it is replaced", mistake)
        elif mistake is not None:
            raise mistake
        else:
            found.append(one.content)
    return records_of(found)


def _states(paths: list[Path]) -> dict[Path, os.stat_result]:
    """By which a file is known again; those that have just gone are left out."""
    found = {}
    for path in paths:
        with suppress(FileNotFoundError):
            found[path] = path.stat()
    return found


def _level(quiet: bool) -> int:
    return logging.DEBUG if quiet else logging.WARNING
