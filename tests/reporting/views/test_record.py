"""The table of `lst-robust show`."""

from __future__ import annotations

import numpy as np

from lst_robust.benchmark import Cell
from lst_robust.reporting.views.record import record_numbers, record_view
from tests.analysis.simulated import measured

FOG = Cell("fog", 3)


def record(name: str = "lst18"):
    return measured(name, {FOG: np.arange(20) < 5}).records[FOG]


def test_the_numbers_follow_from_the_outcomes():
    numbers = record_numbers(record())
    assert (numbers["top1_error"], numbers["correct"]) == (25.0, 15)
    assert record_numbers(record().model_copy(update={"calibration": None}))["ece"] is None


def test_the_table_has_all_that_led_to_the_record(shown):
    text = shown(record_view(record("net.py:[/]")), width=120)
    assert "net.py:[/] on digits-c: fog-3" in text
    rows = dict(line.split(maxsplit=1) for line in text.splitlines()[1:] if len(line.split()) > 1)
    assert rows["top1_error"].strip() == "25 %" and rows["correct"].strip() == "15 of 20 images"
    assert rows["top5_error"].strip() == "-", "there is none"
    assert rows["protocol.suite"].strip() == "digits-c" and rows["provenance.device"].strip() == "cpu"
    assert set(type(record().protocol).model_fields) == {
        key.removeprefix("protocol.") for key in rows if key.startswith("protocol.")
    }
