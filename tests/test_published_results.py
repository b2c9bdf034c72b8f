"""The committed experiment: the table of each set follows from its records, its records from its checkpoints."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.cli.app import app
from lst_robust.models.checkpoint import checkpoint_sha256
from lst_robust.records.packed_files import PACKED
from lst_robust.records.record import Record, Run
from lst_robust.records.store import Store
from lst_robust.suites import load_suite

RESULTS = Path(__file__).parents[1] / "results" / "published"
TRAININGS = {
    "cifar10-jpeg": {"alexnet": 1, "resnet20": 5, "senet20": 3, "cbam20": 3, "lst20": 5, "lst20-relu": 5},
    "fashion-c": {"alexnet": 3, "resnet20": 5, "senet20": 3, "cbam20": 3, "lst20": 5, "lst20-relu": 5},
}


@pytest.fixture(scope="module", params=TRAININGS)
def suite(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def runs(suite) -> list[tuple[Run, dict[Cell, Record]]]:
    return list(Store(RESULTS).scan(suite))


def test_each_run_is_one_file_that_can_be_trusted(suite, caplog):
    found = list(Store(RESULTS).scan(suite, predictions=True))
    assert not caplog.messages
    folders = sorted((RESULTS / suite).glob("*/n5000-*"))
    assert len(folders) == len(found) == sum(TRAININGS[suite].values())
    assert [[path.name for path in folder.iterdir()] for folder in folders] == [[PACKED]] * len(folders)


def test_every_network_was_measured_on_every_cell_of_the_same_images(suite, runs):
    assert Counter(run.model.name for run, _ in runs) == TRAININGS[suite]
    assert {len(records) for _, records in runs} == {96}
    assert len({run.protocol for run, _ in runs}) == 1
    assert runs[0][0].protocol.n == 5000


def test_every_record_comes_from_a_committed_checkpoint_that_is_small(suite, runs):
    checkpoints = {checkpoint_sha256(path): path for path in (RESULTS / suite).glob("checkpoints/*.safetensors")}
    assert {run.model.checkpoint_sha256 for run, _ in runs} == set(checkpoints)
    for path in checkpoints.values():
        limit = 5e6 if path.name.startswith("alexnet") else 1e6  # AlexNet has 2.4 million weights
        assert path.stat().st_size < limit, path
        assert path.with_suffix(".csv").exists(), "the training's log"


def test_the_suites_normaliser_is_the_measured_alexnet(suite, runs):
    normaliser = load_suite(suite).normaliser
    by_seed = {run.model.train_seed: records for run, records in runs if run.model.name == "alexnet"}
    records = by_seed[0]
    assert normaliser.clean_error == pytest.approx(records[CLEAN_CELL].top1_error)
    for corruption, errors in normaliser.errors.items():
        measured = [records[Cell(corruption, severity)].top1_error for severity in range(1, 6)]
        assert list(errors) == pytest.approx(measured), corruption


def test_the_committed_table_follows_from_the_records(suite, tmp_path):
    for file in ("table.csv", "table.md"):
        asked = ("table", "--suite", suite, "--results-dir", str(RESULTS), "--format", file[-3:].strip("."))
        result = CliRunner().invoke(app, (*asked, "--out", str(tmp_path / file)))
        assert result.exit_code == 0, result.stderr
    now, committed = (pd.read_csv(folder / "table.csv") for folder in (tmp_path, RESULTS / suite))
    ends = [column for column in committed if column.endswith(("_low", "_high"))]
    pd.testing.assert_frame_equal(now[ends], committed[ends], rtol=1e-3)  # their last digit is the processor's
    pd.testing.assert_frame_equal(now.drop(columns=ends), committed.drop(columns=ends), rtol=1e-7)
    interval_or_padding = re.compile(r"\[[^]]*\]|[ :-]+")
    words = [interval_or_padding.sub(" ", (folder / "table.md").read_text()) for folder in (tmp_path, RESULTS / suite)]
    assert words[0] == words[1], "but for the intervals"
