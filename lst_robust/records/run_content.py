"""All that lies in the folder of a run, each cell with the file that it comes from, and what cannot be trusted."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError
from lst_robust.records.cell_file import read_cell
from lst_robust.records.folder import RUN_FILE, cell_files, run_file_of
from lst_robust.records.packed import PackedRun
from lst_robust.records.packed_files import PackedFile, PackedReader, mistake_of
from lst_robust.records.record import Record
from lst_robust.records.run_file import RunFile
from lst_robust.records.store import Store


@dataclass(frozen=True)
class RunContent:
    """What can be trusted in a run's folder, with the predictions.

    run_file: None where nothing in the folder can be used.
    records, files: by cell; a cell's own file comes before its row in a packed file.
    left: the files that cannot be trusted, each with the reason in one line.
    packed: the packed files, `run.parquet` and those that a packing has moved aside, as they were when they were read.
    """

    folder: Path
    run_file: RunFile | None
    records: Mapping[Cell, Record]
    files: Mapping[Cell, Path]
    left: Mapping[Path, str]
    packed: Sequence[PackedFile]

    @property
    def loose(self) -> set[Cell]:
        """The cells with a file of their own."""
        return {cell for cell, path in self.files.items() if path.suffix == ".json"}


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
        return RunContent(folder, None, {}, {}, {folder: str(error)}, ())
    if run_file is None:
        why = f"{folder}: has lost its {RUN_FILE}; measure its network again, or migrate records of an earlier release"
        return RunContent(folder, None, {}, {}, {folder: why} if paths else {}, ())
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
            if os.path.lexists(path):  # else it has just been packed
                self.left[path] = str(error)
            return
        self.records[record.cell], self.files[record.cell] = record, path

    def add_packed(self, run_file: RunFile) -> Sequence[PackedFile]:
        """Takes up the cells of the packed files, the last file first, and gives the files."""
        files = PackedReader().read(self.folder)
        for file in reversed(files):
            if (mistake := mistake_of(file, run_file.run)) is not None:
                self.left[file.path] = str(mistake)
            elif isinstance(file.content, PackedRun):
                for cell, record in file.content.records.items():
                    if cell not in self.records:
                        self.records[cell], self.files[cell] = record, file.path
        return files


def _run_file_in_place(results_dir: Path, place: Path) -> RunFile | None:
    """What the folder says of its run; DataError where that belongs into another folder."""
    folder = results_dir / place
    run_file = run_file_of(folder)
    if run_file is not None and Store(results_dir).run_folder(run_file.run) != folder:
        raise DataError(f"{folder}: holds another run than its place says")
    return run_file
