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
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from pydantic import ValidationError

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError, UsageError
from lst_robust.records.cell_file import EarlierReleaseError, is_of_earlier_release, read_cell, read_json, to_json
from lst_robust.records.packed import DamagedError, PackedRun, packed_run, read_packed_run, read_run_file
from lst_robust.records.record import Record, Run
from lst_robust.records.run_file import RunFile
from lst_robust.runtime.file_lock import file_lock
from lst_robust.runtime.files import file_safe, remove, write_output
from lst_robust.schema import first_mistake

logger = logging.getLogger(__name__)
RUN_FILE, PACKED = "run.json", "run.parquet"
RUN_FOLDERS = "n*-seed*-*"


class Store:
    """Reads and writes the records below one results folder."""

    def __init__(self, results_dir: str | Path) -> None:
        self.results_dir = Path(results_dir)
        self._last_packed: tuple[os.stat_result, PackedRun] | None = None

    def model_folder(self, run: Run) -> Path:
        """Where all runs of the model on the suite lie."""
        return self.results_dir / run.protocol.suite / file_safe(run.model.name)

    def run_folder(self, run: Run) -> Path:
        protocol = run.protocol
        return self.model_folder(run) / f"n{protocol.n}-seed{protocol.seed}-{run.digest}"

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
        """The record of one cell if there is one that can be trusted; `load` has said which cannot."""
        with suppress(DataError):
            return read_cell(self._path(run, cell), run)
        with suppress(DataError):
            return self._packed(run).get(cell)
        return None

    def load(self, run: Run, *, quiet: bool = False) -> dict[Cell, Record]:
        """The finished cells of a run, with their predictions. Files that cannot be trusted are named by a warning,
        unless this shall be `quiet` because an earlier call has named them, and left out. Raises DataError for cells
        that an earlier release has measured: they shall be migrated first."""
        found = {record.cell: record for record in self._loose(run, quiet=quiet).values()}
        try:
            return self._packed(run) | found
        except DataError as error:
            logger.log(_level(quiet), "%s; it is not used and its cells are measured again", error)
        return found

    def scan(self, suite: str | None, *, predictions: bool = False) -> Iterator[tuple[Run, dict[Cell, Record]]]:
        """Every run with at least one trustworthy record, of one suite or of all, sorted by path. What cannot be
        trusted is named by a warning. predictions: see `read_packed_run`."""
        for folder in sorted(self.results_dir.glob(f"{suite or '*'}/*/{RUN_FOLDERS}")):
            found = _read_folder(folder, predictions)
            if found is not None and found.records:
                yield found.run_file.run, found.records

    def pack(self, run: Run) -> None:
        """Puts the cells of a run into its `run.parquet`, beside those that are there, and removes their own files.

        A file that cannot be trusted stays, and so does that of a cell which another process is measuring again. Raises
        DataError when the disk refuses; all files are then as they were.
        """
        folder = self.run_folder(run)
        if not any(folder.glob("*.json")):  # all is packed: the disk may be read-only
            return
        with packing(folder):
            states = _states(cell_files(folder))
            loose = self._loose(run, quiet=True)
            packed = self._trusted_packed(run)
            if loose:
                run_file = run_file_of(folder)
                if run_file is None or run_file.run != run:
                    raise DataError(f"{folder} has lost its {RUN_FILE}: measure its network again")
                records = packed | {record.cell: record for record in loose.values()}
                write_output(folder / PACKED, packed_run(run_file, records))
            for path, record in loose.items():
                self._remove_packed_cell(record, path, states.get(path))
            if loose or packed:
                remove(folder / RUN_FILE)

    def _loose(self, run: Run, *, quiet: bool) -> dict[Path, Record]:
        """The cells in files of their own; see `load`."""
        found: dict[Path, Record] = {}
        for path in cell_files(self.run_folder(run)):
            try:
                found[path] = read_cell(path, run)
            except EarlierReleaseError:
                raise
            except DataError as error:
                if path.exists():  # else it has just been packed
                    logger.log(_level(quiet), "%s; it is not used and the cell is measured again", error)
        return found

    def _trusted_packed(self, run: Run) -> dict[Cell, Record]:
        """The cells in the run's `run.parquet`; {} where it is damaged, because nothing of it will ever be used. A
        file that only cannot be read now, or is of another run, is a DataError: it must not be replaced."""
        try:
            return self._packed(run)
        except DamagedError as error:
            logger.warning("%s; it is replaced", error)
        return {}

    def _remove_packed_cell(self, record: Record, path: Path, read: os.stat_result | None) -> None:
        """Removes the file of a cell that has been packed, unless it has been measured again since it was read."""
        with suppress(DataError, OSError), self.claim(record.run, record.cell, wait=False) as claimed:
            if claimed and read is not None and _same_file(path.stat(), read):
                path.unlink()

    def _packed(self, run: Run) -> dict[Cell, Record]:
        """The cells in the run's `run.parquet`, which is read again only when it has changed; {} where there is none.
        DataError where it cannot be trusted."""
        path = self.run_folder(run) / PACKED
        try:
            state = path.stat()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from error
        if self._last_packed is None or not _same_file(self._last_packed[0], state):
            self._last_packed = state, read_packed_run(path, predictions=True)
        content = self._last_packed[1]
        if content.run_file.run != run:
            raise DataError(f"{path}: belongs to another run")
        return dict(content.records)

    def _path(self, run: Run, cell: Cell) -> Path:
        return self.run_folder(run) / f"{cell.name}.json"


