"""What the gate says, word for word, mostly of ten images that are wrong where a test says so."""

from __future__ import annotations

import shutil
from dataclasses import FrozenInstanceError
from xml.etree import ElementTree

import numpy as np
import pytest

from lst_robust.analysis.baseline import make_baseline
from lst_robust.analysis.gate import check
from lst_robust.analysis.selection import label
from lst_robust.benchmark import SEVERITIES, Cell
from lst_robust.errors import NothingToEvaluateError, UsageError
from lst_robust.records.store import Store
from lst_robust.reporting.ci import github_annotations, junit_xml
from lst_robust.suites import load_suite, suites_folder
from tests.analysis.gated import METRIC, WRONG, one
from tests.analysis.simulated import measured, stored, with_identity

TEN = {Cell(name, severity): np.arange(10) < 2 for name in ("fog", "snow") for severity in SEVERITIES}


def few(wrong: dict, **changes) -> dict:
    """TEN, and of some corruptions another number of wrong images."""
    return {cell: np.arange(10) < wrong.get(cell.corruption, 2) for cell in TEN} | changes


def gate_of(store_before: Store, store_now: Store, **asked):
    return check(make_baseline(store_before.results_dir), results_dir=store_now.results_dir, **METRIC, **asked)


def test_a_regression_is_said_with_its_numbers_and_the_worst_corruption_first(before, now):
    stored(before, measured("lst18", few({})))
    new = stored(now, measured("lst18", few({"fog": 8, "snow": 9}), weights="1"))
    finding = one(gate_of(before, now))
    assert (finding.model, finding.suite, finding.status, finding.paired) == ("lst18", "digits-c", "regression", True)
    assert (finding.baseline, finding.current) == pytest.approx((20, 85))
    assert finding.difference == pytest.approx(65)
    # of 10 images 6 differ in all cells and 1 in half: exact ends of their resampled mean, in steps of 5
    assert (finding.low, finding.high) == pytest.approx((35, 90), abs=5)
    assert finding.corruptions == pytest.approx({"snow": 70, "fog": 60})
    assert list(finding.corruptions) == ["snow", "fog"]
    assert finding.message == (
        f"{label(new.run)} on digits-c: mean_corruption_error 85.00 %, was 20.00 % "
        f"(+65.00 [{finding.low:+.2f}, {finding.high:+.2f}], more than the tolerance of 0.5); "
        "worse: snow +70.0, fog +60.0"
    )


def test_what_passes_is_said_with_its_numbers_and_without_its_corruptions(before, now):
    stored(before, measured("lst18", few({})))
    new = stored(now, measured("lst18", few({"fog": 9}), weights="1"))
    finding = one(gate_of(before, now, tolerance=35.0))  # the difference itself may be
    assert (finding.status, finding.difference) == ("passed", pytest.approx(35))
    assert finding.message == (
        f"{label(new.run)} on digits-c: mean_corruption_error 55.00 %, was 20.00 % (+35.00 [+20.00, +45.00], "
        "tolerance 35)"
    )
    assert finding.corruptions == pytest.approx({"fog": 70})


def test_a_corruption_is_named_only_where_its_p_value_holds_among_all_of_them(before, now):
    """Six images of ten: p = 2 / 2^6, and twice that after Holm's correction over two corruptions."""
    stored(before, measured("lst18", few({})))
    stored(now, measured("lst18", few({"fog": 8}), weights="1"))
    finding = one(gate_of(before, now))
    assert finding.status == "regression" and finding.p_value == pytest.approx(2 / 2**6, abs=0.005)
    assert finding.corruptions == {}


def test_an_interval_that_begins_at_zero_is_no_regression(before, now):
    """One of ten images: some resamples do not hold it."""
    stored(before, measured("lst18", few({})))
    stored(now, measured("lst18", few({"fog": 3}), weights="1"))
    finding = one(gate_of(before, now, tolerance=0))
    assert (finding.difference, finding.low, finding.status) == (pytest.approx(5), 0, "passed")
    assert finding.corruptions == {}


