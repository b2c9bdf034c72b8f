"""What `lst-robust eval` shows at its end."""

from __future__ import annotations

import numpy as np
import pytest

from lst_robust.analysis.summary import summarise
from lst_robust.benchmark import CORRUPTIONS
from lst_robust.reporting.views.evaluation import evaluation_view
from tests.analysis.simulated import ALL_CELLS, HALF, measured


def wrong(count: int) -> np.ndarray:
    """100 images, of which so many are wrong."""
    return np.arange(100) < count


@pytest.fixture
def whole():
    """Every cell is wrong on 20 to 60 of 100 images, by its severity; the clean images on 10."""
    return measured("lst18", {cell: wrong(10 + 10 * cell.severity) for cell in ALL_CELLS})


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_errors_by_severity_their_mean_the_ce_and_the_means_with_intervals(whole, shown):
    text = shown(evaluation_view(summarise(whole.run, whole.records, HALF)))
    assert "lst18 on digits-c v1, n = 100, top-1 error in percent" in text
    assert "noise gaussian_noise 20.0 30.0 40.0 50.0 60.0 40.0 80.0" in lines(text)
    assert all(name in text for name in CORRUPTIONS) and "…" not in text
    assert any(line.startswith("clean error 10.00 % [") for line in lines(text))
    assert any(line.startswith("mCE (15 standard) 80.00 % [") for line in lines(text))
    assert "in brackets: 95 % intervals, bootstrap over the 100 images" in text
    assert "normaliser half" in " ".join(text.split())


def test_without_a_normaliser_there_is_no_ce_and_a_group_that_was_not_measured_is_left_out(whole, shown):
    some = {cell: record for cell, record in whole.records.items() if cell.corruption in ("clean", "fog", "contrast")}
    text = shown(evaluation_view(summarise(whole.run, some, None)))
    assert "weather fog 20.0 30.0 40.0 50.0 60.0 40.0" in lines(text)
    assert "CE" not in text.split("Mean")[1].splitlines()[0] and "mCE (15 standard)" not in text
    assert "noise" not in text and "jpeg" not in text


def test_what_was_not_measured_is_a_dash(whole, shown):
    some = {cell: record for cell, record in whole.records.items() if cell.severity in (0, 2)}
    text = shown(evaluation_view(summarise(whole.run, some, HALF)))
    assert "noise gaussian_noise - 30.0 - - - 30.0 -" in lines(text)


def test_a_name_is_no_markup(whole, shown):
    run = whole.run._replace(model=whole.run.model.model_copy(update={"name": "nets[/]/net.py:[red]:x:"}))
    summary = summarise(run, whole.records, None, intervals=False)
    assert "nets[/]/net.py:[red]:x: on digits-c" in shown(evaluation_view(summary), width=120)
