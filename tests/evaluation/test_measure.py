"""The measurement of a plan: resumed, shared, and independent of how the work is cut up."""

from __future__ import annotations

import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import lst_robust
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.data.class_folders import FileSource
from lst_robust.errors import DataError
from lst_robust.evaluation import inference
from lst_robust.evaluation.inference import InferenceRunner
from lst_robust.evaluation.measure import measure
from lst_robust.evaluation.plan import plan
from lst_robust.evaluation.request import EvalRequest
from lst_robust.records.folder import RUN_FILE
from lst_robust.records.packed_files import PACKED
from lst_robust.records.store import Store
from lst_robust.runtime.progress import Silent
from lst_robust.suites import load_suite


@pytest.fixture
def planned(suite, model, tmp_path):
    """planned(**options) -> the plan of clean and fog-3, or of other cells that are asked for."""

    def call(network=model, **options):
        cells = {} if "corruptions" in options else {"corruptions": ["fog"], "severities": [3]}
        return plan(EvalRequest.of(network, suite, **{"results_dir": tmp_path / "results"} | cells | options))

    return call


def files(results: Path) -> list[str]:
    """The names of all files below a results folder, without the locks."""
    return sorted(path.name for path in results.rglob("*") if path.is_file() and not path.name.startswith("."))


def test_the_numbers_do_not_depend_on_batches_and_threads(suite, model, tmp_path, monkeypatch, request):
    monkeypatch.setattr(inference, "STATELESS_PACKAGES", ("torch.", type(model).__module__))
    request.addfinalizer(partial(torch.set_num_threads, torch.get_num_threads()))
    asked = {"corruptions": ["gaussian_noise", "glass_blur", "fog"], "severities": [3], "name": "dark"}
    results = []
    for batch, workers, threads in [(40, 1, 1), (7, 1, 2), (1, 3, 1), (13, 4, 1), (40, 2, 2), (16, 4, 2)]:
        torch.set_num_threads(threads)
        folder = tmp_path / str(len(results))
        results.append(
            lst_robust.evaluate(model, suite, results_dir=folder, batch_size=batch, workers=workers, **asked)
        )
    bits = [[record.correct for record in result.records.values()] for result in results]
    assert bits[1:] == bits[:1] * 5
    assert all(result.summary() == results[0].summary() for result in results)
    assert len(set(bits[0])) > 1, "the corruptions must have changed something"


def test_a_second_call_measures_nothing_and_a_larger_one_only_what_is_new(suite, model, tmp_path, monkeypatch):
    first = lst_robust.evaluate(model, suite, corruptions=["fog"], results_dir=tmp_path)
    assert first.measured == 6
    more = lst_robust.evaluate(model, suite, corruptions=["fog", "contrast"], results_dir=tmp_path)
    assert more.measured == 5
    monkeypatch.setattr(InferenceRunner, "outcomes", lambda *_: pytest.fail("the network ran again"))
    again = lst_robust.evaluate(model, suite, corruptions=["fog"], results_dir=tmp_path)
    assert again.measured == 0
    assert again.summary() == first.summary()


def test_the_same_plan_measured_twice_measures_once(planned):
    whole = planned()
    first, again = measure(whole), measure(whole)
    assert (first.measured, again.measured) == (2, 0)
    assert again.records == first.records and list(first.records) == list(whole.cells)


def test_a_damaged_record_is_measured_again_and_named_once(planned, said):
    whole = planned()
    first = dict(measure(whole.part([Cell("fog", 3)])).records)
    path = Store(whole.request.results_dir).run_folder(whole.run) / "fog-3.json"
    path.write_text(path.read_text()[:100])
    said()
    again = measure(planned())
    assert again.measured == 2
    [line] = said()
    assert "fog-3.json" in line and "measured again" in line
    assert again.records[Cell("fog", 3)].correct == first[Cell("fog", 3)].correct


def test_overwrite_measures_again(evaluate, model):
    assert evaluate(model)[0].measured == 2
    assert evaluate(model, overwrite=True)[0].measured == 2


