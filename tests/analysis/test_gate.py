"""The gate lets nothing pass that is worse, and nothing that it cannot judge."""

from __future__ import annotations

import json
import shutil
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from lst_robust.analysis.baseline import make_baseline, read_baseline, write_baseline
from lst_robust.analysis.gate import check
from lst_robust.analysis.selection import label
from lst_robust.benchmark import SEVERITIES, Cell
from lst_robust.errors import DataError, NothingToEvaluateError, UsageError
from lst_robust.records.store import Store
from lst_robust.suites import load_suite, suites_folder
from tests.analysis.simulated import ALL_CELLS, measured, simulated, stored

N = 300
WRONG = simulated(np.random.default_rng(1), N, dict.fromkeys(ALL_CELLS, 0.3))


def worse(corruptions: tuple[str, ...], share: float) -> dict:
    """WRONG, and of these corruptions a share of the images that were right as well."""
    generator = np.random.default_rng(2)
    return {
        cell: bits | (generator.random(N) < share) if cell.corruption in corruptions else bits
        for cell, bits in WRONG.items()
    }


@pytest.fixture
def before(tmp_path) -> Store:
    return Store(tmp_path / "before")


@pytest.fixture
def now(tmp_path) -> Store:
    return Store(tmp_path / "now")


@pytest.fixture
def baseline(before):
    stored(before, measured("lst18", WRONG))
    return make_baseline(before.results_dir)


def one(gate):
    (finding,) = gate.findings
    return finding


METRIC = {"metric": "mean_corruption_error"}


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


def test_without_bits_the_comparison_is_unpaired_and_wider(before, now):
    stored(before, measured("lst18", WRONG))
    stored(now, measured("lst18", worse(("fog", "snow", "frost"), 0.2), weights="1"))
    paired, unpaired = (
        one(check(make_baseline(before.results_dir, bits=bits), results_dir=now.results_dir, **METRIC))
        for bits in (True, False)
    )
    assert paired.status == "regression" and paired.paired and not unpaired.paired
    assert unpaired.difference == pytest.approx(paired.difference)
    assert unpaired.baseline == pytest.approx(paired.baseline)
    assert unpaired.low < 0 < paired.low and unpaired.status == "passed"
    stored(now, measured("lst18", worse(("fog", "snow", "frost", "contrast"), 1), weights="2", train_seed=1))
    gate = check(
        make_baseline(before.results_dir, bits=False), results_dir=now.results_dir, models=["lst18@seed1"], **METRIC
    )
    assert gate.exit_code == 1 and "fog" in one(gate).corruptions


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


