"""Records of earlier releases, which kept one JSON file a cell, and protocol and model in each of them.

Schema 1 and 2 are of release 0.1, schema 3 of release 0.2 before it packed its runs. Schema 1 had no top-5 error, no
calibration and no transform; schema 1 and 2 had no hash of the pixels, no geometry, and less of the network's identity.
What is lacking is None, and a run keeps its name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError
from lst_robust.records.cell_file import is_of_earlier_release, read_cell, read_earlier
from lst_robust.records.folder import RUN_FILE, RUN_FOLDERS, cell_files, run_file_of
from lst_robust.records.packed_files import PACKED, PackedReader
from lst_robust.records.record import Record
from lst_robust.records.run_file import RunFile
from lst_robust.records.store import packing, put_packed_run
from lst_robust.runtime.files import remove

logger = logging.getLogger(__name__)


class Migrated(NamedTuple):
    """What was packed: `runs`, files that hold one each, and `cells` in all of them; `left`: files that could not be
    trusted, and stay as they are."""

    runs: list[Path]
    cells: int
    left: list[Path]


def migrate(results_dir: str | Path) -> Migrated:
    """Packs every run below a results folder that has cells of an earlier release, and removes the files that were
    packed. A run is packed whole or stays as it was; what was packed is not packed again.

    Raises DataError when the disk refuses.
    """
    runs, cells, left = [], 0, []
    for folder in sorted(Path(results_dir).glob(f"*/*/{RUN_FOLDERS}")):
        packed, refused = _migrate_run(folder)
        left += refused
        if packed:
            runs.append(folder / PACKED)
            cells += packed
    return Migrated(runs, cells, left)


def earlier_record(folder: Path) -> Record | None:
    """The first record of an earlier release in a run's folder that can be trusted."""
    for path in cell_files(folder):
        with suppress(DataError):
            return read_earlier(path)
    return None


def _migrate_run(folder: Path) -> tuple[int, list[Path]]:
    """How many cells were packed, and the files that cannot be trusted."""
    if not any(map(is_of_earlier_release, cell_files(folder))):  # the disk may be read-only
        return 0, []
    with packing(folder):
        return _migrate_claimed_run(folder)


def _migrate_claimed_run(folder: Path) -> tuple[int, list[Path]]:
    """As `_migrate_run`, of a run that no other process packs at the same time."""
    paths = cell_files(folder)
    earlier_paths = [path for path in paths if is_of_earlier_release(path)]
    earlier, refused = _readable(earlier_paths, lambda path: _earlier_in_place(path, folder))
    if not earlier:
        return 0, refused
    try:
        run_file = run_file_of(folder) or _run_file_without_answers(next(iter(earlier.values())))
        files = PackedReader().read(folder)
        packed: dict[Cell, Record] = {}
        for one in files:
            if isinstance(one.content, DataError):
                raise one.content
            packed |= one.content.records
    except DataError as error:
        logger.warning("%s; its run stays as it is", error)
        return 0, [*refused, *earlier]
    later_paths = [path for path in paths if path not in earlier_paths]
    later, also_refused = _readable(later_paths, lambda path: read_cell(path, run_file.run))
    records = {record.cell: record for record in earlier.values()} | packed
    records |= {record.cell: record for record in later.values()}
    if not put_packed_run(folder, run_file, records, files):
        return 0, refused + also_refused  # another process packs at the same time: the next call goes on
    for path in (*earlier, *later, folder / RUN_FILE):
        remove(path)
    return len(earlier) + len(later), refused + also_refused


def _readable(paths: list[Path], read: Callable[[Path], Record]) -> tuple[dict[Path, Record], list[Path]]:
    """The records in files, and the files that cannot be trusted, which a warning names."""
    records: dict[Path, Record] = {}
    refused: list[Path] = []
    for path in paths:
        try:
            records[path] = read(path)
        except DataError as error:
            if path.exists():  # else another process has just packed it
                logger.warning("%s; it stays as it is", error)
                refused.append(path)
    return records, refused


def _earlier_in_place(path: Path, folder: Path) -> Record:
    record = read_earlier(path)
    if path.stem != record.cell.name or not folder.name.endswith(record.run.digest):
        raise DataError(f"{path}: belongs to another run or cell")
    return record


def _run_file_without_answers(record: Record) -> RunFile:
    return RunFile(protocol=record.protocol, model=record.model)
