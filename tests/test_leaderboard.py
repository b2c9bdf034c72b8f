"""The committed leaderboard on 400 ImageNet photographs: its tables follow from its records."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.cli.app import app
from lst_robust.records.packed_files import PACKED
from lst_robust.records.record import Record, Run
from lst_robust.records.store import Store
from lst_robust.suites import load_suite

PUBLISHED = Path(__file__).parents[1] / "results" / "published"
RECORDS = PUBLISHED / "imagenet-sample"
SUITES = ("imagenet-c-jpeg", "imagenet-c-generated")
NETWORKS = {f"timm:tf_efficientnet_lite{number}" for number in (0, 1, 2)}


@pytest.fixture(scope="module")
def runs() -> list[tuple[Run, dict[Cell, Record]]]:
    return list(Store(RECORDS).scan(None))


def test_each_run_is_one_file_that_can_be_trusted(caplog):
    found = list(Store(RECORDS).scan(None, predictions=True))
    assert not caplog.messages
    folders = sorted(RECORDS.glob("*/*/n400-*"))
    assert len(folders) == len(found) == 6
    assert [[path.name for path in folder.iterdir()] for folder in folders] == [[PACKED]] * 6


def test_every_network_was_measured_on_every_cell_of_the_same_images(runs):
    assert Counter((run.protocol.suite, run.model.name) for run, _ in runs) == {
        (suite, name): 1 for suite in SUITES for name in NETWORKS
    }
    assert {len(records) for _, records in runs} == {96}
    for suite in SUITES:
        protocols = {run.protocol for run, _ in runs if run.protocol.suite == suite}
        assert len(protocols) == 1 and {one.suite_digest for one in protocols} == {load_suite(suite).digest()}
    assert len({(run.protocol.images, run.protocol.pixels, run.protocol.n) for run, _ in runs}) == 1


def test_the_clean_cell_is_the_same_under_both_protocols_and_in_a_plain_script(runs):
    clean = pd.read_csv(PUBLISHED / "leaderboard_clean.csv").set_index("network")
    for run, records in runs:
        wrong = int((~records[CLEAN_CELL].correct_bits()).sum())
        counts = clean.loc[run.model.name.removeprefix("timm:")]
        assert wrong == counts["suite_224"] == counts["plain_224"]
    assert (clean["plain_own_size"] == clean["preprocess_model"]).all()


def test_the_committed_table_follows_from_the_records(tmp_path):
    made = tmp_path / "table.csv"
    result = CliRunner().invoke(app, ["table", "--results-dir", str(RECORDS), "-f", "csv", "--out", str(made)])
    assert result.exit_code == 0, result.stderr
    now, committed = pd.read_csv(made), pd.read_csv(RECORDS / "table.csv")
    pd.testing.assert_frame_equal(now, committed, rtol=1e-3)  # the intervals' last digit is the processor's