def test_a_corruption_whose_interval_begins_just_above_zero_is_named(before, now):
    for store, wrong in ((before, 100), (now, 108)):
        bits = {Cell("fog", severity): np.arange(1000) < wrong for severity in SEVERITIES}
        stored(store, measured("lst18", bits))
    finding = one(gate_of(before, now))
    assert 0 < finding.low < 1 and finding.status == "regression"
    assert finding.corruptions == pytest.approx({"fog": 0.8})


def test_what_is_missing_is_said(before, now):
    old = measured("lst18", few({}))
    stored(before, old)
    advice = "run lst-robust eval first"
    finding = one(gate_of(before, now))
    assert (finding.model, finding.suite, finding.status) == ("lst18", "digits-c", "missing")
    assert finding.message == f"no records of lst18 on digits-c: {advice}"
    assert finding.baseline is None and finding.corruptions is None
    stored(now, measured("lst18", {cell: bits for cell, bits in TEN.items() if cell.corruption == "snow"}))
    finding = one(gate_of(before, now))
    assert (finding.model, finding.suite, finding.status) == ("lst18", "digits-c", "incomparable")
    assert finding.message == (
        "lst18 on digits-c: 5 cells of the baseline are not measured, such as fog-1: run lst-robust eval again"
    )
    stored(before, measured("lst18", few({}), train_seed=1, weights="1"))
    shutil.rmtree(now.results_dir)
    stored(now, measured("lst18", few({}), train_seed=1, weights="2"))
    first, second = gate_of(before, now).findings
    by_status = {finding.status: finding for finding in (first, second)}
    assert set(by_status) == {"missing", "passed"}
    missing = by_status["missing"]
    assert (missing.model, missing.suite) == ("lst18@seed0", "digits-c")
    assert missing.message == f"no records of lst18 on digits-c with training seed 0: {advice}"


def test_another_protocol_is_said_with_what_differs(before, now):
    stored(before, measured("lst18", few({})))
    stored(now, measured("lst18", few({}), seed=3, images="e" * 16))
    finding = one(gate_of(before, now))
    assert (finding.model, finding.suite, finding.status) == ("lst18", "digits-c", "incomparable")
    assert finding.message == (
        f"lst18 on digits-c: another protocol than the baseline's: images ({'f' * 16}, {'e' * 16}), seed (0, 3); "
        "measure it in the same way"
    )
    stored(now, measured("lst18", few({})))  # beside it lies one that fits
    assert one(gate_of(before, now)).status == "passed"


def test_an_outdated_baseline_is_said_with_both_versions(before, tmp_path):
    stored(before, measured("lst18", WRONG))
    text = (suites_folder() / "digits-c.yaml").read_text()
    newer, other = tmp_path / "newer.yaml", tmp_path / "other.yaml"
    newer.write_text(text.replace("version: 1\n", "version: 2\n", 1))
    other.write_text(text.replace("clean_error: 0.6", "clean_error: 0.8"))
    baseline = make_baseline(before.results_dir)
    (entry,) = baseline.entries
    digests = load_suite(newer).digest(), entry.protocol.suite_digest
    finding = one(check(baseline, results_dir=before.results_dir, suite=str(newer)))
    assert finding.status == "incomparable"
    assert finding.message == (
        f"lst18 on digits-c: the suite is now version 2 ({digests[0]}), the baseline's is version 1 ({digests[1]}): "
        "write a new baseline"
    )
    finding = one(check(baseline, results_dir=before.results_dir, suite=str(other)))
    assert finding.message == ("lst18 on digits-c: the suite's normaliser is not the baseline's: write a new baseline")


def test_a_baseline_of_an_older_state_of_a_shipped_suite_is_outdated_without_being_asked(before, now):
    stored(before, measured("lst18", few({})))
    stored(now, measured("lst18", few({}), suite_digest="old"))
    baseline = make_baseline(before.results_dir)
    (entry,) = baseline.entries
    older = entry.model_copy(update={"protocol": entry.protocol.model_copy(update={"suite_digest": "old"})})
    finding = one(check(baseline.model_copy(update={"entries": (older,)}), results_dir=now.results_dir, **METRIC))
    assert finding.status == "incomparable" and "the suite is now version 1" in finding.message


