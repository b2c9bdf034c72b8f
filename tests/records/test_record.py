"""What a record is made of: bits, errors, digests and texts, by hand."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from pydantic import ValidationError

from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.records.confidence import Calibration, Outcomes
from lst_robust.records.record import (
    from_json,
    make_record,
    other_files,
    packed,
    to_json,
    top1_error,
    unpacked,
    utc_now,
)
from tests.records.test_store import FOG, PROTOCOL, PROVENANCE, RUN, record

NINE = np.array([True, False, True, False, False, False, False, False, True])


def test_bits_are_big_endian_in_base64():
    assert packed(NINE) == "oIA="  # 1010 0000, 1000 0000
    assert unpacked("oIA=", 9).tolist() == NINE.tolist()
    assert unpacked("oIA=", 9).dtype == bool
    assert unpacked("oIA=", 16).tolist() == [*NINE, *[False] * 7]


@pytest.mark.parametrize("n", [8, 17])
def test_bits_of_another_number_of_images_are_refused(n):
    with pytest.raises(ValueError, match=f"^2 bytes of correctness bits do not hold {n} images$"):
        unpacked("oIA=", n)


def test_what_is_no_base64_is_refused_and_not_skipped():
    with pytest.raises(ValueError):
        unpacked("oI!A=", 9)


def test_the_error_is_the_percentage_of_wrong_images():
    assert top1_error(NINE) == pytest.approx(100 * 6 / 9)
    assert top1_error(np.array([True, True])) == 0
    assert top1_error(np.array([False])) == 100


def test_a_record_holds_what_became_of_each_image():
    outcomes = Outcomes(NINE, NINE | (np.arange(9) == 1), np.full(9, 0.5), np.full(9, 0.25))
    run = RUN._replace(protocol=PROTOCOL.model_copy(update={"n": 9}))
    made = make_record(run, Cell("snow", 4), outcomes, PROVENANCE)
    assert (made.corruption, made.severity) == ("snow", 4)
    assert made.top1_error == pytest.approx(100 * 6 / 9)
    assert made.top5_error == pytest.approx(100 * 5 / 9)
    assert made.correct_bits().tolist() == NINE.tolist()
    assert made.calibration == Calibration.of(outcomes)
    assert (made.run, made.provenance) == (run, PROVENANCE)


def test_the_time_is_utc_to_the_second():
    now = utc_now()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", now)
    assert abs(datetime.now(timezone.utc) - datetime.fromisoformat(now)) < timedelta(hours=1)


def test_a_record_is_text_with_a_field_a_line():
    text = to_json(record())
    assert text.endswith("\n}\n")
    assert '\n "corruption": "fog",\n "severity": 3,\n' in text
    assert from_json(json.loads(text)) == record()


@pytest.mark.parametrize("data", [None, 3, "fog", [], [("schema_version", 2)]])
def test_what_is_no_mapping_is_no_record(data):
    with pytest.raises(ValueError, match=r"^not a record$"):
        from_json(data)


@pytest.mark.parametrize("schema", [None, 0, 99, "1"])
def test_an_unknown_schema_is_named(schema):
    fields = json.loads(to_json(record())) | {"schema_version": schema}
    message = f"schema_version {schema!r} is unknown to this release, which reads 1 to "
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        from_json(fields)


@pytest.mark.parametrize("provenance", [None, "cpu", 3])
def test_a_first_schema_without_provenance_is_refused_as_any_other(provenance):
    fields = json.loads(to_json(record())) | {"schema_version": 1, "provenance": provenance}
    with pytest.raises(ValueError, match="provenance"):
        from_json(fields)


def test_a_migrated_record_keeps_its_other_fields():
    fields = json.loads(to_json(record()))
    old = {key: value for key, value in fields.items() if key not in ("top5_error", "calibration")}
    old["provenance"] = {key: value for key, value in fields["provenance"].items() if key != "transform"}
    before = json.dumps(old)
    migrated = from_json(old | {"schema_version": 1})
    assert (migrated.top5_error, migrated.calibration, migrated.provenance.transform) == (None, None, None)
    assert migrated.provenance.seconds == record().provenance.seconds
    assert (migrated.run, migrated.cell, migrated.correct) == (RUN, FOG, record().correct)
    assert json.dumps(old) == before


def test_the_clean_images_are_a_cell_of_severity_0():
    assert Cell("clean", 0) == CLEAN_CELL
    assert (CLEAN_CELL.name, Cell("fog", 3).name) == ("clean", "fog-3")
    assert record(CLEAN_CELL).cell == CLEAN_CELL


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("top1_error", -0.5),
        ("top1_error", 100.5),
        ("top5_error", -0.5),
        ("top5_error", 100.5),
        ("severity", "3"),
        ("top1_error", "33"),
        ("surprise", 1),
    ],
)
def test_each_field_of_a_record_keeps_its_bounds(field, value):
    with pytest.raises(ValidationError) as refused:
        from_json(json.loads(to_json(record())) | {field: value})
    assert {error["loc"] for error in refused.value.errors()} == {(field,)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"top1_error": 100 * 7 / 21 + 0.5}, "top1_error does not follow from the correctness bits"),
        ({"top1_error": 100 * 7 / 21 + 2e-9}, "top1_error does not follow from the correctness bits"),
        ({"top5_error": 100 * 7 / 21 + 0.5}, "top5_error is larger than top1_error"),
        ({"corruption": "Fogg"}, "no such cell: 'Fogg' at severity 3"),
        ({"severity": 0}, "no such cell: 'fog' at severity 0"),
        ({"severity": 6}, "no such cell: 'fog' at severity 6"),
        ({"corruption": "clean"}, "no such cell: 'clean' at severity 3"),
    ],
)
def test_what_contradicts_itself_is_no_record(changes, message):
    with pytest.raises(ValidationError, match=message):
        from_json(json.loads(to_json(record())) | changes)


def test_a_calibration_of_other_images_is_refused():
    fields = json.loads(to_json(record()))
    for wrong in (6, 8):  # as many images, and not as many right
        other = json.loads(to_json(record(wrong=wrong)))["calibration"]
        with pytest.raises(ValidationError, match="counts do not follow from the correctness bits"):
            from_json(fields | {"calibration": other})
    correct = np.arange(20) < 14  # as many right, of fewer images
    of_20 = Calibration.of(Outcomes(correct, None, np.full(20, 0.5), np.full(20, 0.5)))
    with pytest.raises(ValidationError, match="counts do not follow from the correctness bits"):
        from_json(fields | {"calibration": of_20.model_dump()})


def test_all_images_may_be_wrong_or_right():
    for wrong, error in ((0, 0), (21, 100)):
        assert record(wrong=wrong).top1_error == error
    nothing_right = Outcomes(np.zeros(21, bool), np.zeros(21, bool), np.full(21, 0.5), np.full(21, 0.5))
    made = make_record(RUN, FOG, nothing_right, PROVENANCE)
    assert (made.top1_error, made.top5_error) == (100, 100)


def test_a_protocol_is_of_one_image_or_more():
    fields = PROTOCOL.model_dump()
    assert type(PROTOCOL)(**fields | {"n": 1}).n == 1
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        type(PROTOCOL)(**fields | {"n": 0})
    with pytest.raises(ValidationError, match="frozen"):
        PROTOCOL.n = 3


def test_the_digest_of_a_run_has_12_digits_and_does_not_depend_on_the_order_of_options():
    def digest(**options: object) -> str:
        return RUN._replace(model=RUN.model.model_copy(update={"options": options})).digest

    assert re.fullmatch("[0-9a-f]{12}", digest())
    assert digest(a=1, b=2) == digest(b=2, a=1) != digest(a=2, b=1)


def test_cells_of_other_official_files_are_named():
    assert other_files({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "9", "d": "4"}) == ["b"]
    assert other_files({"a": None, "b": "1"}, {"a": None, "b": None}) == ["b"]
    assert other_files({}, {"a": "1"}) == other_files({"a": "1"}, {}) == []


def test_the_hash_of_official_files_is_kept_with_the_cell():
    outcomes = Outcomes(NINE, None, np.full(9, 0.5), np.full(9, 0.5))
    run = RUN._replace(protocol=PROTOCOL.model_copy(update={"n": 9}))
    assert make_record(run, FOG, outcomes, PROVENANCE, "abc").pixels == "abc"
    assert make_record(run, FOG, outcomes, PROVENANCE).pixels is None


def test_a_run_of_an_earlier_schema_keeps_its_name():
    assert RUN.digest == "aa87b2e241da", "as the release before had it, which knew no pixels"
    assert RUN._replace(protocol=PROTOCOL.model_copy(update={"pixels": "abc"})).digest != RUN.digest
    assert RUN._replace(model=RUN.model.model_copy(update={"probe": "abc"})).digest != RUN.digest
    assert RUN._replace(model=RUN.model.model_copy(update={"train_seed": 1})).digest != RUN.digest
