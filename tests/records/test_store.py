"""Records: whole or not there, and never trusted when damaged or foreign."""

from __future__ import annotations

import errno
import json
import os
import tempfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import pytest

from lst_robust.benchmark import Cell
from lst_robust.errors import DataError
from lst_robust.records.confidence import Outcomes
from lst_robust.records.record import ModelIdentity, Protocol, Provenance, Record, Run, make_record
from lst_robust.records.store import Store, parse_record
from lst_robust.runtime.files import file_safe, write_output

N = 21
PROTOCOL = Protocol(
    suite="digits-c",
    suite_version=1,
    suite_digest="abc",
    protocol="generated",
    data="digits",
    images="f" * 16,
    n=N,
    image_size=32,
    preset="cifar",
    style="hendrycks",
    engine="lst-robust 1",
    seed=0,
)
RUN = Run(PROTOCOL, ModelIdentity(name="lst18", checkpoint_sha256="0" * 64))
PROVENANCE = Provenance(
    versions={},
    git_revision=None,
    device="cpu",
    transform="none",
    seconds=1.0,
    images_per_second=21.0,
    finished="2026-01-01T00:00:00Z",
)
FOG = Cell("fog", 3)


def record(cell: Cell = FOG, run: Run = RUN, wrong: int = 7) -> Record:
    correct = np.arange(N) >= wrong
    outcomes = Outcomes(correct, correct | (np.arange(N) % 2 == 0), np.linspace(0.2, 1, N), np.linspace(0, 2, N))
    return make_record(run, cell, outcomes, PROVENANCE)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture
def warnings() -> list[str]:
    return []


def test_a_record_comes_back_as_it_was(store, warnings):
    path = store.write(record())
    assert path.name == "fog-3.json"
    found = store.load(RUN, warnings.append)
    assert found == {FOG: record()}
    assert found[FOG].top1_error == pytest.approx(100 * 7 / 21)
    assert found[FOG].correct_bits().tolist() == [i >= 7 for i in range(N)]
    assert not warnings


def test_a_record_of_the_first_schema_is_migrated(store, warnings):
    path = store.write(record())
    fields = json.loads(path.read_text())
    del fields["top5_error"], fields["calibration"], fields["provenance"]["transform"]
    path.write_text(json.dumps(fields | {"schema_version": 1}))
    (found,) = store.load(RUN, warnings.append).values()
    assert (found.top5_error, found.calibration, found.provenance.transform) == (None, None, None)
    assert found.correct == record().correct
    assert not warnings


def test_a_claimed_cell_is_nobody_elses_until_it_is_given_back(store):
    claim, other = store.claim(RUN, FOG, wait=False), store.claim(RUN, Cell("fog", 4), wait=False)
    with claim as first, store.claim(RUN, FOG, wait=False) as second, other as third:
        assert (first, second, third) == (True, False, True)
    with store.claim(RUN, FOG, wait=False) as again:
        assert again


def test_who_waits_gets_the_cell_when_the_other_gives_it_back(store):
    claim = store.claim(RUN, FOG, wait=False)
    begun = threading.Event()

    def waiting() -> bool:
        begun.set()
        with store.claim(RUN, FOG, wait=True) as mine:
            return mine

    with ThreadPoolExecutor(1) as pool:
        with claim as first:
            assert first
            waiter = pool.submit(waiting)
            begun.wait()
            assert not waited(waiter, seconds=0.2)
        assert waiter.result()


def waited(future: Future, seconds: float) -> bool:
    """Whether it has ended by then."""
    return bool(wait([future], timeout=seconds).done)


def test_one_cell_is_found_without_reading_the_others(store):
    assert store.find(RUN, FOG) is None
    path = store.write(record())
    assert store.find(RUN, FOG) == record()
    assert store.find(RUN, Cell("fog", 4)) is None
    path.rename(path.with_name("fog-4.json"))  # another cell under this one's name
    assert store.find(RUN, Cell("fog", 4)) is None
    other = Run(PROTOCOL.model_copy(update={"seed": 1}), RUN.model)
    foreign = store.write(record(run=other))
    store.run_folder(RUN).joinpath("fog-3.json").write_bytes(foreign.read_bytes())
    assert store.find(RUN, FOG) is None
    path.write_text("{}")
    assert store.find(RUN, FOG) is None


