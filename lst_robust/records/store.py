"""The store: a folder of small files, one a cell.

    <results>/<suite>/<model>/n<images>-seed<seed>-<run digest>/<corruption>-<severity>.json
                                                                run.json
Every file is written to a temporary name and renamed, so it is whole or not there, on any file system and with any
number of writers. A run of another protocol or of other weights has another digest and so another folder: nothing
finished is ever overwritten by a different measurement. A damaged or foreign file is reported and measured again,
never trusted. While a cell is measured its lock is held, so that processes that work on one run at the same time share
its cells; the system releases the lock of a process that dies.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from pydantic import ValidationError

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError
from lst_robust.records.record import Record, Run, from_json, to_json
from lst_robust.runtime.file_lock import file_lock
from lst_robust.runtime.files import file_safe, write_output
from lst_robust.schema import first_mistake

Warn = Callable[[str], None]
RUN_FILE = "run.json"  # of a run's folder: what the run is, see lst_robust/records/runs.py


class Store:
    """Reads and writes the records below one results folder."""

    def __init__(self, results_dir: str | Path) -> None:
        self.results_dir = Path(results_dir)

    def model_folder(self, run: Run) -> Path:
        """Where all runs of the model on the suite lie."""
        return self.results_dir / run.protocol.suite / file_safe(run.model.name)

    def run_folder(self, run: Run) -> Path:
        protocol = run.protocol
        return self.model_folder(run) / f"n{protocol.n}-seed{protocol.seed}-{run.digest}"

    def check_writable(self) -> None:
        """Makes the results folder; DataError with the mend when nothing can be written there."""
        try:
            self.results_dir.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.results_dir):
                pass
        except OSError as error:
            raise DataError(
                f"results folder {self.results_dir} is not writable ({error.strerror}); "
                "choose another with --results-dir"
            ) from error

    def write(self, record: Record) -> Path:
        """Writes one record atomically and returns its path. Raises DataError when the disk refuses."""
        path = self._path(record.run, record.cell)
        write_output(path, to_json(record).encode())
        return path

    def claim(self, run: Run, cell: Cell, *, wait: bool) -> AbstractContextManager[bool]:
        """Within it the cell is this process's alone, if it gives True. It gives False where another process has it,
        unless it shall `wait` for that one to finish."""
        return file_lock(self.run_folder(run) / f".{cell.name}.lock", wait=wait)

    def find(self, run: Run, cell: Cell) -> Record | None:
        """The record of one cell if there is one that can be trusted; `load` has said which cannot."""
        try:
            record = parse_record(self._path(run, cell))
        except DataError:
            return None
        return record if (record.run, record.cell) == (run, cell) else None

    def _path(self, run: Run, cell: Cell) -> Path:
        return self.run_folder(run) / f"{cell.name}.json"

    def load(self, run: Run, warn: Warn) -> dict[Cell, Record]:
        """The finished cells of a run. Files that cannot be trusted are named through `warn` and left out."""
        found = {}
        for path in record_files(self.run_folder(run)):
            record = read_record(path, warn)
            if record is None:
                continue
            if record.run != run or path.stem != record.cell.name:
                warn(f"{path}: belongs to another run or cell; it is not used and the cell is measured again")
                continue
            found[record.cell] = record
        return found

    def scan(self, suite: str | None, warn: Warn) -> Iterator[tuple[Run, dict[Cell, Record]]]:
        """Every run with at least one trustworthy record, of one suite or of all, sorted by path."""
        pattern = f"{suite or '*'}/*/n*-seed*-*"
        for folder in sorted(self.results_dir.glob(pattern)):
            runs: dict[str, tuple[Run, dict[Cell, Record]]] = {}
            for path in record_files(folder):
                record = read_record(path, warn)
                if record is None:
                    continue
                run = record.run
                if not folder.name.endswith(run.digest) or path.stem != record.cell.name:
                    warn(f"{path}: belongs to another run or cell; it is left out")
                    continue
                runs.setdefault(run.digest, (run, {}))[1][record.cell] = record
            yield from runs.values()


def record_files(folder: Path) -> list[Path]:
    """The files of a run's folder that should be records, sorted."""
    return sorted(path for path in folder.glob("*.json") if path.name != RUN_FILE)


def read_record(path: Path, warn: Warn) -> Record | None:
    """One record, or None (with a warning that names the file) when it is damaged or of an unknown schema."""
    try:
        return parse_record(path)
    except DataError as error:
        warn(f"{error}; it is not used")
    return None


def parse_record(path: Path) -> Record:
    """The record in a file, checked and migrated; DataError in one line when it is none that can be trusted."""
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: damaged (not JSON)") from error
    try:
        return from_json(data)
    except ValidationError as error:
        raise DataError(f"{path}: not a valid record ({first_mistake(error)})") from error
    except ValueError as error:
        raise DataError(f"{path}: not a valid record ({error})") from error
