"""Records: whole or not there, and never trusted when damaged or foreign."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from lst_robust.errors import DataError
from lst_robust.evaluation.confidence import Outcomes
from lst_robust.evaluation.records import Cell, ModelIdentity, Protocol, Provenance, Record, Run, make_record
from lst_robust.evaluation.store import Store
from lst_robust.files import file_safe, write_output

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


def test_a_results_folder_that_cannot_be_written_says_how_to_choose_another(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="--results-dir"):
        Store(tmp_path / "file").check_writable()


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