def test_a_record_lies_where_its_run_says(store):
    path = store.write(record())
    assert path == store.results_dir / "digits-c" / "lst18" / f"n21-seed0-{RUN.digest}" / "fog-3.json"


def test_a_bad_file_does_not_hide_those_after_it(store, warnings):
    """Neither a damaged one nor a foreign one, in a run or in the whole folder."""
    for severity in (1, 2, 3):
        store.write(record(Cell("fog", severity)))
    folder = store.run_folder(RUN)
    (folder / "fog-1.json").write_text("damaged")
    (folder / "fog-2.json").write_bytes((folder / "fog-3.json").read_bytes())
    assert set(store.load(RUN, warnings.append)) == {FOG}
    assert warnings == [
        f"{folder / 'fog-1.json'}: damaged (not JSON); it is not used",
        f"{folder / 'fog-2.json'}: belongs to another run or cell; it is not used and the cell is measured again",
    ]
    warnings.clear()
    ((run, records),) = store.scan(None, warnings.append)
    assert (run, set(records)) == (RUN, {FOG})
    assert warnings == [
        f"{folder / 'fog-1.json'}: damaged (not JSON); it is not used",
        f"{folder / 'fog-2.json'}: belongs to another run or cell; it is left out",
    ]


def test_a_scan_gives_the_runs_of_a_suite_whole_and_in_the_order_of_their_paths(store, warnings):
    named = [Run(PROTOCOL, RUN.model.model_copy(update={"name": name})) for name in ("c", "a", "b")]
    another = Run(PROTOCOL.model_copy(update={"suite": "another"}), RUN.model)
    for run in (*named, another):
        for severity in (2, 1):
            store.write(record(Cell("fog", severity), run))
    scanned = list(store.scan("digits-c", warnings.append))
    assert [run.model.name for run, _ in scanned] == ["a", "b", "c"]
    assert all(list(records) == [Cell("fog", 1), Cell("fog", 2)] for _, records in scanned)
    assert [run.protocol.suite for run, _ in store.scan(None, warnings.append)] == ["another"] + ["digits-c"] * 3
    (store.run_folder(named[1]) / "fog-1.json").rename(store.run_folder(named[2]) / "fog-1.json")
    assert {run.model.name: len(records) for run, records in store.scan("digits-c", warnings.append)} == {
        "a": 1,
        "b": 1,
        "c": 2,
    }
    assert [text.partition(": ")[2] for text in warnings] == ["belongs to another run or cell; it is left out"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff", "damaged (not JSON)"),
        (b"[" * 100_000, "damaged (not JSON)"),
        (b"[]", "not a valid record (not a record)"),
        (b'{"schema_version": 2}', "not a valid record (corruption: Field required)"),
    ],
)
def test_the_reason_why_a_file_is_no_record_is_one_line(tmp_path, content, reason):
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(DataError) as refused:
        parse_record(path)
    assert str(refused.value) == f"{path}: {reason}"


def test_the_reason_names_the_field_and_leaves_out_whose_word_it_is(store):
    path = store.write(record())
    edited(path, calibration={"count": [1] * 15, "confidence": [0.5] * 15, "correct": [1] * 14 + [2], "brier": 0.1})
    with pytest.raises(DataError) as refused:
        parse_record(path)
    assert str(refused.value) == (
        f"{path}: not a valid record (calibration: a bin of 1 images cannot hold 2 correct ones or a sum of 0.5)"
    )
    path = store.write(record())
    edited(path, provenance=PROVENANCE.model_dump() | {"seconds": "soon"})
    with pytest.raises(DataError, match=r"record \(provenance\.seconds: Input should be a valid number\)$"):
        parse_record(path)
    with pytest.raises(DataError, match=r"record \(top1_error does not follow from the correctness bits\)$"):
        edited(store.write(record()), top1_error=1.0)
        parse_record(path)


