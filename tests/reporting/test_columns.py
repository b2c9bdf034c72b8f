"""The columns: their order, their groups and their heads."""

from __future__ import annotations

import csv
from importlib.resources import files

import pytest

from lst_robust import benchmark
from lst_robust.analysis.metrics import METRICS
from lst_robust.benchmark import CORRUPTIONS
from lst_robust.reporting.columns import corruption_columns, is_summary, label, lower_is_better, table_columns


@pytest.fixture
def own_corruption(monkeypatch):
    """my_noise in the group noise, my_fog in a group of its own."""
    monkeypatch.setattr(benchmark, "_groups", dict(benchmark.GROUPS))
    monkeypatch.setattr(benchmark, "_labels", dict(benchmark.LABELS))
    benchmark.add_corruption("my_noise", "noise", "My noise")
    benchmark.add_corruption("my_fog", "mist", "Mist")


def test_columns_are_in_the_papers_order():
    with files("lst_robust.paper").joinpath("table4_imagenet_c.csv").open() as file:
        printed = next(csv.reader(file))
    columns = table_columns()
    assert [name for _, name in columns] == [
        "mce19", "mce15", "clean_error", "mean_corruption_error", "relative_mce", *printed[2:],
    ]  # fmt: skip
    assert list(dict(columns)) == ["mCE", "Error", "Relative", "Noise", "Blur", "Weather", "Digital", "Extra"]


def test_calibration_comes_last():
    assert table_columns(calibration=True) == [
        *table_columns(),
        ("Top-5", "clean_top5_error"), ("Top-5", "mean_top5_error"), ("ECE", "clean_ece"), ("ECE", "mean_ece"),
        ("Brier", "clean_brier"), ("Brier", "mean_brier"),
    ]  # fmt: skip


def test_corruptions_of_ones_own_stand_in_their_groups(own_corruption):
    assert table_columns() == table_columns(["fog"])  # which are there already
    columns = corruption_columns([*CORRUPTIONS, "unknown_b", "my_fog", "my_noise", "unknown_a"])
    assert columns[3] == ("Noise", "my_noise")
    assert columns[-3:] == [("Mist", "my_fog"), ("Own", "unknown_a"), ("Own", "unknown_b")]
    assert (label("my_fog"), label("my_noise"), label("unknown_a")) == ("Mist", "My noise", "Unknown a")


def test_heads_and_kinds():
    assert (label("mce19"), label("relative_mce"), label("mean_brier")) == ("19", "mCE", "Corrupted")
    assert (label("gaussian_noise"), label("jpeg_compression")) == ("Gauss.", "JPEG")
    assert [name for name in METRICS if not is_summary(name)] == list(METRICS)[5:]
    assert not is_summary("fog") and lower_is_better("fog") and lower_is_better("mce15")
