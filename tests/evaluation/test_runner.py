"""The runner: the right cells, resumed, independent of how the work is cut up."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
import pytest
import torch
from lst_robust.evaluation.runner import wanted_cells

import lst_robust
from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, Cell
from lst_robust.errors import LstRobustError, NonFiniteError, UsageError
from lst_robust.evaluation import inference
from lst_robust.evaluation.inference import Predictor, predict
from lst_robust.models.preprocess import Preprocess
from lst_robust.runtime.progress import Silent


def test_all_96_cells_with_the_clean_one_first(suite):
    cells = wanted_cells(suite)
    assert len(cells) == 96
    assert cells[0] == CLEAN_CELL
    assert {cell.corruption for cell in cells[1:]} == set(CORRUPTIONS)


def test_restricting_the_cells(suite):
    assert wanted_cells(suite, ["fog"], [5, 1]) == [CLEAN_CELL, Cell("fog", 1), Cell("fog", 5)]
    with pytest.raises(UsageError, match="did you mean fog"):
        wanted_cells(suite, ["fogg"])
    with pytest.raises(UsageError, match="from 1 to 5"):
        wanted_cells(suite, None, [6])
    with pytest.raises(UsageError, match="at least one"):
        wanted_cells(suite, [], None)


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
    monkeypatch.setattr(inference, "predict", lambda *_, **__: pytest.fail("the network ran again"))
    again = lst_robust.evaluate(model, suite, corruptions=["fog"], results_dir=tmp_path)
    assert again.measured == 0
    assert again.summary() == first.summary()


def test_a_damaged_record_is_measured_again(suite, model, tmp_path):
    first = lst_robust.evaluate(model, suite, corruptions=["fog"], results_dir=tmp_path)
    path = next(tmp_path.rglob("fog-2.json"))
    path.write_text(path.read_text()[:100])
    observer = Silent()
    again = lst_robust.evaluate(model, suite, corruptions=["fog"], results_dir=tmp_path, observer=observer)
    assert again.measured == 1
    assert "fog-2.json" in observer.warnings[0]
    assert again.summary() == first.summary()


def test_overwrite_measures_again(suite, model, tmp_path):
    asked = {"corruptions": ["fog"], "severities": [1], "results_dir": tmp_path}
    assert lst_robust.evaluate(model, suite, **asked).measured == 2
    assert lst_robust.evaluate(model, suite, overwrite=True, **asked).measured == 2


def test_other_weights_are_another_run(suite, tmp_path):
    class Biased(torch.nn.Module):
        def __init__(self, favourite: int) -> None:
            super().__init__()
            self.logits = torch.nn.Parameter(torch.nn.functional.one_hot(torch.tensor(favourite), 10).float())

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


def test_nan_logits_fail_their_cell_by_name_and_the_run_goes_on(suite, unsteady, tmp_path):
    observer = Silent()
    result = lst_robust.evaluate(
        unsteady, suite, corruptions=["brightness", "contrast"], severities=[5], results_dir=tmp_path, observer=observer
    )
    assert set(result.failed) == {Cell("brightness", 5)}
    assert set(result.records) == {CLEAN_CELL, Cell("contrast", 5)}
    assert "brightness-5" in observer.warnings[0]
    assert result.summary().errors["brightness"] == (None,) * 5


def test_predict_refuses_infinity(suite):
    images = torch.zeros(2, 32, 32, 3, dtype=torch.uint8).numpy()
    preprocess = Preprocess((0.5,) * 3, (0.5,) * 3, torch.device("cpu"))
    with pytest.raises(NonFiniteError):
        predict(torch.nn.Sequential(torch.nn.Flatten(), Infinite()), preprocess, images, np.zeros(2, np.int64), 10)


class Infinite(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.full((len(x), 10), torch.inf)


def test_summary_has_every_documented_key(suite, model, tmp_path):
    result = lst_robust.evaluate(model, suite, results_dir=tmp_path, name="dark")
    summary = result.summary()
    promised = "model suite suite_version protocol preset engine n seed normaliser clean_error mean_corruption_error"
    assert set(promised.split()) | {"mce15", "mce19", "relative_mce", "ce", "errors"} <= set(summary.to_dict())
    assert summary.normaliser is None
    assert summary.metrics["mce15"] is None
    assert set(summary.errors) == set(CORRUPTIONS)
    assert all(len(row) == 5 and None not in row for row in summary.errors.values())
    against = dataclasses.replace(result, normaliser=lst_robust.published_normaliser()).summary()
    assert against.normaliser == "alexnet-imagenet-c"
    assert against.metrics["mce19"] == pytest.approx(sum(against.ce.values()) / 19)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "tpu9"}, "unknown device"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"workers": 0}, "workers is 0"),
        ({"limit": 0}, "limit"),
        ({"severities": [9]}, "from 1 to 5"),
    ],
)
def test_arguments_that_cannot_be_meant(suite, model, tmp_path, arguments, message):
    with pytest.raises(UsageError, match=message):
        lst_robust.evaluate(model, suite, results_dir=tmp_path, **arguments)


class Small(torch.nn.Module):
    """Wraps a network for which only so many images fit into the (imagined) device's memory."""

    def __init__(self, model: torch.nn.Module, room: int) -> None:
        super().__init__()
        self.model, self.room = model, room
        self.seen: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(len(x))
        if len(x) > self.room:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return self.model(x)


def test_out_of_memory_halves_the_batch_and_changes_nothing_else(suite, model, tmp_path):
    asked = {"corruptions": ["fog"], "severities": [2], "name": "sum"}
    whole = lst_robust.evaluate(model, suite, results_dir=tmp_path / "whole", **asked)
    observer = Silent()
    halved = lst_robust.evaluate(Small(model, 11), suite, results_dir=tmp_path / "halved", observer=observer, **asked)
    assert [record.correct for record in halved.records.values()] == [r.correct for r in whole.records.values()]
    assert [warning.split(" has ")[1] for warning in observer.warnings] == [
        f"not enough memory for {n} images at a time: going on with half" for n in (40, 20)
    ]


def test_what_was_learnt_of_the_memory_is_kept():
    network = Small(torch.nn.Flatten(), 4)
    predictor = Predictor(
        network, Preprocess((0.5,) * 3, (0.5,) * 3, torch.device("cpu")), 12, amp=False, warn=lambda _: None
    )
    for _ in range(2):
        outcomes = predictor(np.zeros((9, 2, 2, 3), np.uint8), np.zeros(9, np.int64))
        assert len(outcomes.correct) == 9
    assert network.seen == [9, 4, 4, 1, 4, 4, 1]


def test_no_room_for_one_image_is_one_line(suite, model, tmp_path):
    with pytest.raises(LstRobustError, match="not enough memory for one image: free some"):
        lst_robust.evaluate(Small(model, 0), suite, results_dir=tmp_path)


@pytest.mark.parametrize("width", [(3,), (11,), ()])
def test_a_network_without_one_output_a_class_is_refused(suite, tmp_path, width):
    class Other(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(x), *width)

    with pytest.raises(UsageError, match="one logit a class"):
        lst_robust.evaluate(Other(), suite, results_dir=tmp_path)
