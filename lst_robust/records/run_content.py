"""All that lies in the folder of a run, each cell with the file that it comes from, and what cannot be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError
from lst_robust.records.cell_file import read_cell
from lst_robust.records.packed import unpacked_run
from lst_robust.records.record import Record
from lst_robust.records.run_file import RunFile
from lst_robust.records.store import PACKED, RUN_FILE, Store, cell_files, run_file_of


@dataclass(frozen=True)
class RunContent:
    """What can be trusted in a run's folder, with the predictions.

    run_file: None where nothing in the folder can be used.
    records, files: by cell; a cell's own file comes before its row in `run.parquet`.
    left: the files that cannot be trusted, each with the reason in one line.
    packed: the bytes of `run.parquet`, None where there is none that can be trusted.
    """

    folder: Path
    run_file: RunFile | None
    records: Mapping[Cell, Record]
    files: Mapping[Cell, Path]
    left: Mapping[Path, str]
    packed: bytes | None

    @property
    def loose(self) -> set[Cell]:
        """The cells with a file of their own."""
        return {cell for cell, path in self.files.items() if path.name != PACKED}


def read_run(results_dir: Path, place: Path) -> RunContent:
    """The content of the run's folder `results_dir / place`, all of it checked.

    Another process may measure or pack the run at the same time: a cell that has been in the folder is found.
    """
    folder = results_dir / place
    reading = _Reading(folder, {}, {}, {})
    paths = cell_files(folder)
    try:
        run_file = _run_file_in_place(results_dir, place)
    except DataError as error:
        return RunContent(folder, None, {}, {}, {folder: str(error)}, None)
    if run_file is None:
        why = f"{folder}: has lost its {RUN_FILE}; measure its network again, or migrate records of an earlier release"
        return RunContent(folder, None, {}, {}, {folder: why} if paths else {}, None)
    for path in paths:
        reading.add_cell(path, run_file)
    packed = reading.add_packed(run_file)
    return RunContent(folder, run_file, reading.records, reading.files, reading.left, packed)


@dataclass
class _Reading:
    folder: Path
    records: dict[Cell, Record]
    files: dict[Cell, Path]
    left: dict[Path, str]

    def add_cell(self, path: Path, run_file: RunFile) -> None:
        try:
            record = read_cell(path, run_file.run)
        except DataError as error:
            if path.exists():  # else it has just been packed
                self.left[path] = str(error)
            return
        self.records[record.cell], self.files[record.cell] = record, path

    def add_packed(self, run_file: RunFile) -> bytes | None:
        """The bytes of `run.parquet`."""
        path = self.folder / PACKED
        try:
            content = path.read_bytes()
            found = unpacked_run(content, path, predictions=True)
            if found.run_file.run != run_file.run:
                raise DataError(f"{path}: belongs to another run")
        except FileNotFoundError:
            return None
        except OSError as error:
            self.left[path] = f"{path}: cannot be read ({error.strerror})"
            return None
        except DataError as error:
            self.left[path] = str(error)
            return None
        for cell, record in found.records.items():
            if cell not in self.records:
                self.records[cell], self.files[cell] = record, path
        return content


def _run_file_in_place(results_dir: Path, place: Path) -> RunFile | None:
    """What the folder says of its run; DataError where that belongs into another folder."""
    folder = results_dir / place
    run_file = run_file_of(folder)
    if run_file is not None and Store(results_dir).run_folder(run_file.run) != folder:
        raise DataError(f"{folder}: holds another run than its place says")
    return run_file
