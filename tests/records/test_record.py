"""What a record is made of: bits, errors, digests and texts, by hand."""

from __future__ import annotations

import base64
import re
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from pydantic import ValidationError

from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.records.confidence import Calibration, Outcomes
from lst_robust.records.record import (
    Record,
    make_record,
    other_files,
    packed,
    packed_classes,
    packed_confidences,
    top1_error,
    unpacked,
    utc_now,
)
from tests.fixtures.records import FOG, PROBED, PROTOCOL, PROVENANCE, RUN, N, record

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


def fields(**changes: object) -> dict:
    """Of a sound record, with changes."""
    return record().model_dump() | changes


def test_a_record_is_its_fields():
    assert Record.model_validate(fields()) == record()


@pytest.mark.parametrize(("classes", "width"), [(2, 1), (10, 1), (256, 1), (257, 2), (300, 2), (65537, 4), (70000, 4)])
def test_predicted_classes_take_as_few_bytes_as_the_largest_needs(classes, width):
    made = record(classes=classes)
    expected = np.linspace(0, classes - 1, N).astype(np.int64)
    assert len(base64.b64decode(made.predicted)) == N * width
    found = made.predicted_classes()
    assert found.dtype == np.int64 and found.tolist() == expected.tolist()


def test_classes_and_confidences_are_little_endian():
    assert base64.b64decode(packed_classes(np.array([1, 256]))) == b"\x01\x00\x00\x01"
    assert base64.b64decode(packed_classes(np.array([65536]))) == b"\x00\x00\x01\x00"
    assert base64.b64decode(packed_confidences(np.array([1.0, 0.5]))) == b"\x00\x3c\x00\x38"


def test_confidences_are_kept_to_three_digits():
    found = record().confidences()
    assert found.dtype == np.float16
    assert found == pytest.approx(np.linspace(0.2, 1, N), rel=5e-4)


def test_without_predictions_a_record_has_neither_classes_nor_confidences():
    made = record(classes=None)
    assert (made.predicted, made.confidence) == (None, None)
    assert (made.predicted_classes(), made.confidences()) == (None, None)
    assert made.calibration == record().calibration


@pytest.mark.parametrize("size", [0, 1, N - 1, N + 1, 3 * N, 8 * N])
def test_predictions_of_another_number_of_images_are_refused(size):
    text = base64.b64encode(bytes(size)).decode()
    with pytest.raises(ValidationError, match=f"{size} bytes of predicted classes do not hold 20 images"):
        Record.model_validate(fields(predicted=text))
    with pytest.raises(ValidationError, match=f"{size} bytes of confidences do not hold 20 images"):
        Record.model_validate(fields(confidence=text))


@pytest.mark.parametrize("field", ["correct", "predicted", "confidence"])
def test_what_is_no_base64_is_no_record(field):
    with pytest.raises(ValidationError):
        Record.model_validate(fields(**{field: "oI!A="}))


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
        ("schema_version", 4),
        ("surprise", 1),
    ],
)
def test_each_field_of_a_record_keeps_its_bounds(field, value):
    with pytest.raises(ValidationError) as refused:
        Record.model_validate(fields(**{field: value}))
    assert {error["loc"] for error in refused.value.errors()} == {(field,)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"top1_error": 100 * 7 / N + 0.5}, "top1_error does not follow from the correctness bits"),
        ({"top1_error": 100 * 7 / N + 2e-9}, "top1_error does not follow from the correctness bits"),
        ({"top5_error": 100 * 7 / N + 0.5}, "top5_error is larger than top1_error"),
        ({"corruption": "Fog"}, "no such cell: 'Fog' at severity 3"),
        ({"corruption": "../fog"}, "no such cell: '../fog' at severity 3"),
        ({"corruption": "fog\n"}, "no such cell"),
        ({"severity": 0}, "no such cell: 'fog' at severity 0"),
        ({"severity": 6}, "no such cell: 'fog' at severity 6"),
        ({"corruption": "clean"}, "no such cell: 'clean' at severity 3"),
    ],
)
def test_what_contradicts_itself_is_no_record(changes, message):
    with pytest.raises(ValidationError, match=message):
        Record.model_validate(fields(**changes))


def test_a_corruption_that_is_not_known_here_is_a_cell():
    assert Record.model_validate(fields(corruption="my_own")).cell == Cell("my_own", 3)


def test_a_calibration_of_other_images_is_refused():
    for wrong in (6, 8):  # as many images, and not as many right
        other = record(wrong=wrong).calibration.model_dump()
        with pytest.raises(ValidationError, match="counts do not follow from the correctness bits"):
            Record.model_validate(fields(calibration=other))
    correct = np.arange(N - 1) < N - 7  # as many right, of fewer images
    fewer = Calibration.of(Outcomes(correct, None, np.full(N - 1, 0.5), np.full(N - 1, 0.5)))
    with pytest.raises(ValidationError, match="counts do not follow from the correctness bits"):
        Record.model_validate(fields(calibration=fewer.model_dump()))


def test_all_images_may_be_wrong_or_right():
    for wrong, error in ((0, 0), (N, 100)):
        assert record(wrong=wrong).top1_error == error
    nothing_right = Outcomes(np.zeros(N, bool), np.zeros(N, bool), np.full(N, 0.5), np.full(N, 0.5))
    made = make_record(RUN, FOG, nothing_right, PROVENANCE)
    assert (made.top1_error, made.top5_error) == (100, 100)


def test_a_protocol_is_of_one_image_or_more():
    known = PROTOCOL.model_dump()
    assert type(PROTOCOL)(**known | {"n": 1}).n == 1
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        type(PROTOCOL)(**known | {"n": 0})
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
    of_21 = RUN._replace(protocol=PROTOCOL.model_copy(update={"n": 21}))
    assert of_21.digest == "aa87b2e241da", "as release 0.1 had it, which knew no pixels"
    assert (RUN.digest, PROBED.digest) == ("f71b699fa611", "9b96b942545f")
    assert RUN._replace(protocol=PROTOCOL.model_copy(update={"pixels": "abc"})).digest != RUN.digest
    assert RUN._replace(model=RUN.model.model_copy(update={"train_seed": 1})).digest != RUN.digest
