"""A summary: its numbers, its intervals, its JSON, and the way back from it."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from lst_robust.analysis.metrics import image_metrics
from lst_robust.analysis.summary import Summary, bootstrap_intervals, calibration, summarise
from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, SEVERITIES, Cell
from lst_robust.errors import UsageError
from lst_robust.geometry import centre_crop
from lst_robust.suites.normaliser import NAMED
from tests.analysis.gated import WRONG
from tests.analysis.simulated import HALF, SUITE, measured

RUN, RECORDS, _ = measured("lst18", WRONG)
WHOLE = summarise(RUN, RECORDS, HALF)
KEYS = {
    "model", "options", "checkpoint_sha256", "train_seed", "run", "suite", "suite_version", "suite_digest", "protocol",
    "data", "images", "pixels", "preprocess", "geometry", "preset", "style", "engine", "image_size", "n", "seed",
    "subset", "normaliser", "normaliser_digest", "clean_error", "mean_corruption_error", "mce15", "mce19",
    "relative_mce", "ce", "errors", "calibration", "notes", "intervals",
}  # fmt: skip


def test_the_numbers_are_those_of_the_records():
    errors = {cell: record.top1_error for cell, record in RECORDS.items()}
    assert WHOLE.errors["fog"] == tuple(errors[Cell("fog", severity)] for severity in SEVERITIES)
    assert WHOLE.ce["fog"] == pytest.approx(2 * np.mean(WHOLE.errors["fog"]))
    assert WHOLE.metrics["clean_error"] == errors[CLEAN_CELL]
    assert WHOLE.metrics["mce19"] == pytest.approx(np.mean(list(WHOLE.ce.values())))
    assert (WHOLE.run, WHOLE.protocol, WHOLE.model) == (RUN.digest, RUN.protocol, RUN.model)
    assert WHOLE.label == "lst18" and WHOLE.normaliser == "half" and WHOLE.notes == ()
    assert summarise(RUN, RECORDS, HALF) == WHOLE


def test_it_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        WHOLE.label = "mine"


def test_an_interval_wherever_there_is_a_number():
    for name, value in WHOLE.metrics.items():
        low, high = WHOLE.intervals.metrics[name]
        assert low < value < high
    for name in CORRUPTIONS:
        low, high = WHOLE.intervals.ce[name]
        assert low < WHOLE.ce[name] < high
    assert bootstrap_intervals(RECORDS, HALF) == WHOLE.to_dict()["intervals"]
    assert summarise(RUN, RECORDS, HALF, intervals=False).intervals is None
    none = summarise(RUN, {CLEAN_CELL: RECORDS[CLEAN_CELL]}, None).intervals
    assert none.metrics["mce15"] is None and none.ce["fog"] is None and none.metrics["clean_error"] is not None
    assert set(summarise(RUN, {}, None).intervals.metrics.values()) == {None}


def test_the_json_has_the_keys_that_scripts_parse():
    data = WHOLE.to_dict()
    assert set(data) == KEYS
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert (data["model"], data["suite"], data["n"], data["run"]) == ("lst18", "digits-c", 300, RUN.digest)
    assert data["checkpoint_sha256"] == "0" * 64 and data["train_seed"] == 0 and data["options"] == {}
    assert list(data["ce"]) == list(data["errors"]) == list(CORRUPTIONS)
    assert data["errors"]["fog"] == list(WHOLE.errors["fog"])
    assert set(data["intervals"]) == {*WHOLE.metrics, "ce"}
    assert data["intervals"]["mce15"] == list(WHOLE.intervals.metrics["mce15"])
    assert "intervals" not in summarise(RUN, RECORDS, HALF, intervals=False).to_dict()


def test_a_label_stands_beside_the_models_name():
    labelled = dataclasses.replace(WHOLE, label="lst18 (seed 0)")
    data = labelled.to_dict()
    assert (data["model"], data["model_name"]) == ("lst18 (seed 0)", "lst18")
    assert labelled.model.name == "lst18"
    assert Summary.from_dict(data).label == "lst18 (seed 0)" and Summary.from_dict(data).model.name == "lst18"


@pytest.mark.parametrize("normaliser", [HALF, None])
@pytest.mark.parametrize("intervals", [True, False])
def test_there_and_back(normaliser, intervals):
    summary = summarise(RUN, RECORDS, normaliser, intervals=intervals)
    assert Summary.from_dict(json.loads(json.dumps(summary.to_dict()))) == summary


def test_the_geometry_is_told_in_words():
    run = RUN._replace(protocol=RUN.protocol.model_copy(update={"preprocess": "suite", "geometry": centre_crop(32)}))
    summary = summarise(run, {}, None)
    assert summary.geometry == "shorter side to 32 (bilinear), centre 32 x 32" == summary.to_dict()["geometry"]
    assert Summary.from_dict(summary.to_dict()).to_dict() == summary.to_dict()


def test_the_json_of_an_earlier_release_is_read():
    data = WHOLE.to_dict() | {"no_longer": 3, "over_seeds": None}
    del data["normaliser_digest"]
    for key in ("preprocess", "geometry", "pixels", "calibration", "intervals", "notes", "relative_mce"):
        del data[key]
    summary = Summary.from_dict(data)
    assert summary.metrics["relative_mce"] is None and summary.metrics["mce15"] == WHOLE.metrics["mce15"]
    assert summary.intervals is None and summary.pixels is None and set(summary.calibration.values()) == {None}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"suite": None}, "protocol.suite"), ({"n": "500"}, "protocol.n"), ({"n": 0}, "protocol.n"),
        ({"errors": None}, "errors"), ({"errors": {"fog": 3}}, "errors.fog"), ({"model": 3}, "model"),
        ({"ce": {"fog": "much"}}, "ce.fog"), ({"intervals": [1, 2]}, "get"), ({"run": None}, "run"),
        ({"intervals": {"mce15": [1]}}, "intervals"),
    ],
)  # fmt: skip
def test_what_is_no_summary_is_refused_in_one_line(changes, words):
    with pytest.raises(UsageError, match=r"^not the JSON of lst-robust eval --json \(.*\)$") as caught:
        Summary.from_dict(WHOLE.to_dict() | changes)
    assert words in str(caught.value)


def test_notes_say_why_a_number_is_missing():
    assert summarise(RUN, RECORDS, None).notes == ("no CE and no mCE without a normaliser: give one with --normaliser",)
    part = {cell: record for cell, record in RECORDS.items() if cell.corruption != "fog"}
    assert summarise(RUN, part, HALF, intervals=False).notes == (
        "no mCE (15), mCE (19), relative mCE: not all severities of fog are measured",
    )
    digits = summarise(RUN, RECORDS, SUITE.normaliser, intervals=False)
    assert digits.metrics["relative_mce"] is None
    assert digits.notes == ("no relative mCE: alexnet-digits-c itself loses nothing on jpeg_compression",)


@pytest.mark.parametrize(
    ("missing", "reasons"),
    [
        (lambda cell: cell.corruption == "clean", ["no clean error, relative mCE: the clean images are not measured"]),
        (lambda cell: cell.corruption == "saturate", ["no mCE (19): not all severities of saturate are measured"]),
        (
            lambda cell: cell in (CLEAN_CELL, Cell("saturate", 3)),
            [
                "no clean error, relative mCE: the clean images are not measured",
                "no mCE (19): not all severities of saturate are measured",
            ],
        ),
        (
            lambda cell: cell != CLEAN_CELL,
            [
                "no mean corruption error, mCE (19): not all severities of 19 of the 19 corruptions are measured",
                "no mCE (15), relative mCE: not all severities of 15 of the 15 corruptions are measured",
            ],
        ),
    ],
)
def test_each_missing_mean_has_its_own_reason(missing, reasons):
    part = {cell: record for cell, record in RECORDS.items() if not missing(cell)}
    summary = summarise(RUN, part, HALF, intervals=False)
    assert list(summary.notes) == reasons
    for metric in image_metrics():
        said = metric.label if metric.needs_normaliser else metric.title
        assert (summary.metrics[metric.name] is None) is any(said in line for line in reasons)


def test_a_corruption_of_ones_own_has_its_errors_and_moves_no_mean():
    own = {
        Cell("my_fog", severity): RECORDS[Cell("fog", severity)].model_copy(update={"corruption": "my_fog"})
        for severity in (1, 2)
    }
    summary = summarise(RUN, RECORDS | own, HALF)
    assert summary.errors["my_fog"] == (*WHOLE.errors["fog"][:2], None, None, None)
    assert list(summary.errors) == [*CORRUPTIONS, "my_fog"] and list(summary.ce) == list(CORRUPTIONS)
    assert (summary.metrics, summary.calibration, summary.intervals) == (
        WHOLE.metrics, WHOLE.calibration, WHOLE.intervals
    )  # fmt: skip
    assert Summary.from_dict(summary.to_dict()) == summary


def test_a_normaliser_may_have_errors_of_a_corruption_of_ones_own():
    own = {
        Cell("my_fog", severity): RECORDS[Cell("fog", severity)].model_copy(update={"corruption": "my_fog"})
        for severity in SEVERITIES
    }
    normaliser = HALF.model_copy(update={"errors": HALF.errors | {"my_fog": (25.0,) * 5}})
    summary = summarise(RUN, RECORDS | own, normaliser)
    assert summary.ce["my_fog"] == pytest.approx(2 * WHOLE.ce["fog"])
    low, high = summary.intervals.ce["my_fog"]
    assert low < summary.ce["my_fog"] < high
    assert summary.metrics == WHOLE.metrics


def test_calibration_that_one_record_lacks_is_none():
    assert calibration(RECORDS)["clean_brier"] == 0.5 and calibration(RECORDS)["mean_top5_error"] is None
    assert calibration(RECORDS)["mean_ece"] == pytest.approx(
        np.mean([record.calibration.ece() for cell, record in RECORDS.items() if cell != CLEAN_CELL])
    )
    old = RECORDS | {CLEAN_CELL: RECORDS[CLEAN_CELL].model_copy(update={"calibration": None})}
    assert calibration(old)["clean_ece"] is None and calibration(old)["mean_ece"] is not None
    assert set(calibration({}).values()) == {None}


def test_a_normaliser_that_lacks_a_corruption_leaves_mce_undefined_and_a_note_says_so():
    summary = summarise(RUN, RECORDS, NAMED["alexnet-testbed-in-memory"](), intervals=False)
    assert summary.metrics["mce15"] is summary.metrics["mce19"] is summary.ce["glass_blur"] is None
    assert summary.ce["fog"] is not None
    assert summary.notes[0].startswith("Caution: alexnet-testbed-in-memory")
    assert summary.notes[1] == (
        "no mCE (15), mCE (19), relative mCE: alexnet-testbed-in-memory has no errors of glass_blur"
    )
    few = HALF.model_copy(update={"errors": {"fog": (50.0,) * 5}})
    assert "half has no errors of 18 of the 19 corruptions" in summarise(RUN, RECORDS, few, intervals=False).notes[0]
    extra = HALF.model_copy(update={"errors": {name: row for name, row in HALF.errors.items() if name != "saturate"}})
    assert summarise(RUN, RECORDS, extra, intervals=False).notes == ("no mCE (19): half has no errors of saturate",)
