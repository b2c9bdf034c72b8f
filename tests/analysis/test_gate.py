"""The gate lets nothing pass that is worse, and nothing that it cannot judge."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from lst_robust.analysis import metrics
from lst_robust.analysis.baseline import Baseline, _entry, make_baseline
from lst_robust.analysis.gate import check
from lst_robust.analysis.metrics import METRICS
from lst_robust.analysis.selection import label
from lst_robust.benchmark import Cell
from lst_robust.errors import NothingToEvaluateError, UsageError
from lst_robust.suites import suites_folder
from tests.analysis.gated import METRIC, WRONG, N, one, worse
from tests.analysis.simulated import ALL_CELLS, measured, simulated, stored, with_identity


def test_the_same_records_pass(baseline, before):
    gate = check(baseline, results_dir=before.results_dir)
    assert gate.exit_code == 0
    assert one(gate).difference == one(gate).low == one(gate).high == 0 and one(gate).paired


def test_a_regression_names_the_corruptions_that_did_it(baseline, now):
    stored(now, measured("lst18", worse(("fog", "spatter"), 0.5), weights="1"))
    gate = check(baseline, results_dir=now.results_dir, metric="mce19")
    assert gate.exit_code == 1
    assert one(gate).status == "regression" and one(gate).low > 0
    assert set(one(gate).corruptions) == {"fog", "spatter"}
    assert "fog +" in one(gate).message and "snow" not in one(gate).message and "\n" not in one(gate).message
    assert list(check(baseline, results_dir=now.results_dir).findings[0].corruptions) == ["fog"]  # of the 15
    data = json.loads(json.dumps(gate.to_dict()))
    assert (data["passed"], data["exit_code"], data["findings"][0]["status"]) == (False, 1, "regression")


def test_an_improvement_passes(before, now):
    stored(before, measured("lst18", worse(("fog",), 0.5)))
    stored(now, measured("lst18", WRONG, weights="1"))
    gate = check(make_baseline(before.results_dir), results_dir=now.results_dir)
    assert gate.exit_code == 0 and one(gate).difference < -0.5


def test_worse_within_the_tolerance_passes(baseline, now):
    stored(now, measured("lst18", worse(("fog",), 0.5), weights="1"))
    asked = {"results_dir": now.results_dir, **METRIC}
    difference = one(check(baseline, **asked)).difference
    assert 1 < difference < 3
    assert check(baseline, tolerance=difference + 0.01, **asked).exit_code == 0
    assert check(baseline, tolerance=difference - 0.01, **asked).exit_code == 1


def test_worse_by_chance_passes(before, now):
    """Other errors at the same rate: a difference above the tolerance, whose interval holds zero."""
    stored(before, measured("lst18", simulated(np.random.default_rng(3), N, dict.fromkeys(ALL_CELLS, 0.3), 3)))
    stored(now, measured("lst18", simulated(np.random.default_rng(5), N, dict.fromkeys(ALL_CELLS, 0.305), 3), "1"))
    gate = check(make_baseline(before.results_dir), results_dir=now.results_dir, tolerance=0, **METRIC)
    assert one(gate).difference > 0 > one(gate).low
    assert gate.exit_code == 0


def test_missing_cells_are_not_passed(baseline, now):
    stored(now, measured("lst18", {cell: bits for cell, bits in WRONG.items() if cell != Cell("spatter", 2)}))
    gate = check(baseline, results_dir=now.results_dir, metric="clean_error")
    assert gate.exit_code == 3 and "spatter-2" in one(gate).message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": "e" * 16}, "images"),
        ({"seed": 1}, "seed (0, 1)"),
        ({"engine": "lst-robust 2"}, "engine"),
        ({"suite_version": 2, "suite_digest": "other"}, "suite_version (1, 2)"),
        ({"protocol": "official"}, "protocol (generated, official)"),
    ],
)
def test_another_protocol_is_not_passed(baseline, now, change, words):
    stored(now, measured("lst18", WRONG, **change))
    gate = check(baseline, results_dir=now.results_dir)
    assert gate.exit_code == 3 and words in one(gate).message


def test_a_suite_that_has_changed_since_needs_a_new_baseline(baseline, before, tmp_path):
    text = (suites_folder() / "digits-c.yaml").read_text()
    newer, other = tmp_path / "newer.yaml", tmp_path / "other.yaml"
    newer.write_text(text.replace("version: 1\n", "version: 2\n", 1))
    other.write_text(text.replace("clean_error: 0.6", "clean_error: 0.8"))
    asked = {"results_dir": before.results_dir}
    gate = check(baseline, suite=str(newer), **asked)
    assert gate.exit_code == 3 and "version 2" in one(gate).message
    assert "normaliser" in one(check(baseline, suite=str(other), **asked)).message
    assert check(baseline, suite=str(other), **METRIC, **asked).exit_code == 0  # which has nothing to do with it
    assert check(baseline, suite="digits-c", **asked).exit_code == 0


def test_no_records_are_not_passed(baseline, now):
    gate = check(baseline, results_dir=now.results_dir)
    assert gate.exit_code == 5 and "lst-robust eval" in one(gate).message
    stored(now, measured("resnet18", WRONG))
    gate = check(baseline, results_dir=now.results_dir)
    assert gate.exit_code == 5 and "resnet18" in gate.notes[0]


def test_of_several_findings_the_worst_decides(before, now):
    for name in ("a", "b", "c"):
        stored(before, measured(name, WRONG))
    baseline = make_baseline(before.results_dir)
    stored(now, measured("a", WRONG))
    assert check(baseline, results_dir=now.results_dir).exit_code == 5
    stored(now, measured("b", WRONG, seed=1))
    assert check(baseline, results_dir=now.results_dir).exit_code == 3
    stored(now, measured("c", worse(("fog",), 0.9)))
    gate = check(baseline, results_dir=now.results_dir)
    assert [finding.status for finding in gate.findings] == ["passed", "incomparable", "regression"]
    assert gate.exit_code == 1
    assert check(baseline, results_dir=now.results_dir, models=["a"]).exit_code == 0


def test_old_measurements_beside_new_ones_do_not_hide_them(baseline, before):
    """The run that the baseline was made of would always pass; which of the two is meant must be said."""
    new = stored(before, measured("lst18", worse(("fog",), 0.9), weights="1"))
    with pytest.raises(UsageError, match="--model"):
        check(baseline, results_dir=before.results_dir)
    assert check(baseline, results_dir=before.results_dir, models=[label(new.run)]).exit_code == 1


def test_the_old_seed_beside_a_new_one_hides_nothing(baseline, before):
    stored(before, measured("lst18", worse(("fog",), 0.9), train_seed=1, weights="1"))
    with pytest.raises(UsageError, match="several runs of lst18"):
        check(baseline, results_dir=before.results_dir)
    assert check(baseline, results_dir=before.results_dir, models=["lst18@seed1"]).exit_code == 1


@pytest.fixture
def two_seeds(before) -> Baseline:
    for seed in (0, 1):
        stored(before, measured("lst18", WRONG, train_seed=seed, weights=str(seed)))
    return make_baseline(before.results_dir)


@pytest.mark.parametrize("selector", ["lst18@seed1", "lst18 (seed 1, 111111)", "lst18@n300@seed1"])
def test_a_model_with_a_seed_means_only_the_entry_of_that_seed(two_seeds, before, selector):
    gate = check(two_seeds, results_dir=before.results_dir, models=[selector])
    assert (one(gate).model, one(gate).status) == ("lst18@seed1", "passed")
    assert gate.exit_code == 0


def test_a_network_whose_name_is_another_one_with_a_revision_is_gated_for_itself(before):
    runs = [stored(before, measured(name, WRONG)) for name in ("hf:owner/net", "hf:owner/net@v2")]
    for run in runs:
        baseline = make_baseline(before.results_dir, models=[label(run.run)])
        assert one(check(baseline, results_dir=before.results_dir, models=[run.run.model.name])).status == "passed"
    both = make_baseline(before.results_dir, models=[run.run.model.name for run in runs])
    gate = check(both, results_dir=before.results_dir, models=["hf:owner/net@v2"])
    assert (one(gate).model, one(gate).status) == ("hf:owner/net@v2", "passed")
    of_the_other = make_baseline(before.results_dir, models=["hf:owner/net"])
    with pytest.raises(NothingToEvaluateError, match="has no entry of model 'hf:owner/net@v2'"):
        check(of_the_other, results_dir=before.results_dir, models=["hf:owner/net@v2"])


def test_each_named_model_means_its_own_entries(two_seeds, before):
    stored(before, measured("resnet18", WRONG))
    baseline = make_baseline(before.results_dir)
    gate = check(baseline, results_dir=before.results_dir, models=["lst18@seed1", "resnet18"])
    assert {finding.model: finding.status for finding in gate.findings} == dict.fromkeys(
        ("lst18@seed1", "resnet18"), "passed"
    )
    both = check(baseline, results_dir=before.results_dir, models=["lst18@seed1", "lst18@seed0"])
    assert [finding.status for finding in both.findings] == ["passed", "passed"]


def test_a_new_run_that_is_named_is_held_against_the_entry_of_its_seed_only(two_seeds, before):
    """As the error advises that lists the old and the new runs of both seeds."""
    for seed in (0, 1):
        new = stored(before, measured("lst18", worse(("fog",), 0.9), train_seed=seed, weights=str(seed + 2)))
    with pytest.raises(UsageError, match="choose one with --model"):
        check(two_seeds, results_dir=before.results_dir)
    gate = check(two_seeds, results_dir=before.results_dir, models=[label(new.run)])
    assert (one(gate).model, one(gate).status) == ("lst18@seed1", "regression")


@pytest.mark.parametrize("seed", [0, 1], ids=["of the entry's seed", "of another seed"])
def test_a_new_run_that_is_named_is_held_against_the_entry_of_its_options_only(before, seed):
    for stem, weights in (("3x3s1", "0"), ("3x3s2", "1")):
        stored(before, with_identity(measured("lst18", WRONG, weights=weights), options={"stem": stem}))
    baseline = make_baseline(before.results_dir)
    new = with_identity(
        measured("lst18", worse(("fog",), 0.9), train_seed=seed, weights="2"), options={"stem": "3x3s2"}
    )
    stored(before, new)
    gate = check(baseline, results_dir=before.results_dir, models=["lst18@222222"])
    assert (one(gate).model, one(gate).status) == ("lst18@seed0 stem=3x3s2", "regression")


def test_a_named_seed_of_the_baseline_that_was_not_measured_is_missed(two_seeds, now):
    stored(now, measured("lst18", WRONG, train_seed=0, weights="3"))
    gate = check(two_seeds, results_dir=now.results_dir, models=["lst18@seed1"])
    assert (one(gate).model, one(gate).status) == ("lst18@seed1", "missing")
    assert check(two_seeds, results_dir=now.results_dir, models=["lst18"]).exit_code == 5  # which means both


def test_a_seed_of_the_baseline_that_was_not_measured_is_missed(before, now):
    for seed in (0, 1):
        stored(before, measured("lst18", WRONG, train_seed=seed, weights=str(seed)))
    stored(now, measured("lst18", WRONG, train_seed=1, weights="3"))
    gate = check(make_baseline(before.results_dir), results_dir=now.results_dir)
    assert sorted(finding.status for finding in gate.findings) == ["missing", "passed"]
    assert gate.exit_code == 5


def test_runs_that_a_later_one_could_not_be_told_from_make_no_baseline(before):
    for weights in ("1", "2"):
        stored(before, measured("lst18", WRONG, weights=weights))
    with pytest.raises(UsageError, match="choose one with --model"):
        make_baseline(before.results_dir)


def test_seeds_are_held_against_the_same_seed(before, now):
    for seed, share in enumerate((0, 0.9)):
        for store in (before, now):
            stored(store, measured("lst18", worse(("fog",), share), weights=str(seed), train_seed=seed))
    gate = check(make_baseline(before.results_dir), results_dir=now.results_dir)
    assert [finding.difference for finding in gate.findings] == [0, 0]


def test_what_is_asked_must_make_sense(baseline, before, now):
    asked = {"results_dir": before.results_dir}
    with pytest.raises(UsageError, match="unknown metric 'mce'"):
        check(baseline, metric="mce", **asked)
    for tolerance in (-1, float("nan")):
        with pytest.raises(UsageError, match="tolerance"):
            check(baseline, tolerance=tolerance, **asked)
    with pytest.raises(UsageError, match="relative_mce is not defined"):
        check(baseline, metric="relative_mce", **asked)
    with pytest.raises(NothingToEvaluateError, match=r"model 'vgg11'.*lst18 \(digits-c\)"):
        check(baseline, models=["vgg11"], **asked)
    with pytest.raises(NothingToEvaluateError, match="suite 'imagefolder'"):
        check(baseline, suite="imagefolder", **asked)
    stored(now, measured("part", {cell: bits for cell, bits in WRONG.items() if cell.corruption != "fog"}))
    with pytest.raises(UsageError, match="lacks 5 cells that mce15 needs, such as fog-1"):
        check(make_baseline(now.results_dir), results_dir=now.results_dir)


def test_a_suite_without_a_normaliser_gates_on_the_mean_error(before):
    stored(before, measured("lst18", WRONG, suite="mine", suite_digest="mine"))
    baseline = make_baseline(before.results_dir)
    assert baseline.entries[0].normaliser is None
    with pytest.raises(UsageError, match="--metric mean_corruption_error"):
        check(baseline, results_dir=before.results_dir)
    assert check(baseline, results_dir=before.results_dir, **METRIC).exit_code == 0


def test_where_higher_is_better_a_smaller_number_is_the_regression(before, now, monkeypatch):
    monkeypatch.setitem(metrics._metrics, "higher", replace(METRICS["mce15"], name="higher", lower_is_better=False))
    stored(before, measured("lst18", WRONG))
    stored(now, measured("lst18", worse(("fog",), 0.9), weights="1"))
    risen = check(make_baseline(before.results_dir), results_dir=now.results_dir, metric="higher")
    fallen = check(make_baseline(now.results_dir), results_dir=before.results_dir, metric="higher")
    assert (one(risen).status, one(fallen).status) == ("passed", "regression")
    assert one(fallen).difference == pytest.approx(-one(risen).difference) and one(fallen).difference < 0
    assert list(one(fallen).corruptions) == ["fog"] and one(fallen).corruptions["fog"] < 0


def test_cells_of_a_corruption_of_ones_own_are_kept_and_wanted(before, now):
    def with_own(run):
        own = {
            Cell("my_fog", cell.severity): record.model_copy(update={"corruption": "my_fog"})
            for cell, record in run.records.items()
            if cell.corruption == "fog"
        }
        return run._replace(records=run.records | own)

    run = with_own(measured("lst18", WRONG))
    entry = _entry(run, bits=True)
    assert entry.errors["my_fog-3"] == entry.errors["fog-3"]
    baseline = Baseline.model_validate_json(Baseline(entries=(entry,)).model_dump_json())
    stored(now, measured("lst18", WRONG))
    finding = one(check(baseline, results_dir=now.results_dir))
    assert finding.status == "incomparable" and "5 cells of the baseline are not measured, such as my_fog-1" in (
        finding.message
    )
