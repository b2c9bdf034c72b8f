"""The file of one cell: it comes back as it was, or is refused in one line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError
from lst_robust.records.cell_file import (
    EarlierReleaseError,
    is_of_earlier_release,
    read_cell,
    read_earlier,
    read_json,
    to_json,
)
from lst_robust.records.record import Record
from tests.fixtures.records import FOG, PROBED, PROVENANCE, RUN, earlier_fields, edit, record


@pytest.fixture
def path(tmp_path) -> Path:
    """A sound file, as deep as in a results folder."""
    path = tmp_path / "results" / "digits-c" / "lst18" / "run" / "fog-3.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(to_json(record()))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as refused:
        read_cell(path, PROBED)
    assert type(refused.value) is DataError and "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("classes", [None, 10, 300, 70000])
def test_a_record_comes_back_as_it_was(path, classes):
    path.write_bytes(to_json(record(classes=classes)))
    assert read_cell(path, PROBED) == record(classes=classes)


def test_the_file_is_text_with_a_field_a_line_and_nothing_of_the_run_but_its_name(path):
    text = path.read_text()
    assert text.startswith(f'{{\n "schema_version": 4,\n "run": "{PROBED.digest}",\n "corruption": "fog",\n')
    assert text.endswith("\n}\n")
    assert set(json.loads(text)) == {"schema_version", "run", *Record.model_fields} - {"protocol", "model"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "damaged (not JSON)"),
        (b"\xff", "damaged (not JSON)"),
        (b"[" * 100_000, "damaged (not JSON)"),
        (b"9" * 5_000, "damaged (not JSON)"),
        (b"[]", "not a valid record (schema_version None is unknown to this release)"),
        (b'{"schema_version": 99}', "not a valid record (schema_version 99 is unknown to this release)"),
        (b'{"schema_version": "4"}', "not a valid record (schema_version '4' is unknown to this release)"),
        (b'{"schema_version": [4]}', "not a valid record (schema_version [4] is unknown to this release)"),
        (b'{"schema_version": 4}', "belongs to another run"),
        (
            f'{{"schema_version": 4, "run": "{PROBED.digest}"}}'.encode(),
            "not a valid record (corruption: Field required)",
        ),
    ],
)
def test_the_reason_why_a_file_is_no_record_is_one_line(path, content, reason):
    path.write_bytes(content)
    assert refusal(path) == f"{path}: {reason}"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"top1_error": 1.0}, "not a valid record (top1_error does not follow from the correctness bits)"),
        ({"top5_error": 90.0}, "not a valid record (top5_error is larger than top1_error)"),
        ({"correct": "AAAAAAAA"}, "not a valid record (6 bytes of correctness bits do not hold 20 images)"),
        ({"predicted": "AAAA"}, "not a valid record (3 bytes of predicted classes do not hold 20 images)"),
        ({"confidence": "AAAA"}, "not a valid record (3 bytes of confidences do not hold 20 images)"),
        ({"calibration": record(wrong=8).calibration.model_dump()}, "counts do not follow from the correctness bits"),
        (
            {"calibration": {"count": [1] * 15, "confidence": [0.5] * 15, "correct": [1] * 14 + [2], "brier": 0.1}},
            "(calibration: a bin of 1 images cannot hold 2 correct ones or a sum of 0.5)",
        ),
        (
            {"provenance": PROVENANCE.model_dump() | {"seconds": "soon"}},
            "(provenance.seconds: Input should be a valid number)",
        ),
        ({"extra": 1}, "(extra: Extra inputs are not permitted)"),
        ({"severity": 6}, "(no such cell: 'fog' at severity 6)"),
        ({"severity": 4}, "belongs to another cell, fog-4"),
        ({"run": RUN.digest}, "belongs to another run"),
    ],
)
def test_what_contradicts_itself_or_belongs_elsewhere_is_named(path, changes, reason):
    edit(path, **changes)
    assert refusal(path).startswith(f"{path}: ") and refusal(path).removesuffix(")").endswith(reason.removesuffix(")"))


def test_the_run_comes_from_the_caller_and_not_from_the_file(path):
    edit(path, protocol=PROBED.protocol.model_dump() | {"seed": 1})
    assert read_cell(path, PROBED).protocol == PROBED.protocol


def test_random_bytes_are_no_record(path):
    path.write_bytes(os.urandom(500))
    assert refusal(path).startswith(f"{path}: damaged")


def test_a_file_that_cannot_be_read_is_no_record(tmp_path):
    assert refusal(tmp_path) == f"{tmp_path}: cannot be read (Is a directory)"
    assert refusal(tmp_path / "none") == f"{tmp_path / 'none'}: cannot be read (No such file or directory)"


@pytest.mark.parametrize("schema", [1, 2, 3])
def test_a_file_of_an_earlier_release_says_how_to_pack_it(path, schema):
    run = PROBED if schema == 3 else RUN
    path.write_text(json.dumps(earlier_fields(record(run=run, classes=None), schema)))
    assert is_of_earlier_release(path)
    with pytest.raises(EarlierReleaseError) as refused:
        read_cell(path, run)
    assert str(refused.value) == (
        f"{path}: written by an earlier release; pack it with lst-robust migrate {path.parents[3]}"
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"top1_error": 1.0}, "not a valid record (top1_error does not follow from the correctness bits)"),
        ({"severity": 4}, "belongs to another cell, fog-4"),
        ({"protocol": PROBED.protocol.model_dump() | {"seed": 1}}, "belongs to another run"),
    ],
)
def test_a_damaged_file_of_an_earlier_release_is_refused_as_any_other(path, changes, reason):
    path.write_text(json.dumps(earlier_fields(record(classes=None), 3) | changes))
    assert refusal(path) == f"{path}: {reason}"


@pytest.mark.parametrize("content", [to_json(record()), b"", b"[]", b'{"schema_version": 99}', b"{}"])
def test_other_files_are_of_no_earlier_release(path, content):
    path.write_bytes(content)
    assert not is_of_earlier_release(path)
    assert not is_of_earlier_release(path.parent / "none.json")


def test_json_of_any_kind_is_read(path):
    path.write_text('[1, {"a": null}]')
    assert read_json(path) == [1, {"a": None}]


def test_the_clean_cell_and_one_of_a_corruption_that_is_not_known_here(path):
    for cell in (Cell("clean", 0), Cell("my_own", 2)):
        other = path.with_name(f"{cell.name}.json")
        other.write_bytes(to_json(record(cell)))
        assert read_cell(other, PROBED).cell == cell != FOG


@pytest.mark.parametrize("schema", [None, 0, 4, 99, "1"])
def test_other_schemas_are_not_of_an_earlier_release(tmp_path, schema):
    path = tmp_path / "fog-3.json"
    path.write_text(json.dumps(earlier_fields(record(classes=None), 3) | {"schema_version": schema}))
    with pytest.raises(DataError) as refused:
        read_earlier(path)
    assert str(refused.value) == f"{path}: not a record of an earlier release (schema_version {schema!r})"


@pytest.mark.parametrize("content", [None, 3, "fog", [], [["schema_version", 2]]])
def test_what_is_no_mapping_is_not_of_an_earlier_release(tmp_path, content):
    path = tmp_path / "fog-3.json"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"not a record of an earlier release \(schema_version None\)$"):
        read_earlier(path)


@pytest.mark.parametrize("provenance", [None, "cpu", 3])
def test_a_first_schema_without_provenance_is_refused_as_any_other(tmp_path, provenance):
    path = tmp_path / "fog-3.json"
    path.write_text(json.dumps(earlier_fields(record(run=RUN, classes=None), 1) | {"provenance": provenance}))
    with pytest.raises(DataError, match="provenance"):
        read_earlier(path)