def test_overwriting_some_cells_leaves_the_others(suite, model, tmp_path):
    whole = lst_robust.evaluate(model, suite, corruptions=["fog"], results_dir=tmp_path)
    again = lst_robust.evaluate(model, suite, corruptions=["fog"], severities=[2], results_dir=tmp_path, overwrite=True)
    assert again.measured == 2 and files(tmp_path) == [PACKED]
    assert Store(tmp_path).load(whole.run).keys() == whole.records.keys()


def test_other_weights_are_another_run(suite, tmp_path):
    class Biased(nn.Module):
        def __init__(self, favourite: int) -> None:
            super().__init__()
            self.logits = nn.Parameter(nn.functional.one_hot(torch.tensor(favourite), 10).float())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.logits.expand(len(x), 10)

    asked = {"corruptions": ["fog"], "severities": [1], "results_dir": tmp_path}
    three, four = (lst_robust.evaluate(Biased(digit), suite, **asked) for digit in (3, 4))
    assert three.measured == four.measured == 2
    errors = [result.summary().metrics["clean_error"] for result in (three, four)]
    assert errors == [90.0, 90.0]  # one digit in ten is right
    assert three.run.digest != four.run.digest


def test_the_seed_changes_noise_and_nothing_else(suite, model, tmp_path):
    asked = {"corruptions": ["impulse_noise", "contrast"], "severities": [5], "results_dir": tmp_path}
    zero, one = (lst_robust.evaluate(model, suite, seed=seed, **asked) for seed in (0, 1))
    assert zero.records[Cell("impulse_noise", 5)].correct != one.records[Cell("impulse_noise", 5)].correct
    assert zero.records[Cell("contrast", 5)].correct == one.records[Cell("contrast", 5)].correct


def test_predictions_are_the_argmax_of_the_network(planned, model):
    whole = planned(corruptions=["gaussian_noise", "contrast"], severities=[4], batch_size=16)
    images, labels = whole.prepared.images, whole.prepared.images.clean.labels
    for cell, record in measure(whole).records.items():
        pixels = torch.from_numpy(images.loader(cell)(range(len(labels)))).permute(0, 3, 1, 2) / 255
        predicted = model((pixels - 0.31) / 0.31).argmax(1).numpy()
        np.testing.assert_array_equal(record.predicted_classes(), predicted)
        np.testing.assert_array_equal(record.correct_bits(), predicted == labels)
        assert record.top1_error == pytest.approx(100 * np.mean(predicted != labels))
        p = 1 / (1 + 9 / np.e)  # softmax of one-hot logits of ten classes
        np.testing.assert_allclose(record.confidences(), p, atol=1e-3)


def test_nan_logits_fail_their_cell_by_name_and_the_run_goes_on(suite, unsteady, tmp_path, said):
    asked = {"corruptions": ["brightness", "contrast"], "severities": [5], "results_dir": tmp_path}
    result = lst_robust.evaluate(unsteady, suite, **asked)
    assert set(result.failed) == {Cell("brightness", 5)}
    assert set(result.records) == {CLEAN_CELL, Cell("contrast", 5)}
    assert [line.split(":")[0] for line in said()] == ["brightness-5"]
    assert result.summary().errors["brightness"] == (None,) * 5
    assert files(tmp_path) == ["clean.json", "contrast-5.json", RUN_FILE], "the run is not complete"
    again = lst_robust.evaluate(unsteady, suite, **asked)
    assert (again.measured, set(again.failed)) == (0, set(result.failed))


def test_a_complete_run_is_one_file_and_an_incomplete_one_keeps_its_cells(planned, tmp_path):
    whole = planned(corruptions=["fog"])
    some = measure(whole.part([CLEAN_CELL, Cell("fog", 2)]))
    assert (some.measured, list(some.records)) == (2, [CLEAN_CELL, Cell("fog", 2)])
    assert files(tmp_path / "results") == ["clean.json", "fog-2.json", RUN_FILE]
    rest = measure(planned(corruptions=["fog"]))
    assert (rest.measured, list(rest.records)) == (4, list(whole.cells))
    assert files(tmp_path / "results") == [PACKED]


