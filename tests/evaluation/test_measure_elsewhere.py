"""A plan that is measured by another process, from a pickle: the same records, or one line that says why not."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import lst_robust
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import UsageError
from lst_robust.evaluation.measure import Measured, measure
from lst_robust.evaluation.plan import EvalPlan, plan
from lst_robust.evaluation.request import EvalRequest
from lst_robust.models import save_checkpoint
from lst_robust.records.packed_files import PACKED
from lst_robust.records.record import Record
from lst_robust.records.store import Store
from lst_robust.runtime.progress import Silent
from lst_robust.suites import load_suite
from tests.fixtures.networks import classifier

ASKED = {"corruptions": ["gaussian_noise", "contrast"], "severities": [2, 4]}
CELLS = [CLEAN_CELL, *(Cell(name, severity) for name in ("gaussian_noise", "contrast") for severity in (2, 4))]


def measure_pickled(pickled: bytes, results: Path) -> Measured:
    return measure(pickle.loads(pickled), results)


@pytest.fixture(scope="module")
def elsewhere() -> Callable[..., list[Measured]]:
    """elsewhere(plan, ..., results=folder) -> what processes of their own made of pickles of the plans, at once."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:

        def call(*plans: EvalPlan, results: Path) -> list[Measured]:
            pending = [pool.submit(measure_pickled, pickle.dumps(one), results) for one in plans]
            return [future.result(timeout=120) for future in pending]

        yield call


@pytest.fixture
def planned(suite, model, tmp_path):
    """planned(network, **options) -> the plan of five cells, from a results folder that is then of no use."""

    def call(network: nn.Module = model, **options) -> EvalPlan:
        return plan(EvalRequest.of(network, suite, **{"results_dir": tmp_path / "planned"} | ASKED | options))

    return call


def without_provenance(records: dict[Cell, Record]) -> dict[Cell, dict]:
    return {cell: record.model_dump(exclude={"provenance"}) for cell, record in records.items()}


def files(results: Path) -> list[str]:
    return sorted(path.name for path in results.rglob("*") if path.is_file() and not path.name.startswith("."))


def test_another_process_measures_the_same_records(planned, elsewhere, suite, model, tmp_path):
    in_one_go = lst_robust.evaluate(model, suite, results_dir=tmp_path / "here", **ASKED)
    sent = planned()
    [there] = elsewhere(sent, results=tmp_path / "there")
    assert (there.measured, there.failed) == (5, {})
    assert without_provenance(there.records) == without_provenance(in_one_go.records)
    assert sent.run == in_one_go.run
    assert files(tmp_path / "there") == [PACKED]
    assert Store(tmp_path / "there").load(sent.run) == there.records
    again = lst_robust.evaluate(model, suite, results_dir=tmp_path / "there", **ASKED)
    assert again.measured == 0 and again.records == there.records, "the folder is one like any other"


def test_of_a_part_only_its_cells_are_measured(planned, elsewhere, tmp_path):
    part = planned().part([Cell("contrast", 2)])
    [there] = elsewhere(part, results=tmp_path / "there")
    assert (there.measured, list(there.records)) == (1, [Cell("contrast", 2)])
    assert files(tmp_path / "there") == ["contrast-2.json", "run.json"]


def test_two_processes_measure_two_parts_into_one_folder(planned, elsewhere, tmp_path):
    whole = planned()
    parts = [whole.part(CELLS[:2]), whole.part(CELLS[2:])]
    there = elsewhere(*parts, results=tmp_path / "there")
    assert [one.measured for one in there] == [2, 3]
    assert files(tmp_path / "there") == [PACKED], "the last one packs"
    assert set(there[0].records) | set(there[1].records) == set(CELLS)
    here = measure(whole)
    assert without_provenance(Store(tmp_path / "there").load(whole.run)) == without_provenance(here.records)


@pytest.mark.slow
def test_two_processes_share_one_plan(planned, elsewhere, tmp_path):
    whole = planned(corruptions=["gaussian_noise", "contrast", "fog"], severities=[1, 2, 3, 4, 5])
    there = elsewhere(whole, whole, results=tmp_path / "there")
    assert sum(one.measured for one in there) == 16, "no cell twice"
    assert set(Store(tmp_path / "there").load(whole.run)) == set(whole.cells)
    assert files(tmp_path / "there") == [PACKED]


def test_a_plan_that_has_travelled_prepares_anew_and_shows_nothing(planned):
    class Held(Silent):
        def __reduce__(self):
            raise TypeError("an observer holds a terminal")

    sent = planned(observer=Held())
    arrived = pickle.loads(pickle.dumps(sent))
    assert arrived.prepared is None and sent.prepared is not None
    assert type(arrived.request.observer) is Silent and type(sent.request.observer) is Held
    assert (arrived.run_file, arrived.cells, arrived.missing) == (sent.run_file, sent.cells, sent.missing)


def test_a_plan_is_measured_into_another_folder_in_the_same_process_too(planned, tmp_path):
    sent = planned()
    measure(sent, tmp_path / "other")
    assert files(tmp_path / "other") == [PACKED] and files(tmp_path / "planned") == ["run.json"]


@pytest.fixture
def checkpoint_of(tmp_path):
    """checkpoint_of(seed) -> the checkpoint of a small network, always in the same file."""

    def write(seed: int) -> Path:
        torch.manual_seed(seed)
        model = lst_robust.create_model("resnet20", 10, image_size=32)
        return save_checkpoint(model, tmp_path / "net.safetensors")

    return write


def assert_refused(elsewhere, sent: EvalPlan, folder: Path) -> None:
    with pytest.raises(UsageError, match="its images are not those of the plan: give the files") as refused:
        elsewhere(sent, results=folder)
    assert "\n" not in str(refused.value)
    assert not files(folder), "nothing was measured"


def test_other_weights_there_are_refused(planned, elsewhere, checkpoint_of, tmp_path):
    sent = planned("resnet20", checkpoint=checkpoint_of(0))
    checkpoint_of(1)
    assert_refused(elsewhere, sent, tmp_path / "there")
    checkpoint_of(0)
    assert elsewhere(sent.part([CLEAN_CELL]), results=tmp_path / "there")[0].measured == 1


def test_other_images_there_are_refused(elsewhere, draw_images, tmp_path):
    suite = load_suite("imagefolder").model_copy(update={"training": None})
    network = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(192, 2))
    options = {"data_dir": draw_images(0), "results_dir": tmp_path / "planned", **ASKED}
    sent = plan(EvalRequest.of(network, suite, **options))
    draw_images(1)
    assert_refused(elsewhere, sent, tmp_path / "there")


def test_a_network_that_answers_otherwise_there_is_refused(planned, tmp_path):
    """As one whose package is another version there."""
    arrived = pickle.loads(pickle.dumps(planned(classifier(nn.ReLU()))))
    answers = arrived.run_file.probe_answers()
    other = type(arrived.run_file).of(arrived.run._replace(), answers + 1)
    with pytest.raises(UsageError, match="not those of the plan"):
        measure(replace(arrived, run_file=other), tmp_path / "there")


def test_a_plan_without_missing_cells_needs_neither_network_nor_images(planned, tmp_path, monkeypatch):
    measure(planned())
    arrived = pickle.loads(pickle.dumps(planned()))
    monkeypatch.setattr("lst_robust.evaluation.measure.prepare", lambda request: pytest.fail("it was prepared"))
    assert arrived.missing == () and list(measure(arrived).records) == CELLS
