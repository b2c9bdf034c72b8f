"""`run.parquet`: it comes back as it was, pandas reads it, and a changed bit anywhere is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import DataError
from lst_robust.records import packed
from lst_robust.records.packed import DamagedError, packed_run, read_packed_run, read_run_file
from lst_robust.records.record import Run
from lst_robust.records.run_file import RunFile
from tests.fixtures.records import ANSWERS, CELLS, FOG, PROBED, PROTOCOL, RUN, RUN_FILE, record, records

CONTENT = packed_run(RUN_FILE, records())
CHANCES = 400  # of damage, in about a second


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "run.parquet"
    path.write_bytes(CONTENT)
    return path


def test_a_run_comes_back_as_it_was(path):
    found = read_packed_run(path, predictions=True)
    assert found == (RUN_FILE, records())
    assert found.records[FOG].run == PROBED


@pytest.mark.parametrize(
    ("classes", "kind"),
    [(10, "uint8"), (256, "uint8"), (257, "uint16"), (300, "uint16"), (70000, "uint32"), (None, "uint8")],
)
def test_predictions_of_few_and_of_many_classes_come_back(path, classes, kind):
    path.write_bytes(packed_run(RUN_FILE, records(classes=classes)))
    found = read_packed_run(path, predictions=True)
    assert found.records == records(classes=classes)
    assert str(parquet.read_schema(path).field("predicted").type.value_type) == kind
    classes_of_fog = found.records[FOG].predicted_classes()
    assert classes is None if classes_of_fog is None else classes_of_fog.max() == classes - 1


def test_cells_with_and_without_predictions_and_calibration_lie_side_by_side(path):
    mixed = records()
    mixed[Cell("fog", 1)] = record(Cell("fog", 1), classes=None)
    mixed[Cell("fog", 2)] = record(Cell("fog", 2), classes=70000).model_copy(
        update={"calibration": None, "top5_error": None, "pixels": "abc"}
    )
    path.write_bytes(packed_run(RUN_FILE, mixed))
    assert read_packed_run(path, predictions=True).records == mixed


def test_columns_are_read_without_the_predictions_unless_they_are_wanted(path, monkeypatch):
    read: list[list[str]] = []
    whole = parquet.ParquetFile.read

    def noted(self, columns, **options):
        read.append(columns)
        return whole(self, columns, **options)

    monkeypatch.setattr(parquet.ParquetFile, "read", noted)
    found = read_packed_run(path)
    assert not {"predicted", "confidence"} & set(read[0]) and "correct" in read[0]
    assert found.records == {
        cell: one.model_copy(update={"predicted": None, "confidence": None}) for cell, one in records().items()
    }


def test_the_same_records_give_the_same_bytes_whatever_their_order():
    assert packed_run(RUN_FILE, dict(reversed(records().items()))) == CONTENT
    assert packed_run(RUN_FILE, records() | {FOG: record(wrong=9)}) != CONTENT


def test_the_clean_cell_is_first_and_the_corruptions_have_their_usual_order(path):
    shuffled = [Cell("my_own", 1), Cell("fog", 2), Cell("a_new_one", 1), Cell("snow", 5), FOG, CLEAN_CELL]
    path.write_bytes(packed_run(RUN_FILE, {cell: record(cell) for cell in shuffled}))
    expected = [CLEAN_CELL, Cell("snow", 5), Cell("fog", 2), FOG, Cell("a_new_one", 1), Cell("my_own", 1)]
    assert list(read_packed_run(path).records) == expected


def test_the_run_is_read_without_its_cells(path, monkeypatch):
    monkeypatch.setattr(packed, "checked_record", None)
    assert read_run_file(path) == RUN_FILE
    assert read_run_file(path).probe_answers().tolist() == ANSWERS.tolist()


def test_a_run_of_release_0_1_has_no_answers(path):
    earlier = RunFile(protocol=RUN.protocol, model=RUN.model)
    path.write_bytes(packed_run(earlier, records(RUN, classes=None)))
    assert read_packed_run(path) == (earlier, records(RUN, classes=None))


def test_a_name_that_looks_like_the_files_own_hash_changes_nothing(path):
    name = packed.FILE_DIGEST.decode() + "0" * 64
    odd = RunFile.of(Run(PROTOCOL, RUN.model.model_copy(update={"name": name, "options": {name: name}})), ANSWERS)
    path.write_bytes(packed_run(odd, records(odd.run)))
    assert read_packed_run(path, predictions=True) == (odd, records(odd.run))


def test_pandas_reads_it(path):
    frame = pd.read_parquet(path)
    assert [(row.corruption, row.severity) for row in frame.itertuples()] == list(CELLS)
    assert frame.top1_error.tolist() == [one.top1_error for one in records().values()]
    assert frame.predicted[2].tolist() == record().predicted_classes().tolist()
    assert frame.confidence[2].dtype == np.float16
    assert frame.confidence[2].tolist() == record().confidences().tolist()
    assert frame.correct[2].tolist() == record().correct_bits().tolist()
    assert frame.calibration[2]["brier"] == record().calibration.brier


def refused_or_as_it_was(path: Path, content: bytes) -> bool:
    """Whether damaged content is refused in one line; where it is not, all must be as it was."""
    path.write_bytes(content)
    outcomes = []
    for read, whole in (
        (lambda: read_packed_run(path, predictions=True), (RUN_FILE, records())),
        (lambda: read_run_file(path), RUN_FILE),
    ):
        try:
            assert read() == whole
            outcomes.append(False)
        except DataError as error:
            assert str(error).startswith(f"{path}: damaged (") and "\n" not in str(error) and len(str(error)) < 600
            outcomes.append(True)
    return outcomes[0]


def test_one_bit_that_is_flipped_is_found(path):
    rng = np.random.default_rng(0)
    for place, bit in zip(rng.integers(0, len(CONTENT), CHANCES), rng.integers(0, 8, CHANCES), strict=True):
        content = bytearray(CONTENT)
        content[place] ^= 1 << bit
        assert refused_or_as_it_was(path, bytes(content)), (place, bit)


def test_each_bit_of_the_files_own_hash_and_of_its_last_bytes_counts(path):
    start = CONTENT.rfind(packed.FILE_DIGEST) + len(packed.FILE_DIGEST)
    for place in (*range(start, start + 64), *range(len(CONTENT) - 8, len(CONTENT))):
        content = bytearray(CONTENT)
        content[place] ^= 1
        assert refused_or_as_it_was(path, bytes(content)), place


def test_a_file_that_was_cut_or_has_a_hole_or_a_tail_is_found(path):
    rng = np.random.default_rng(1)
    for place in (0, 1, 4, 8, 12, len(CONTENT) - 1, *rng.integers(0, len(CONTENT), CHANCES // 4)):
        assert refused_or_as_it_was(path, CONTENT[:place])
        assert refused_or_as_it_was(path, CONTENT[:place] + CONTENT[place + 1 :])
        hole = CONTENT[:place] + bytes(min(100, len(CONTENT) - place)) + CONTENT[place + 100 :]
        assert refused_or_as_it_was(path, hole)
    assert refused_or_as_it_was(path, CONTENT + b"\0")
    assert refused_or_as_it_was(path, CONTENT + CONTENT)


def test_what_is_no_parquet_is_damaged(path):
    for content in (b"", b"PAR1", b"PAR1PAR1", b"{}", bytes(1000), np.random.default_rng(2).bytes(1000)):
        assert refused_or_as_it_was(path, content)


def test_a_parquet_file_of_somebody_else_is_damaged(path):
    parquet.write_table(pa.table({"a": [1, 2]}), path)
    with pytest.raises(DamagedError, match="it is not as it was written"):
        read_packed_run(path)
    with pytest.raises(DamagedError, match="it does not say of which run it is"):
        read_run_file(path)


def with_true_digest(content: bytes) -> bytes:
    """As a program would write it that lies on purpose."""
    blank = packed._with_file_digest(content, packed.ZEROS)
    return packed._with_file_digest(blank, packed._sha256(blank))


@pytest.mark.parametrize(
    ("column", "value"),
    [("top1_error", 1.0), ("severity", 6), ("corruption", "../fog"), ("correct", [True]), ("versions", "{")],
)
def test_numbers_that_contradict_each_other_are_refused_although_the_hash_is_right(path, monkeypatch, column, value):
    honest = packed._columns

    def lying(rows):
        columns = honest(rows)
        return columns | {column: pa.array([value] * len(rows), columns[column].type)}

    monkeypatch.setattr(packed, "_columns", lying)
    path.write_bytes(packed_run(RUN_FILE, records()))
    with pytest.raises(DataError) as refused:
        read_packed_run(path)
    assert str(refused.value).startswith(f"{path}: ") and "\n" not in str(refused.value)


def test_a_column_that_lacks_is_refused(path, monkeypatch):
    honest = packed._columns
    monkeypatch.setattr(packed, "_columns", lambda rows: {k: v for k, v in honest(rows).items() if k != "device"})
    path.write_bytes(packed_run(RUN_FILE, records()))
    with pytest.raises(DamagedError):
        read_packed_run(path)


def test_a_run_that_contradicts_itself_is_refused(path):
    text = RUN_FILE.model_dump_json().encode()
    changed = text.replace(b'"images":2', b'"images":4')
    assert len(changed) == len(text) != changed
    content = CONTENT.replace(text, changed)
    content = content.replace(packed._sha256(text), packed._sha256(changed))
    path.write_bytes(with_true_digest(content))
    for read in (read_packed_run, read_run_file):
        with pytest.raises(DamagedError, match=r"damaged \(the answers are not those of 3 classes to 4 images\)"):
            read(path)


def test_a_file_that_cannot_be_read_is_not_called_damaged(tmp_path):
    for read in (read_packed_run, read_run_file):
        for path, reason in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file or directory")):
            with pytest.raises(DataError) as refused:
                read(path)
            assert type(refused.value) is DataError
            assert str(refused.value) == f"{path}: cannot be read ({reason})"


def test_one_image_and_many_are_packed(path):
    for n in (1, 9, 4096):
        run = Run(PROTOCOL.model_copy(update={"n": n}), RUN.model)
        run_file = RunFile(protocol=run.protocol, model=run.model)
        one = {FOG: record(run=run, wrong=min(7, n - 1))}
        path.write_bytes(packed_run(run_file, one))
        assert read_packed_run(path, predictions=True).records == one
