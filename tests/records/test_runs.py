"""To which run a measurement belongs: the earlier one of the same network on the same images, or a new one."""

from __future__ import annotations

import logging
import os
from typing import Any

import numpy as np
import pytest

from lst_robust.records.folder import run_file_of
from lst_robust.records.packed import read_run_file
from lst_robust.records.packed_files import PACKED
from lst_robust.records.record import Run
from lst_robust.records.run_file import RunFile
from lst_robust.records.runs import earlier_runs, settle_run, without_probe
from lst_robust.records.store import Store
from tests.fixtures.records import ANSWERS, PROBED, PROTOCOL, RUN, RUN_FILE, begin, write_earlier

MODEL = RUN.model.model_copy(update={"structure": "s", "code": "c"})
WHOLE = Run(PROTOCOL.model_copy(update={"pixels": "p", "preprocess": "suite"}), MODEL)


def close(first: np.ndarray, second: np.ndarray) -> bool:
    return first.shape == second.shape and bool(np.allclose(first, second, atol=0.01))


def settled(store: Store, run: Run = WHOLE, answers: np.ndarray = ANSWERS) -> RunFile:
    return settle_run(store, run, answers, close)


def changed(*, protocol: dict[str, Any] | None = None, model: dict[str, Any] | None = None) -> Run:
    return Run(WHOLE.protocol.model_copy(update=protocol or {}), WHOLE.model.model_copy(update=model or {}))


def test_the_first_measurement_is_a_new_run_without_a_word(store, caplog):
    caplog.set_level(logging.INFO)
    new = settled(store)
    assert new == RunFile.of(WHOLE, ANSWERS)
    assert run_file_of(store.run_folder(new.run)) == new
    assert without_probe(new.run) == WHOLE != new.run
    assert not caplog.messages


@pytest.mark.parametrize("is_packed", [False, True])
def test_answers_that_are_equal_to_rounding_belong_to_the_earlier_run(store, caplog, is_packed):
    caplog.set_level(logging.INFO)
    first = settled(store)
    if is_packed:
        begin(store, first)
        store.pack(first.run)
    assert settled(store, answers=ANSWERS + np.float32(1e-4)) == first
    assert [path.name for path in store.run_folder(first.run).iterdir()] == [PACKED if is_packed else "run.json"]
    assert not caplog.messages


OTHER_NETWORK = "lst18 has the weights of an earlier run, but is another network ({}): this is a run of its own"


@pytest.mark.parametrize(
    ("run", "line"),
    [
        (changed(model={"options": {"a": 1}}), OTHER_NETWORK.format("other options")),
        (changed(model={"code": "d"}), OTHER_NETWORK.format("its file has changed")),
        (
            changed(model={"code": "d", "structure": "t"}),
            OTHER_NETWORK.format("its file has changed, other modules or settings"),
        ),
        (changed(model={"train_seed": 5}), OTHER_NETWORK.format("another preprocessing")),
        (
            changed(protocol={"pixels": "q"}),
            "the images have the same names as in an earlier run of lst18, but other pixels: all is measured anew",
        ),
        (changed(protocol={"seed": 1}), None),
        (changed(protocol={"images": "0" * 16}), None),
        (changed(protocol={"preprocess": "model"}), None),
        (changed(model={"checkpoint_sha256": "1" * 64}), None),
    ],
)
def test_what_differs_is_a_run_of_its_own_and_a_line_says_why_where_it_looks_alike(store, caplog, run, line):
    caplog.set_level(logging.INFO)
    first = settled(store)
    new = settled(store, run)
    assert without_probe(new.run) == run and new.run.digest != first.run.digest
    assert caplog.messages == ([] if line is None else [line])
    assert all(one.levelno == logging.INFO for one in caplog.records)
    assert settled(store, run) == new and settled(store) == first, "both are found again"


def test_other_answers_of_the_same_weights_are_a_run_of_its_own(store, caplog):
    caplog.set_level(logging.INFO)
    first, second = settled(store), settled(store, answers=ANSWERS + 1)
    assert second.run.digest != first.run.digest
    assert caplog.messages == [
        "lst18 gives other answers to the probe images than an earlier run with the same weights: its code has "
        "changed, so this is a run of its own"
    ]


def test_records_of_release_0_1_are_kept_and_not_gone_on_with(store, caplog):
    caplog.set_level(logging.INFO)
    folder = write_earlier(store, 2)
    assert [found.run for found in earlier_runs(store.model_folder(RUN))] == [RUN]
    new = settled(store)
    assert new.run.digest != RUN.digest and len(list(folder.glob("*.json"))) == 3
    assert caplog.messages == [
        "the records of lst18 from an earlier release do not say of which pixels they are: they are kept, and all is "
        "measured anew"
    ]


def test_a_run_of_release_0_2_is_gone_on_with(store):
    write_earlier(store, 3)
    assert settled(store, RUN) == RUN_FILE


def test_a_run_file_that_was_lost_is_written_again_without_a_word(store, caplog):
    caplog.set_level(logging.INFO)
    folder = begin(store, settled(store))
    (folder / "run.json").unlink()
    settled(store, changed(model={"code": "d"}))
    caplog.clear()
    again = settled(store)
    assert run_file_of(folder) == again == RunFile.of(WHOLE, ANSWERS)
    assert not caplog.messages


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_damaged_run_file_is_named_and_written_again(store, caplog, is_packed):
    folder = begin(store, settled(store))
    if is_packed:
        store.pack(RunFile.of(WHOLE, ANSWERS).run)
    path = folder / (PACKED if is_packed else "run.json")
    path.write_bytes(path.read_bytes()[:100])
    again = settled(store)
    (line,) = caplog.messages
    assert line.startswith(f"{path}: damaged (") and line.endswith("; it is not used")
    assert run_file_of(folder) == again == RunFile.of(WHOLE, ANSWERS)


def test_a_run_in_a_folder_of_another_name_is_none(store):
    folder = begin(store)
    folder.rename(folder.with_name("n20-seed0-0123456789ab"))
    assert earlier_runs(store.model_folder(PROBED)) == []


def test_of_several_processes_that_begin_with_answers_equal_to_rounding_one_decides(store):
    """As ranks on different machines would."""
    pids = []
    for i in range(4):
        pid = os.fork()
        if pid == 0:
            try:
                settled(store, answers=ANSWERS + np.float32(i * 1e-4))
                os._exit(0)
            finally:
                os._exit(99)
        pids.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * 4
    assert len(earlier_runs(store.model_folder(WHOLE))) == 1


def test_the_head_of_a_packed_run_is_the_run_file(store):
    folder = begin(store)
    store.pack(PROBED)
    assert earlier_runs(store.model_folder(PROBED)) == [read_run_file(folder / PACKED)] == [RUN_FILE]


def test_cells_of_the_other_engine_are_said_once(store, caplog):
    caplog.set_level(logging.INFO)
    cpu, torch = (changed(protocol={"engine": engine}) for engine in ("lst-robust 1", "lst-robust-torch 1"))
    settled(store, cpu)
    settled(store, changed(protocol={"engine": "lst-robust-torch 1", "seed": 3}))
    assert not caplog.messages, "no cell of it is finished"
    begin(store, settled(store, cpu))
    settled(store, torch)
    assert caplog.messages == ["3 cells of the engine cpu are there: --engine cpu goes on with them"]
    settled(store, torch)
    settled(store, changed(protocol={"engine": "lst-robust-torch 1", "seed": 4}))
    settled(store, changed(protocol={"engine": "lst-robust-torch 1"}, model={"checkpoint_sha256": "b" * 64}))
    assert len(caplog.messages) == 1