def test_a_baseline_file_comes_back_and_is_the_same_for_the_same_records(baseline, before, tmp_path):
    paths = [tmp_path / "folder" / "a.json", tmp_path / "b.json"]
    for path in paths:
        write_baseline(make_baseline(before.results_dir, models=["lst18@seed0"]), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert read_baseline(paths[0]) == baseline
    (entry,) = baseline.entries
    assert entry.errors["fog-3"] == pytest.approx(100 * WRONG[Cell("fog", 3)].mean())
    assert np.array_equal(entry.wrong()[Cell("fog", 3)], WRONG[Cell("fog", 3)])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[:500], "JSON"),
        (lambda text: text.replace('"schema_version": 2', '"schema_version": 3', 1), "schema_version"),
        (lambda text: text.replace('"fog-3": ', '"fog-3": 1', 1), "fog-3"),
        (lambda text: text.replace('"clean": "', '"clean": "AAAA', 1), "do not hold 300 images"),
        (lambda text: text.replace('"spatter-5"', '"spatter-6"', 1), "spatter-5"),
        (lambda text: text.replace('"spatter-5"', '"spatter-6"'), "no such cell: 'spatter-6'"),
        (lambda text: '{"schema_version": 2, "entries": []}', "entries"),
        (lambda text: "[]", "baseline"),
    ],
)
def test_a_damaged_baseline_is_refused_in_one_line(baseline, tmp_path, damage, words):
    path = tmp_path / "baseline.json"
    write_baseline(baseline, path)
    path.write_text(damage(path.read_text()))
    with pytest.raises(DataError, match=words) as caught:
        read_baseline(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_baseline_that_is_not_there_says_how_to_write_one(tmp_path):
    with pytest.raises(DataError, match="lst-robust baseline write"):
        read_baseline(tmp_path / "none.json")


# What is said, word for word, of ten images that are wrong where a test says so.

TEN = {Cell(name, severity): np.arange(10) < 2 for name in ("fog", "snow") for severity in SEVERITIES}


def few(wrong: dict, **changes) -> dict:
    """TEN, and of some corruptions another number of wrong images."""
    return {cell: np.arange(10) < wrong.get(cell.corruption, 2) for cell in TEN} | changes


def gate_of(store_before: Store, store_now: Store, **asked):
    return check(make_baseline(store_before.results_dir), results_dir=store_now.results_dir, **METRIC, **asked)


def test_a_regression_is_said_with_its_numbers_and_the_worst_corruption_first(before, now):
    stored(before, measured("lst18", few({})))
    new = stored(now, measured("lst18", few({"fog": 6, "snow": 9}), weights="1"))
    finding = one(gate_of(before, now))
    assert (finding.model, finding.suite, finding.status, finding.paired) == ("lst18", "digits-c", "regression", True)
    assert (finding.baseline, finding.current) == pytest.approx((20, 75))
    assert finding.difference == pytest.approx(55)
    # of 10 images 4 differ in all cells and 3 in half: exact ends of their resampled mean, in steps of 5
    assert (finding.low, finding.high) == pytest.approx((30, 80), abs=5)
    assert finding.corruptions == pytest.approx({"snow": 70, "fog": 40})
    assert list(finding.corruptions) == ["snow", "fog"]
    assert finding.message == (
        f"{label(new.run)} on digits-c: mean_corruption_error 75.00 %, was 20.00 % "
        f"(+55.00 [{finding.low:+.2f}, {finding.high:+.2f}], more than the tolerance of 0.5); "
        "worse: snow +70.0, fog +40.0"
    )


def test_what_passes_is_said_with_its_numbers_and_without_its_corruptions(before, now):
    stored(before, measured("lst18", few({})))
    new = stored(now, measured("lst18", few({"fog": 8}), weights="1"))
    finding = one(gate_of(before, now, tolerance=30.0))  # the difference itself may be
    assert (finding.status, finding.difference) == ("passed", pytest.approx(30))
    assert finding.message == (
        f"{label(new.run)} on digits-c: mean_corruption_error 50.00 %, was 20.00 % (+30.00 [+15.00, +45.00], "
        "tolerance 30)"
    )
    assert finding.corruptions == pytest.approx({"fog": 60})


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
    mend = "run lst-robust eval first"
    finding = one(gate_of(before, now))
    assert (finding.model, finding.suite, finding.status) == ("lst18", "digits-c", "missing")
    assert finding.message == f"no records of lst18 on digits-c: {mend}"
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
    assert missing.message == f"no records of lst18 on digits-c with training seed 0: {mend}"


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
        identity = run.run.model.model_copy(update={"options": {"width": 2, "act": "relu"}})
        records = {cell: one.model_copy(update={"model": identity}) for cell, one in run.records.items()}
        stored(before, run._replace(run=run.run._replace(model=identity), records=records))
    findings = gate_of(before, now).findings
    assert {finding.model for finding in findings} == {
        "single",
        "lst18 width=2 act=relu",
        "lst18@seed4 width=2 act=relu",
    }


def test_a_damaged_record_is_named(before, now):
    stored(before, measured("lst18", few({})))
    run = stored(now, measured("lst18", few({})))
    path = now.run_folder(run.run) / "fog-1.json"
    path.write_text("damaged")
    warnings: list[str] = []
    assert gate_of(before, now, warn=warnings.append).exit_code == 3
    assert len(warnings) == 1 and str(path) in warnings[0]
    assert gate_of(before, now).exit_code == 3


def test_the_interval_without_bits_is_that_of_two_independent_samples(before, now):
    """± 1.96 · √(2 · p (1 - p) / n) of n images of which a share p is wrong, around the difference."""
    n = 2000
    cells = [Cell("fog", severity) for severity in SEVERITIES]
    stored(before, measured("lst18", {cell: np.arange(n) < 400 for cell in cells}))
    stored(now, measured("lst18", {cell: np.arange(n) < 500 for cell in cells}, weights="1"))
    baseline = make_baseline(before.results_dir, bits=False)
    finding = one(check(baseline, results_dir=now.results_dir, **METRIC))
    assert (finding.baseline, finding.current, finding.difference) == pytest.approx((20, 25, 5))
    half = 100 * 1.96 * np.sqrt(2 * 0.25 * 0.75 / n)
    assert (finding.low, finding.high) == pytest.approx((5 - half, 5 + half), abs=0.12)
    assert (finding.low, finding.high) == pytest.approx((2.4, 7.6), abs=0.06)  # with our seeds, to a step of 100 / n
    assert finding.paired is False and finding.status == "regression"
    assert one(check(baseline, results_dir=now.results_dir, **METRIC)) == finding  # the same numbers again
    assert finding.corruptions == pytest.approx({"fog": 5})


def test_a_corruption_error_without_bits_is_that_with_bits(before, now):
    stored(before, measured("lst18", WRONG))
    stored(now, measured("lst18", worse(("fog",), 0.5), weights="1"))
    paired, unpaired = (
        one(check(make_baseline(before.results_dir, bits=bits), results_dir=now.results_dir)) for bits in (True, False)
    )
    assert unpaired.baseline == pytest.approx(paired.baseline)
    assert unpaired.difference == pytest.approx(paired.difference)
    assert unpaired.high - unpaired.low > paired.high - paired.low


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
