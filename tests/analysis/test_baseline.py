"""The baseline's file: what lies in it, in which order, and what is said when it cannot be used."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lst_robust.analysis.baseline import make_baseline, read_baseline, write_baseline
from lst_robust.analysis.selection import label
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import DataError, NothingToEvaluateError, UsageError
from lst_robust.records.record import packed
from lst_robust.records.store import Store
from tests.analysis import gated
from tests.analysis.simulated import SUITE, measured, stored

MEND = "write it with lst-robust baseline write --out FILE"
WRONG = {  # of 10 images
    Cell("snow", 2): np.arange(10) < 3,
    Cell("brightness", 5): np.arange(10) < 4,
    Cell("fog", 3): np.arange(10) < 2,
    CLEAN_CELL: np.arange(10) < 1,
    Cell("fog", 1): np.arange(10) >= 5,
}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results")


def test_an_entry_has_its_cells_in_order_with_the_clean_one_first(store):
    stored(store, measured("lst18", WRONG))
    (entry,) = make_baseline(store.results_dir).entries
    assert entry.errors == {"clean": 10, "brightness-5": 40, "fog-1": 50, "fog-3": 20, "snow-2": 30}
    assert list(entry.errors) == list(entry.correct) == ["clean", "brightness-5", "fog-1", "fog-3", "snow-2"]
    assert entry.correct["fog-1"] == packed(np.arange(10) < 5)
    assert entry.cells == [CLEAN_CELL, Cell("brightness", 5), Cell("fog", 1), Cell("fog", 3), Cell("snow", 2)]
    assert {cell: bits.tolist() for cell, bits in entry.wrong().items()} == {
        cell: bits.tolist() for cell, bits in WRONG.items()
    }
    assert entry.normaliser == SUITE.normaliser
    (without,) = make_baseline(store.results_dir, bits=False).entries
    assert without.correct is None and without.wrong() == {}
    assert without.errors == entry.errors


def test_a_baseline_is_of_the_suite_and_the_models_that_are_asked_for(store):
    for name in ("a", "b", "c"):
        stored(store, measured(name, WRONG))
    stored(store, measured("a", WRONG, suite="mine", suite_digest="mine"))

    def held(**asked: object) -> list[tuple[str, str]]:
        entries = make_baseline(store.results_dir, **asked).entries
        return [(entry.protocol.suite, entry.model.name) for entry in entries]

    everything = [("digits-c", "a"), ("digits-c", "b"), ("digits-c", "c"), ("mine", "a")]
    assert held() == everything
    assert held(suite="digits-c") == everything[:3]
    assert held(models=["c", "a"]) == [everything[0], everything[2], everything[3]]
    with pytest.raises(NothingToEvaluateError, match="'vgg'"):
        held(models=["vgg"])


def test_what_cannot_be_trusted_is_named(store, caplog):
    run = stored(store, measured("lst18", WRONG))
    stored(store, measured("other", WRONG, suite="mine", suite_digest="mine"))
    path = store.run_folder(run.run) / "fog-1.json"
    path.write_text("damaged")
    make_baseline(store.results_dir)
    assert len(caplog.messages) == 2
    assert caplog.messages[0].startswith(f"{path}: damaged")
    assert caplog.messages[1].startswith("suite 'mine' does not ship with the package")
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_only_the_runs_that_are_alike_are_offered(store):
    first, second, other = (
        stored(store, measured(name, WRONG, weights=weights)) for name, weights in (("a", "1"), ("a", "2"), ("b", "1"))
    )
    with pytest.raises(UsageError) as refused:
        make_baseline(store.results_dir)
    message = str(refused.value)
    assert message.startswith(
        "a later measurement could not be told which of several runs of one model and training seed it stands "
        "against: choose one with --model, from "
    )
    assert label(first.run) in message and label(second.run) in message and label(other.run) not in message
    assert len(make_baseline(store.results_dir, models=[label(first.run), "b"]).entries) == 2


def test_the_file_is_made_for_people_who_read_a_diff(store, tmp_path):
    stored(store, measured("größe", WRONG))
    path = tmp_path / "baseline.json"
    write_baseline(make_baseline(store.results_dir, bits=False), str(path))
    text = path.read_text(encoding="utf-8")
    assert text.startswith('{\n "schema_version": 2,\n "entries": [\n  {\n   "protocol": {\n    "suite": "digits-c",\n')
    assert '"name": "größe"' in text
    assert '   "errors": {\n    "clean": 10.0,\n    "brightness-5": 40.0,\n' in text
    assert text.endswith("}\n") and not text.endswith("\n\n")
    assert read_baseline(str(path)) == make_baseline(store.results_dir, bits=False)


def refusal(path) -> str:
    with pytest.raises(DataError) as refused:
        read_baseline(path)
    return str(refused.value)


def test_the_reason_why_a_file_is_no_baseline_is_one_line_with_the_mend(store, tmp_path):
    stored(store, measured("lst18", WRONG))
    path = tmp_path / "baseline.json"
    assert refusal(path) == f"{path}: cannot be read (No such file or directory); {MEND}"
    write_baseline(make_baseline(store.results_dir, bits=False), path)
    good = json.loads(path.read_text())

    def changed(**fields: object) -> str:
        path.write_text(json.dumps(good | {"entries": [good["entries"][0] | fields]}))
        return refusal(path)

    for damaged in ("fog-x", "fog", "fog-9", "Fog-1", "clean-0", "clean-1", "-1", ""):
        assert changed(errors={damaged: 10.0}) == (
            f"{path}: not a valid baseline (entries.0: no such cell: {damaged!r}); {MEND}"
        )
    assert changed(errors={"fog-1": 101.0}).startswith(f"{path}: not a valid baseline (entries.0.errors.fog-1: ")
    assert changed(errors={"fog-1": -0.5}).startswith(f"{path}: not a valid baseline (entries.0.errors.fog-1: ")
    assert changed(errors={}).startswith(f"{path}: not a valid baseline (entries.0.errors: ")
    path.write_text(json.dumps(good | {"entries": []}))
    assert refusal(path).startswith(f"{path}: not a valid baseline (entries: ")
    path.write_text("{")
    assert refusal(path).startswith(f"{path}: not a valid baseline (Invalid JSON: ")
    path.write_text(json.dumps(good | {"entries": good["entries"] * 2}))
    assert refusal(path) == (
        f"{path}: not a valid baseline (two entries of one model, protocol and training seed); {MEND}"
    )


def test_all_images_of_a_cell_may_be_right_or_wrong(store, tmp_path):
    path = tmp_path / "baseline.json"
    stored(store, measured("lst18", {Cell("fog", 1): np.zeros(9, bool), Cell("fog", 2): np.ones(9, bool)}))
    write_baseline(make_baseline(store.results_dir), path)
    assert read_baseline(path).entries[0].errors == {"fog-1": 0, "fog-2": 100}


def test_bits_and_errors_must_agree(store, tmp_path):
    stored(store, measured("lst18", WRONG))
    path = tmp_path / "baseline.json"
    write_baseline(make_baseline(store.results_dir), path)
    good = json.loads(path.read_text())
    entry = good["entries"][0]
    for changes, reason in [
        (
            {"errors": entry["errors"] | {"fog-1": 50.0001}},
            "fog-1: the error does not follow from the correctness bits",
        ),
        (
            {"correct": {name: bits for name, bits in entry["correct"].items() if name != "fog-3"}},
            "errors and correctness bits are of different cells, such as fog-3",
        ),
    ]:
        path.write_text(json.dumps(good | {"entries": [entry | changes]}))
        assert refusal(path) == f"{path}: not a valid baseline (entries.0: {reason}); {MEND}"


def test_an_argument_that_cannot_be_meant_is_called_by_its_name(store, tmp_path):
    stored(store, measured("lst18", WRONG))
    baseline = make_baseline(store.results_dir)
    calls = {
        "path is 3: give a path, as text or Path": (lambda: read_baseline(3), lambda: write_baseline(baseline, 3)),
        "baseline is 'x': make one with make_baseline": (lambda: write_baseline("x", tmp_path / "b.json"),),
        "results_dir is 3: give a path, as text or Path": (lambda: make_baseline(3),),
        "bits is 'no': give True or False": (lambda: make_baseline(store.results_dir, bits="no"),),
    }
    for message, refused in calls.items():
        for call in refused:
            with pytest.raises(UsageError) as caught:
                call()
            assert str(caught.value) == message
    with pytest.raises(UsageError, match=r"^models is 'lst18': give a list, such as models=\[\"lst18\"\]"):
        make_baseline(store.results_dir, models="lst18")


def test_the_files_that_cells_were_read_from_are_kept(store):
    run = measured("lst18", WRONG)
    cell = next(iter(run.records))
    stored(store, run._replace(records=run.records | {cell: run.records[cell].model_copy(update={"pixels": "abc"})}))
    assert make_baseline(store.results_dir).entries[0].pixels == {cell.name: "abc"}


def test_a_file_comes_back_and_is_the_same_for_the_same_records(baseline, before, tmp_path):
    paths = [tmp_path / "folder" / "a.json", tmp_path / "b.json"]
    for path in paths:
        write_baseline(make_baseline(before.results_dir, models=["lst18@seed0"]), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert read_baseline(paths[0]) == baseline
    (entry,) = baseline.entries
    assert entry.errors["fog-3"] == pytest.approx(100 * gated.WRONG[Cell("fog", 3)].mean())
    assert np.array_equal(entry.wrong()[Cell("fog", 3)], gated.WRONG[Cell("fog", 3)])


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