def packing(folder: Path) -> AbstractContextManager[bool]:
    """Within it no other process packs the run of this folder; it waits for one that does."""
    return file_lock(folder / ".pack.lock", wait=True)


def run_folders(folder: Path) -> list[Path]:
    """The folders of runs in a model's folder, sorted."""
    return sorted(path for path in folder.glob(RUN_FOLDERS) if path.is_dir())


def cell_files(folder: Path) -> list[Path]:
    """The files of single cells in a run's folder, sorted."""
    return sorted(path for path in folder.glob("*.json") if path.name != RUN_FILE)


def run_file_of(folder: Path) -> RunFile | None:
    """What a run's folder says of its run; None where it says nothing. DataError where that cannot be trusted.

    `run.json` comes first: it is removed only when `run.parquet` is there, and is newer where that one was damaged.
    """
    mistake = None
    for path, read in ((folder / RUN_FILE, _read_run_json), (folder / PACKED, read_run_file)):
        try:
            return read(path)
        except DataError as error:
            if path.exists():
                mistake = mistake or error
    if mistake is not None:
        raise mistake
    return None


def read_record(path: Path, cell: str | None = None) -> Record:
    """One record, checked: the file of a cell, or the named cell in a `run.parquet`.

    Raises DataError in one line when there is none that can be trusted, UsageError when it is not said which is meant.
    """
    if path.suffix == ".parquet":
        records = read_packed_run(path, predictions=True).records
        names = {known.name: known for known in records}
        if cell not in names:
            raise UsageError(
                f"{path} holds {len(names)} cells: choose one with --cell, such as {next(iter(names), '-')}"
            )
        return records[names[cell]]
    if path.name == RUN_FILE:
        raise UsageError(f"{path} holds no cell, only what its run is: give the file of a cell beside it")
    read_json(path)  # whatever lies beside it, a file that is none is refused as such
    run_file = None if is_of_earlier_release(path) else run_file_of(path.parent)
    if run_file is None:
        raise DataError(f"{path}: has no {RUN_FILE} of this release beside it; lst-robust migrate packs earlier ones")
    return read_cell(path, run_file.run)


def _read_run_json(path: Path) -> RunFile:
    try:
        return RunFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise DataError(f"{path}: damaged ({first_mistake(error)})") from error


def _read_folder(folder: Path, predictions: bool) -> PackedRun | None:
    """All that can be trusted in a run's folder; warnings name the rest. None where there is nothing of a run."""
    records: dict[Cell, Record] = {}
    paths = cell_files(folder)
    try:
        run_file = run_file_of(folder)
    except DataError as error:
        logger.warning("%s; its cells are left out", error)
        return None
    if run_file is None:
        if paths:
            logger.warning("%s", _without_run_file(folder, paths))
        return None
    if not folder.name.endswith(run_file.run.digest):
        logger.warning("%s: holds another run than its name says; it is left out", folder)
        return None
    earlier = 0
    for path in paths:
        try:
            record = read_cell(path, run_file.run)
        except EarlierReleaseError:
            earlier += 1
            continue
        except DataError as error:
            if path.exists():
                logger.warning("%s; it is left out", error)
            continue
        records[record.cell] = record
    if earlier:
        logger.warning("%s", _of_earlier_release(folder, earlier))
    if (folder / PACKED).exists():
        try:
            packed = read_packed_run(folder / PACKED, predictions=predictions)
            if packed.run_file.run != run_file.run:
                raise DataError(f"{folder / PACKED}: belongs to another run")
            records = packed.records | records
        except DataError as error:
            logger.warning("%s; its cells are left out", error)
    return PackedRun(run_file, records)


def _of_earlier_release(folder: Path, cells: int) -> str:
    return (
        f"{folder}: {cells} cells were written by an earlier release and are left out; pack them with "
        f"lst-robust migrate {folder.parents[2]}"
    )


def _without_run_file(folder: Path, paths: list[Path]) -> str:
    if any(map(is_of_earlier_release, paths)):
        return _of_earlier_release(folder, len(paths))
    return f"{folder}: has lost its {RUN_FILE}, so its {len(paths)} cells are left out; measure its network again"


def _states(paths: list[Path]) -> dict[Path, os.stat_result]:
    """By which a file is known again; those that have just gone are left out."""
    found = {}
    for path in paths:
        with suppress(FileNotFoundError):
            found[path] = path.stat()
    return found


def _level(quiet: bool) -> int:
    return logging.DEBUG if quiet else logging.WARNING


def _same_file(first: os.stat_result, second: os.stat_result) -> bool:
    return (first.st_ino, first.st_mtime_ns, first.st_size) == (second.st_ino, second.st_mtime_ns, second.st_size)
