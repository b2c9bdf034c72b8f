"""What `lst-robust eval` shows at its end."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from lst_robust.analysis.summary import summarise
from lst_robust.benchmark import CORRUPTIONS
from lst_robust.reporting.views.evaluation import BARS, NO_BAR, SCALE, evaluation_view, sparkline
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
    assert "noise gaussian_noise 20.0 30.0 40.0 50.0 60.0 ▂▃▄▅▅ 40.0 80.0" in lines(text)
    assert all(name in text for name in CORRUPTIONS) and "…" not in text
    assert any(line.startswith("clean error 10.00 % [") for line in lines(text))
    assert any(line.startswith("mCE (15 standard) 80.00 % [") for line in lines(text))
    assert "in brackets: 95 % intervals, bootstrap over the 100 images" in text
    assert "normaliser half" in " ".join(text.split())


def test_without_a_normaliser_there_is_no_ce_and_a_group_that_was_not_measured_is_left_out(whole, shown):
    some = {cell: record for cell, record in whole.records.items() if cell.corruption in ("clean", "fog", "contrast")}
    text = shown(evaluation_view(summarise(whole.run, some, None)))
    assert "weather fog 20.0 30.0 40.0 50.0 60.0 ▂▃▄▅▅ 40.0" in lines(text)
    assert "CE" not in text.split("Mean")[1].splitlines()[0] and "mCE (15 standard)" not in text
    assert "noise" not in text and "jpeg" not in text


def test_what_was_not_measured_is_a_dash(whole, shown):
    some = {cell: record for cell, record in whole.records.items() if cell.severity in (0, 2)}
    text = shown(evaluation_view(summarise(whole.run, some, HALF)))
    assert "noise gaussian_noise - 30.0 - - - ·▃··· 30.0 -" in lines(text)


def test_a_name_is_no_markup(whole, shown):
    run = whole.run._replace(model=whole.run.model.model_copy(update={"name": "nets[/]/net.py:[red]:x:"}))
    summary = summarise(run, whole.records, None, intervals=False)
    assert "nets[/]/net.py:[red]:x: on digits-c" in shown(evaluation_view(summary), width=120)


@pytest.mark.parametrize(
    ("errors", "bars"),
    [
        ((0.0, 12.4, 12.5, 87.4, 87.5), "▁▁▂▇█"),
        ((100.0, 99.9, 50.0, 49.9, 25.0), "██▅▄▃"),
        ((None, 30.0, None, None, 60.0), "·▃··▅"),
    ],
)
def test_a_bar_is_an_eighth_of_all_images(errors, bars):
    assert sparkline(errors) == bars and len(BARS) == 8


def test_the_scale_is_said_once_and_the_widest_numbers_fit_80_columns(whole, shown):
    summary = summarise(whole.run, whole.records, HALF)
    widest = replace(summary, errors=dict.fromkeys(summary.errors, (100.0,) * 5), ce=dict.fromkeys(summary.ce, 1222.7))
    text = shown(evaluation_view(widest))
    assert text.count(SCALE) == 1 and text.count("█████  100.0 1222.7") == len(CORRUPTIONS)
    assert max(map(len, text.splitlines())) <= 80 and "elastic_transform" in text


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "no such encoding"])
def test_a_console_whose_encoding_has_no_bars_shows_the_numbers_alone(whole, encoding):
    class File(io.StringIO):
        pass

    File.encoding = encoding
    console = Console(width=80, emoji=False, file=File())
    console.print(evaluation_view(summarise(whole.run, whole.records, HALF)))
    text = console.file.getvalue()
    assert not set(text) & {*BARS, NO_BAR} and "1 to 5" not in text and "bars:" not in text
    assert "gaussian_noise" in text and "60.0" in text


def test_where_there_is_no_room_the_bars_go_first(whole, shown):
    summary = summarise(whole.run, whole.records, HALF)
    text = shown(evaluation_view(summary), width=60)
    assert not set(text) & set(BARS) and "elastic_transform" in text and max(map(len, text.splitlines())) <= 60
    assert "gaussian_noise" in shown(evaluation_view(summary), width=62)


def test_names_of_corruptions_and_notes_are_text(whole, shown):
    summary = summarise(whole.run, whole.records, None, intervals=False)
    odd = replace(
        summary, label="\x1b[31mnet", errors={"[red]own\x1b[/]": (1.0, 2.0, 3.0, 4.0, 5.0)}, notes=("[b]\x07",)
    )
    text = shown(evaluation_view(odd), width=120)
    assert r"[red]own\x1b[/]" in text and r"\x1b[31mnet on" in text and r"[b]\x07" in text
    assert "\x1b" not in text and "\x07" not in text
