"""What lies in the folder of a run, read and checked: see `lst_robust.records.store` for its files."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError, UsageError
from lst_robust.records.cell_file import EarlierReleaseError, is_of_earlier_release, read_cell, read_json
from lst_robust.records.packed import PackedRun, read_packed_run, read_run_file
from lst_robust.records.packed_files import LOOKS, PackedReader, mistake_of, packed_paths
from lst_robust.records.record import Record, Run
from lst_robust.records.run_file import RunFile
from lst_robust.runtime.files import file_safe, has_gone, require_file
from lst_robust.schema import first_mistake

logger = logging.getLogger(__name__)
RUN_FILE = "run.json"
RUN_FOLDERS = "n*-seed*-*"
DIGEST = re.compile(r"[0-9a-f]{12}")  # of a run, at the end of its folder's name


class FolderRecords(NamedTuple):
    """What a run's folder holds. trusted: whether no file had to be left out."""

    run_file: RunFile
    records: dict[Cell, Record]
    trusted: bool


def place_of(run: Run) -> Path:
    """Where the folder of a run lies below a results folder."""
    protocol = run.protocol
    return Path(protocol.suite, file_safe(run.model.name), f"n{protocol.n}-seed{protocol.seed}-{run.digest}")


def measured_folders(results_dir: Path, suite: str | None) -> list[Path]:
    """The folders of all runs of a suite, or of all suites, sorted. Of a run that lies in several, as where a model's
    folder was copied, this is the one in its own place. A warning names the others."""
    of_digest: dict[str, list[Path]] = {}
    for folder in sorted(results_dir.glob(f"{suite or '*'}/*/{RUN_FOLDERS}")):
        digest = folder.name.rpartition("-")[2]
        of_digest.setdefault(digest if DIGEST.fullmatch(digest) else str(folder), []).append(folder)
    chosen, copies = [], []
    for folders in of_digest.values():
        one = folders[0] if len(folders) == 1 else _one_of(folders, results_dir)
        chosen.append(one)
        copies += [f"{other}: holds the same run as {one}" for other in folders if other != one and _cells_in(other)]
    if copies:
        others = f", and so do {len(copies) - 1} more such folders" if len(copies) > 1 else ""
        logger.warning("%s%s; copies are left out, so keep them outside of %s", copies[0], others, results_dir)
    return sorted(chosen)


def _one_of(folders: Sequence[Path], results_dir: Path) -> Path:
    """The folder to read of those that hold the same run: the one in the run's own place, else the first one. One
    without any cell comes last."""
    return min(folders, key=lambda folder: (not _cells_in(folder), not _is_in_place(folder, results_dir)))


def _cells_in(folder: Path) -> bool:
    return bool(cell_files(folder) or packed_paths(folder))


def _is_in_place(folder: Path, results_dir: Path) -> bool:
    try:
        run_file = run_file_of(folder)
    except DataError:  # whoever reads the folder says so
        return False
    return run_file is not None and results_dir / place_of(run_file.run) == folder


def run_folders(folder: Path) -> list[Path]:
    """The folders of runs in a model's folder, sorted."""
    return sorted(path for path in folder.glob(RUN_FOLDERS) if path.is_dir())


def cell_files(folder: Path) -> list[Path]:
    """The files of single cells in a run's folder, sorted."""
    return sorted(path for path in folder.glob("*.json") if path.name != RUN_FILE)


def run_file_of(folder: Path) -> RunFile | None:
    """What a run's folder says of its run; None where it says nothing. DataError where that cannot be trusted.

    `run.json` comes first: it is removed only when `run.parquet` is there, and is newer where that one was damaged. A
    process that packs moves `run.parquet` aside for a moment, so where a file goes while this looks, it looks again.
    """
    for _ in range(LOOKS):
        mistake, gone = None, False
        packed = packed_paths(folder)
        for path, read in ((folder / RUN_FILE, _read_run_json), *((path, read_run_file) for path in packed)):
            try:
                return read(path)
            except DataError as error:
                there, missing = os.path.lexists(path), has_gone(error.__cause__)
                if there or isinstance(error.__cause__, PermissionError):  # of the folder
                    mistake = mistake or error
                gone = gone or (missing and (there or path in packed))
        if not gone and packed_paths(folder) == packed:
            break
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
        require_file(path)
        return RunFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise DataError(f"{path}: damaged ({first_mistake(error)})") from error


def read_folder(folder: Path, *, predictions: bool) -> FolderRecords | None:
    """All that can be trusted in a run's folder; warnings name the rest. None where there is nothing of a run."""
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
    records, trusted = _own_files(folder, paths, run_file)
    files = PackedReader(predictions=predictions).read(folder)
    for one in files:
        if (mistake := mistake_of(one, run_file.run)) is not None:
            logger.warning("%s; its cells are left out", mistake)
            trusted = False
    packed = records_of([one.content for one in files if not mistake_of(one, run_file.run)])
    return FolderRecords(run_file, packed | records, trusted)


def _own_files(folder: Path, paths: list[Path], run_file: RunFile) -> tuple[dict[Cell, Record], bool]:
    """The cells with files of their own, and whether all of these can be trusted."""
    records: dict[Cell, Record] = {}
    earlier, trusted = 0, True
    for path in paths:
        try:
            record = read_cell(path, run_file.run)
        except EarlierReleaseError:
            earlier += 1
            continue
        except DataError as error:
            trusted = False
            if os.path.lexists(path):
                logger.warning("%s; it is left out", error)
            continue
        records[record.cell] = record
    if earlier:
        logger.warning("%s", _of_earlier_release(folder, earlier))
    return records, trusted and not earlier


def _of_earlier_release(folder: Path, cells: int) -> str:
    return (
        f"{folder}: {cells} cells were written by an earlier release and are left out; pack them with "
        f"lst-robust migrate {folder.parents[2]}"
    )


def _without_run_file(folder: Path, paths: list[Path]) -> str:
    if any(map(is_of_earlier_release, paths)):
        return _of_earlier_release(folder, len(paths))
    return f"{folder}: has lost its {RUN_FILE}, so its {len(paths)} cells are left out; measure its network again"


def records_of(contents: Sequence[PackedRun | DataError]) -> dict[Cell, Record]:
    """The records of packed files; those of the last one count."""
    return {cell: record for one in contents if isinstance(one, PackedRun) for cell, record in one.records.items()}
