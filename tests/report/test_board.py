"""The leaderboard has the table's numbers."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from lst_robust.analysis.networks import collect_summaries
from lst_robust.report.board import board, published_boards
from lst_robust.report.sizes import Size
from lst_robust.reporting import render, robustness_table


def test_its_values_are_those_of_the_csv(measured, results):
    table = robustness_table(collect_summaries(results, None, "suite", fold_seeds=True))
    csv = pd.read_csv(io.StringIO(render(table, "csv"))).set_index("model")
    shown = board(measured, {}, {}, {})
    assert [row.name for row in shown.rows] == ["lst20", "resnet20", "alexnet"]
    assert {"mce15", "mce19", "clean_error", "mean_corruption_error"} <= {column.name for column in shown.columns}
    for row in shown.rows:
        for column, cell in zip(shown.columns, row.cells, strict=True):
            expected = csv.loc[row.name, column.name]
            assert cell.value == pytest.approx(expected, abs=1e-6) and cell.text == f"{expected:.{column.decimals}f}"
            assert cell.low == pytest.approx(csv.loc[row.name, f"{column.name}_low"], abs=1e-6)
            spread = csv.loc[row.name, f"{column.name}_sd"]
            assert cell.spread is None if pd.isna(spread) else cell.spread == pytest.approx(spread, abs=1e-6)


def test_trainings_can_be_unfolded_and_are_not_ranked(measured):
    rows = board(measured, {}, {}, {}).rows
    assert [len(row.trainings) for row in rows] == [2, 2, 0]
    first = rows[0].trainings
    mean = sum(training.cells[0].value for training in first) / 2
    assert rows[0].cells[0].value == pytest.approx(mean)
    assert not any(cell.best for training in first for cell in training.cells) and rows[0].cells[0].best
    assert first[0].name == "lst20 (seed 0, 000000)"


def test_sizes_speeds_and_pages_stand_beside_their_network(measured):
    shown = board(measured, {"lst20": Size("LST-Net", 5, 7)}, {"lst20": 12.5}, {"alexnet": "key"})
    first, _, last = shown.rows
    assert (first.family, first.params, first.macs, first.images_per_second) == ("LST-Net", 5, 7, 12.5)
    assert last.page == "key" and last.params is None and last.family == "" and first.page is None


def test_published_rows_have_boards_of_their_own(request_of):
    asked = request_of(published=["testbed", "paper"], match=["ResNet-18", "resnet18"])
    boards = published_boards(asked.published, asked)
    assert {one.published_by for one in boards} == {"imagenet-testbed", "the LST-Net paper, Table 4"}
    assert all(row.name.lower() in ("resnet18", "resnet-18") for one in boards for row in one.rows)
    only_paper = [result for result in asked.published if result.group.source == "paper"]
    assert len(published_boards(only_paper, asked)) == 1