def test_of_several_runs_one_must_be_chosen(before):
    runs = [stored(before, measured("lst18", few({}), weights=weights)) for weights in ("1", "2")]
    baseline = make_baseline(before.results_dir, models=[label(runs[0].run)])
    with pytest.raises(UsageError) as refused:
        check(baseline, results_dir=before.results_dir, **METRIC)
    assert str(refused.value) == (
        "several runs of lst18 fit the baseline: choose one with --model, from "
        + ", ".join(sorted(f"{label(run.run)} (digits-c, n 10, seed 0)" for run in runs))
    )


def test_what_is_not_in_the_baseline_is_noted_in_order_unless_models_are_named(before, now):
    stored(before, measured("lst18", few({})))
    for name in ("b", "lst18", "a"):
        stored(now, measured(name, few({})))
    stored(now, measured("lst18", few({}), suite="another", suite_digest="another"))
    assert gate_of(before, now).notes == (
        "lst18 on another is not in the baseline: not checked",
        "a on digits-c is not in the baseline: not checked",
        "b on digits-c is not in the baseline: not checked",
    )
    assert gate_of(before, now, models=["lst18"]).notes == ()
    assert gate_of(before, now, suite="digits-c").notes[0].startswith("a on digits-c")


def test_entries_of_one_model_are_told_apart_by_seed_and_options(before, now):
    stored(before, measured("single", few({})))
    for seed in (None, 4):
        run = measured("lst18", few({}), train_seed=seed)
        stored(before, with_identity(run, options={"width": 2, "act": "relu"}))
    findings = gate_of(before, now).findings
    assert {finding.model for finding in findings} == {
        "single",
        "lst18 width=2 act=relu",
        "lst18@seed4 width=2 act=relu",
    }


def test_a_damaged_record_is_named(before, now, caplog):
    stored(before, measured("lst18", few({})))
    run = stored(now, measured("lst18", few({})))
    path = now.run_folder(run.run) / "fog-1.json"
    path.write_text("damaged")
    assert gate_of(before, now).exit_code == 3
    (message,) = caplog.messages
    assert message.startswith(f"{path}: damaged") and caplog.records[0].levelname == "WARNING"


