"""The numbers of a packed run without its records: those that the records say, or nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lst_robust.benchmark import Cell
from lst_robust.records import packed
from lst_robust.records.numbers import CellNumbers
from lst_robust.records.packed import packed_run, read_packed_run
from lst_robust.records.packed_numbers import read_packed_numbers
from lst_robust.records.record import Calibration, Run
from lst_robust.records.run_file import RunFile
from tests.analysis.simulated import ALL_CELLS, measured, simulated
from tests.fixtures.records import CELLS, FOG, PROTOCOL, RUN, RUN_FILE, record, records

CONTENT = packed_run(RUN_FILE, records())


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "run.parquet"


def is_what_the_records_say(path: Path) -> bool:
    found, whole = read_packed_numbers(path), read_packed_run(path)
    assert found is not None and found.run_file == whole.run_file and list(found.numbers) == list(whole.records)
    assert found.numbers == {cell: CellNumbers.of(one) for cell, one in whole.records.items()}
    bits = np.stack([np.packbits(one.correct_bits()) for one in whole.records.values()])
    return np.array_equal(found.correct, bits) and found.correct.dtype == bits.dtype


@pytest.mark.parametrize("n", [1, 7, 8, 9, 20, 333])
def test_all_numbers_are_those_of_the_records(path, n):
    run = Run(PROTOCOL.model_copy(update={"n": n}), RUN.model)
    run_file = RunFile(protocol=run.protocol, model=run.model)
    path.write_bytes(packed_run(run_file, {cell: record(cell, run, min(5, n - 1)) for cell in CELLS}))
    assert is_what_the_records_say(path)


def test_a_run_of_all_cells_with_other_confidences_in_each(path):
    run = measured("net", simulated(np.random.default_rng(3), 200, dict.fromkeys(ALL_CELLS, 0.3)))
    records = {
        cell: one.model_copy(update={"calibration": calibration(one.correct_bits(), seed)})
        for seed, (cell, one) in enumerate(run.records.items())
    }
    path.write_bytes(packed_run(RunFile(protocol=run.run.protocol, model=run.run.model), records))
    assert is_what_the_records_say(path) and len(records) == len(ALL_CELLS)


def calibration(correct: np.ndarray, seed: int) -> Calibration:
    """As if an image's confidence were drawn."""
    drawn = np.random.default_rng(seed).random(len(correct))
    place = np.minimum((drawn * 15).astype(int), 14)
    return Calibration(
        count=tuple(np.bincount(place, minlength=15).tolist()),
        confidence=tuple(np.bincount(place, drawn, minlength=15).round(9).tolist()),
        correct=tuple(np.bincount(place[correct], minlength=15).tolist()),
        brier=float(drawn.mean()),
    )


@pytest.mark.parametrize("lacking", [{"calibration": None, "top5_error": None}, {"top5_error": None}])
def test_what_earlier_releases_did_not_note_is_none(path, lacking):
    earlier = {cell: one.model_copy(update=lacking) for cell, one in records(classes=None).items()}
    path.write_bytes(packed_run(RUN_FILE, earlier))
    assert is_what_the_records_say(path)


def test_pixels_are_noted(path):
    some = records() | {FOG: record().model_copy(update={"pixels": "abc"})}
    path.write_bytes(packed_run(RUN_FILE, some))
    assert is_what_the_records_say(path)
    assert read_packed_numbers(path).numbers[FOG].pixels == "abc"


def test_what_is_damaged_or_cannot_be_read_is_left(path, tmp_path):
    assert read_packed_numbers(path) is None and read_packed_numbers(tmp_path) is None
    for content in (b"", b"PAR1", CONTENT[:-9], CONTENT + b"\0", bytes(1000)):
        path.write_bytes(content)
        assert read_packed_numbers(path) is None
    for place in range(0, len(CONTENT), 37):
        flipped = bytearray(CONTENT)
        flipped[place] ^= 4
        path.write_bytes(flipped)
        assert read_packed_numbers(path) is None, place


LIES = [
    ("top1_error", 1.0),
    ("top1_error", float("nan")),
    ("top1_error", None),
    ("top5_error", 90.0),
    ("top5_error", -1.0),
    ("top5_error", float("nan")),
    ("severity", 6),
    ("corruption", "../fog"),
    ("corruption", "fog"),
    ("correct", [True]),
    ("correct", [True] * 19 + [None]),
    ("correct", None),
    ("versions", "{"),
    ("versions", '{"torch": 1}'),
    ("device", None),
    ("finished", None),
    ("seconds", None),
]
CALIBRATION = record().calibration.model_dump()
WRONG_CALIBRATIONS = [
    {"brier": 2.1},
    {"brier": float("nan")},
    {"brier": None},
    {"count": CALIBRATION["count"][:-1]},
    {"count": [20, *[0] * 14]},
    {"correct": [0] * 15},
    {"correct": [-1, *CALIBRATION["correct"][1:-1], CALIBRATION["correct"][-1] + 1]},
    {"confidence": [-1.0, *CALIBRATION["confidence"][1:]]},
    {"confidence": [float("inf")] * 15},
    {"confidence": None},
]


@pytest.mark.parametrize(
    ("column", "value"), [*LIES, *(("calibration", CALIBRATION | wrong) for wrong in WRONG_CALIBRATIONS)]
)
def test_what_a_record_could_not_say_is_left_although_the_hash_is_right(path, monkeypatch, column, value):
    honest = packed._columns

    def lying(rows):
        columns = honest(rows)
        values = [*columns[column].to_pylist()[:-1], value]
        return columns | {column: pa.array(values, columns[column].type)}

    monkeypatch.setattr(packed, "_columns", lying)
    path.write_bytes(packed_run(RUN_FILE, {cell: record(cell) for cell in (Cell("fog", 3), Cell("fog", 5))}))
    found = read_packed_numbers(path)
    if (column, value) == ("corruption", "fog"):
        assert list(found.numbers) == [Cell("fog", 3), Cell("fog", 5)]  # which is what was there
    else:
        assert found is None


@pytest.mark.parametrize("change", ["lacks", "has more", "another type", "twice"])
def test_other_columns_are_left(path, monkeypatch, change):
    honest = packed._columns

    def other(rows):
        columns = honest(rows)
        if change == "lacks":
            del columns["device"]
        elif change == "has more":
            columns["more"] = columns["device"]
        elif change == "another type":
            columns["severity"] = columns["severity"].cast(pa.int64())
        else:
            columns = {name: pa.concat_arrays([column, column]) for name, column in columns.items()}
        return columns

    monkeypatch.setattr(packed, "_columns", other)
    path.write_bytes(packed_run(RUN_FILE, records()))
    assert read_packed_numbers(path) is None


def test_a_run_that_has_no_wrong_image_or_only_wrong_ones(path):
    bits = {cell: np.full(40, cell.severity == 3) for cell in ALL_CELLS[:6]}
    run = measured("net", bits)
    path.write_bytes(packed_run(RunFile(protocol=run.run.protocol, model=run.run.model), run.records))
    assert is_what_the_records_say(path)
