"""The runs of a results folder, and what tells those of one name apart."""

from __future__ import annotations

import pytest

from lst_robust.analysis.collect import collect_runs
from lst_robust.analysis.networks import collect_summaries
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import NothingToEvaluateError
from lst_robust.records.store import Store
from tests.analysis.gated import WRONG
from tests.analysis.simulated import measured, stored, with_identity

FEW = {cell: WRONG[cell] for cell in (CLEAN_CELL, Cell("fog", 1))}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results")


def labels(store: Store) -> list[str]:
    return [summary.label for summary in collect_summaries(store.results_dir, None, "none", intervals=False)]


def test_one_run_of_a_name_keeps_it(store):
    for name in ("b", "a"):
        stored(store, measured(name, FEW))
    stored(store, measured("a", FEW, seed=1))  # another protocol
    assert labels(store) == ["a", "a", "b"]


def test_runs_of_one_name_are_told_apart_by_seed_and_weights(store):
    for seed in (0, 1, None):
        stored(store, measured("a", FEW, weights=f"{seed}"[0], train_seed=seed, data=f"folder {seed}"))
    assert labels(store) == ["a (NNNNNN)", "a (seed 0, 000000)", "a (seed 1, 111111)"]
    summaries = collect_summaries(store.results_dir, None, "none", intervals=False)
    assert {summary.model.name for summary in summaries} == {"a"}


def test_runs_of_one_network_are_told_apart_by_the_run(store):
    run = stored(store, measured("a", FEW))
    stored(store, with_identity(run, structure="other"))
    digests = sorted(run.run.digest for run in collect_runs(store.results_dir, None))
    assert labels(store) == [f"a (seed 0, 000000, {digest[:6]})" for digest in digests]


def test_options_are_part_of_the_label(store):
    for width in (1, 2):
        stored(store, with_identity(measured("a", FEW), options={"width": width}))
    assert labels(store) == ["a (width=1, seed 0, 000000)", "a (width=2, seed 0, 000000)"]


def test_an_older_version_of_a_suite_is_left_out_with_a_warning(store, caplog):
    stored(store, measured("a", FEW, suite_digest="old"))
    stored(store, measured("b", FEW))
    assert labels(store) == ["b"]
    assert caplog.messages == [
        "a: measured with another version of suite 'digits-c' (v1, old); left out",
    ]
    assert caplog.records[0].name == "lst_robust.analysis.collect"


def test_without_records_there_is_a_line_with_the_command(store):
    with pytest.raises(NothingToEvaluateError, match=r"^no records in .*lst-robust eval --model lst18$"):
        collect_runs(store.results_dir, None)
    with pytest.raises(NothingToEvaluateError, match=r"^no records for suite 'digits-c' in .*--suite digits-c$"):
        collect_runs(store.results_dir, "digits-c")


def test_official_files_are_part_of_the_hash_of_the_pixels(store):
    for name, hash_ in (("a", "one"), ("b", "one"), ("c", "two")):
        run = measured(name, FEW, pixels="clean")
        official = {cell: record.model_copy(update={"pixels": hash_}) for cell, record in run.records.items()}
        stored(store, run._replace(records=official | {CLEAN_CELL: run.records[CLEAN_CELL]}))
    stored(store, measured("d", FEW, pixels="clean"))
    pixels = [summary.pixels for summary in collect_summaries(store.results_dir, None, "none", intervals=False)]
    assert pixels[0] == pixels[1] != pixels[2] and len(set(pixels)) == 2 + (pixels[3] == "clean")
    assert pixels[3] in (pixels[0], "clean")