def test_the_records_are_sought_in_the_folder_results(before, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stored(before, measured("lst18", few({})))
    stored(Store(tmp_path / "results"), measured("lst18", few({})))
    assert check(make_baseline(before.results_dir), **METRIC).exit_code == 0


def test_what_was_found_cannot_be_changed(baseline, before):
    gate = check(baseline, results_dir=before.results_dir, **METRIC)
    for found, field in ((gate, "tolerance"), (one(gate), "difference")):
        with pytest.raises(FrozenInstanceError):
            setattr(found, field, 0.1)


def refusal(baseline, store: Store, error: type[Exception] = UsageError, **asked) -> str:
    with pytest.raises(error) as refused:
        check(baseline, results_dir=store.results_dir, **asked)
    return str(refused.value)


def test_why_a_metric_is_not_defined_is_said(before, now, tmp_path):
    stored(before, measured("lst18", WRONG))
    whole = make_baseline(before.results_dir)
    assert refusal(whole, before, metric="relative_mce") == (
        "relative_mce is not defined on lst18 on digits-c: its normaliser lacks a corruption or loses nothing on one; "
        "choose another --metric"
    )
    choose = "choose another --metric, or write the baseline from a complete evaluation"
    stored(now, measured("lst18", {cell: bits for cell, bits in WRONG.items() if cell.corruption != "clean"}))
    unclean = make_baseline(now.results_dir)
    for metric in ("clean_error", "relative_mce"):
        assert refusal(unclean, now, metric=metric) == (
            f"the baseline of lst18 on digits-c lacks 1 cells that {metric} needs, such as clean: {choose}"
        )
    third = Store(tmp_path / "third")
    stored(third, measured("lst18", {cell: bits for cell, bits in WRONG.items() if cell.corruption != "spatter"}))
    partial = make_baseline(third.results_dir)
    assert check(partial, results_dir=third.results_dir).exit_code == 0
    assert refusal(partial, third, metric="mce19") == (
        f"the baseline of lst18 on digits-c lacks 5 cells that mce19 needs, such as spatter-1: {choose}"
    )
    fourth = Store(tmp_path / "fourth")  # what a metric does not need is not missed
    stored(fourth, measured("lst18", {cell: bits for cell, bits in WRONG.items() if cell.corruption == "snow"}))
    assert "lacks 70 cells that mce15 needs" in refusal(make_baseline(fourth.results_dir), fourth, metric="mce15")
    mine = Store(tmp_path / "mine")
    stored(mine, measured("lst18", WRONG, suite="mine", suite_digest="mine"))
    without = make_baseline(mine.results_dir)
    assert refusal(without, mine, metric="mce19") == (
        "the baseline of lst18 on mine has no normaliser, so no mce19: gate with --metric mean_corruption_error"
    )


def test_what_is_asked_for_in_vain_is_said(before):
    for name in ("b", "a"):
        stored(before, measured(name, few({})))
    baseline = make_baseline(before.results_dir)
    holds = "it holds a (digits-c), b (digits-c)"
    none = NothingToEvaluateError
    assert refusal(baseline, before, none, models=["z", "y", "a"], **METRIC) == (
        f"the baseline has no entry of model 'y': {holds}"
    )
    assert refusal(baseline, before, none, suite="imagefolder", **METRIC) == (
        f"the baseline has no entry of suite 'imagefolder': {holds}"
    )
    assert refusal(baseline, before, tolerance=float("inf")) == "tolerance is inf: give a finite number of at least 0"
    assert refusal(baseline, before, tolerance=-0.25) == "tolerance is -0.25: give a finite number of at least 0"
    assert "choose from clean_error, mce15" in refusal(baseline, before, metric="zzz")
    assert check(baseline, results_dir=before.results_dir, tolerance=0, **METRIC).exit_code == 0
    chosen = check(baseline, results_dir=before.results_dir, models=["b"], **METRIC)
    assert [finding.model for finding in chosen.findings] == ["b"]
    assert (chosen.metric, chosen.tolerance) == ("mean_corruption_error", 0.5)


def test_entries_of_both_engines_have_names_and_test_cases_of_their_own(before, now):
    engines = ("lst-robust 1", "lst-robust-torch 1")
    for engine in engines:
        stored(before, measured("lst18", few({}), engine=engine))
    stored(now, measured("lst18", few({}), engine=engines[0]))
    gate = gate_of(before, now)
    assert {finding.model: finding.status for finding in gate.findings} == {
        "lst18@seed0 (engine lst-robust 1)": "passed",
        "lst18@seed0 (engine lst-robust-torch 1)": "incomparable",
    }
    refused = next(finding for finding in gate.findings if finding.status == "incomparable")
    assert refused.message.endswith("measure it in the same way (--engine torch)")
    cases = ElementTree.fromstring(junit_xml(gate)).iter("testcase")
    assert len({case.get("name") for case in cases}) == 2
    titles = {line.partition(" title=")[2].partition("::")[0] for line in github_annotations(gate)}
    assert len({title.partition("%3A ")[2] for title in titles}) == 2


def test_runs_of_a_compared_network_that_are_like_no_entry_are_noted(before, now):
    stored(before, measured("lst18", few({})))
    stored(now, measured("lst18", few({})))
    fewer = stored(now, measured("lst18", {cell: np.ones(5, bool) for cell in TEN}, weights="1", images="e" * 16))
    other = stored(now, with_identity(measured("lst18", few({"fog": 9}), weights="2"), options={"tau": 0.1}))
    gate = gate_of(before, now)
    names = [f"{label(fewer.run)} of n = 5", f"{label(other.run)} of n = 10"]
    (note,) = gate.notes
    end = " on digits-c: not checked, because no entry of the baseline has these options and this protocol"
    assert note.endswith(end) and sorted(note.removesuffix(end).split(", ")) == sorted(names)
    assert gate_of(before, now, models=["lst18@n10"]).notes == (f"{label(other.run)} of n = 10{end}",)