def test_a_file_that_cannot_be_read_is_no_record(tmp_path):
    with pytest.raises(DataError) as refused:
        parse_record(tmp_path)
    assert str(refused.value) == f"{tmp_path}: cannot be read (Is a directory)"


def test_runs_that_differ_in_anything_live_side_by_side(store, warnings):
    other = Run(PROTOCOL.model_copy(update={"seed": 1}), RUN.model)
    weights = Run(PROTOCOL, RUN.model.model_copy(update={"checkpoint_sha256": "1" * 64}))
    for i, run in enumerate((RUN, other, weights)):
        store.write(record(run=run, wrong=i))
    for i, run in enumerate((RUN, other, weights)):
        assert store.load(run, warnings.append)[FOG].top1_error == pytest.approx(100 * i / N)
    assert {run.digest for run, _ in store.scan(None, warnings.append)} == {RUN.digest, other.digest, weights.digest}
    assert not list(store.scan("another", warnings.append))


def edited(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "damaged"),
        (lambda path: path.write_bytes(b""), "damaged"),
        (lambda path: path.write_bytes(os.urandom(500)), "damaged"),
        (lambda path: edited(path, top1_error=1.0), "does not follow"),
        (lambda path: edited(path, correct="AAAAAAAA"), "do not hold 21 images"),
        (lambda path: edited(path, correct="!"), "not a valid record"),
        (lambda path: edited(path, schema_version=99), "schema_version 99 is unknown"),
        (lambda path: edited(path, top5_error=90.0), "top5_error is larger"),
        (lambda path: edited(path, calibration=record(wrong=8).calibration.model_dump()), "counts do not follow"),
        (lambda path: edited(path, severity=6), "no such cell"),
        (lambda path: edited(path, extra=1), "extra"),
        (lambda path: edited(path, severity=4), "another run or cell"),
        (lambda path: edited(path, protocol=PROTOCOL.model_dump() | {"seed": 1}), "another run or cell"),
        (lambda path: path.write_text("[]"), "not a valid record"),
    ],
)
def test_what_cannot_be_trusted_is_named_and_left_out(store, warnings, damage, message):
    path = store.write(record())
    store.write(record(Cell("fog", 1)))
    damage(path)
    assert set(store.load(RUN, warnings.append)) == {Cell("fog", 1)}
    assert len(warnings) == 1
    assert str(path) in warnings[0]
    assert message in warnings[0]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_output(path, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left"):
        write_output(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_results_folder_that_cannot_be_written_says_how_to_choose_another(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(DataError) as refused:
        Store(file).check_writable()
    assert str(refused.value) == (
        f"results folder {file} is not writable (File exists); choose another with --results-dir"
    )

    def read_only(*_: object, dir: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(dir))

    monkeypatch.setattr("tempfile.TemporaryFile", read_only)
    with pytest.raises(DataError, match=r"is not writable \(Read-only file system\)"):
        Store(tmp_path).check_writable()


def test_a_results_folder_is_made_with_those_above_it_and_left_empty(tmp_path, monkeypatch):
    folder, tried, make = tmp_path / "a" / "b", [], tempfile.TemporaryFile

    def noted(*, dir: Path) -> object:
        tried.append(dir)
        return make(dir=dir)

    monkeypatch.setattr("tempfile.TemporaryFile", noted)
    for _ in range(2):
        Store(str(folder)).check_writable()
        assert list(folder.iterdir()) == []
    assert tried == [folder, folder]


def test_model_names_become_safe_folders():
    assert file_safe("torchvision:resnet50") == "torchvision-resnet50"
    assert file_safe("../../etc/passwd") == "etc-passwd"
    assert file_safe("...") == "model"


@pytest.mark.filterwarnings("ignore:flock not supported")
def test_cells_are_claimed_where_the_file_system_has_no_locks(store, monkeypatch):
    def missing(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", missing)
    claim, again = store.claim(RUN, FOG, wait=False), store.claim(RUN, FOG, wait=False)
    with claim as first, again as second:
        assert (first, second) == (True, False)
    with store.claim(RUN, FOG, wait=False) as third:
        assert third
    assert not list(store.run_folder(RUN).iterdir())