def test_a_run_that_cannot_be_packed_keeps_its_cells_and_is_whole_all_the_same(planned, tmp_path, monkeypatch, said):
    def full(self, run):
        raise DataError("run.parquet: cannot be written (No space left on device)")

    monkeypatch.setattr(Store, "pack", full)
    measured = measure(planned())
    assert len(measured.records) == 2
    assert said() == ["run.parquet: cannot be written (No space left on device); the cells stay in files of their own"]
    assert files(tmp_path / "results") == ["clean.json", "fog-3.json", RUN_FILE]


def test_a_cell_that_another_process_holds_comes_last(planned, tmp_path):
    whole = planned(corruptions=["fog"])
    store = Store(tmp_path / "results")
    others = measure(whole.part([CLEAN_CELL]), tmp_path / "other").records[CLEAN_CELL]
    claimed, finished_before = threading.Event(), []

    def other_process() -> None:
        with store.claim(whole.run, CLEAN_CELL, wait=False):
            claimed.set()
            give_up = time.monotonic() + 20
            while len(finished_before) < 5 and time.monotonic() < give_up:
                finished_before[:] = store.run_folder(whole.run).glob("fog-*.json")
                time.sleep(0.01)
            store.write(others)

    thread = threading.Thread(target=other_process)
    thread.start()
    assert claimed.wait(20)
    result = measure(whole)
    thread.join()
    assert len(finished_before) == 5, "the others came first"
    assert result.measured == 5 and result.records[CLEAN_CELL] == others, "it was not measured twice"


class Counting(Silent):
    def __init__(self) -> None:
        self.started: list[tuple[str, int, int]] = []
        self.steps, self.finished = 0.0, 0
        self.status = ""

    def start(self, title: str, total: int, done: int = 0) -> None:
        self.started.append((title, total, done))

    def advance(self, steps: float = 1, status: str = "") -> None:
        self.steps += steps
        self.status = status or self.status

    def finish(self) -> None:
        self.finished += 1


def test_the_observer_sees_every_missing_cell_and_the_running_result(planned, evaluate, model):
    evaluate(model, name="net")
    observer = Counting()
    result = measure(planned(corruptions=["fog"], name="net", observer=observer))
    assert observer.started == [("evaluating net on digits-c", 6, 2)]
    assert observer.steps == pytest.approx(4) and observer.finished == 1
    errors = {cell: record.top1_error for cell, record in result.records.items()}
    clean = errors.pop(CLEAN_CELL)
    mean = np.mean(list(errors.values()))
    assert observer.status == f"clean error {clean:.2f} %, mean corruption error so far {mean:.2f} %"


def test_images_that_change_while_they_are_measured_are_noticed(evaluate, draw_images, tmp_path):
    class Changing(nn.Module):
        """Replaces the images behind the evaluation's back, once."""

        def __init__(self) -> None:
            super().__init__()
            self.classify = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(192, 2))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if len(images) == 12:
                draw_images(1)
            return self.classify(images)

    suite = load_suite("imagefolder").model_copy(update={"training": None})
    folder = draw_images(0)
    with pytest.raises(DataError, match="changed while clean was measured"):
        evaluate(Changing(), suite=suite, data_dir=folder)
    assert files(tmp_path / "results") == [RUN_FILE]


def test_each_image_is_decoded_once_for_all_cells(draw_images, tmp_path, monkeypatch):
    suite = load_suite("imagefolder").model_copy(update={"training": None})
    decoded: Counter[int] = Counter()
    load = FileSource.load

    def counted(self, indices, workers):
        decoded.update(indices.tolist())
        return load(self, indices, workers)

    monkeypatch.setattr(FileSource, "load", counted)
    network = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(192, 2))
    asked = {"corruptions": ["fog", "snow"], "results_dir": tmp_path / "r", "batch_size": 5, "workers": 1}
    assert lst_robust.evaluate(network, suite, data_dir=draw_images(0), **asked).measured == 11
    assert decoded == dict.fromkeys(range(12), 1)
