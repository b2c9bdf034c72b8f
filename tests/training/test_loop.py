"""Training: the same weights for the same seed, interrupted or not; a loss that is no number stops it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from lst_robust.data import ImageSource, open_source
from lst_robust.errors import NonFiniteError, UsageError
from lst_robust.runtime.process_group import Ranks
from lst_robust.runtime.progress import Silent
from lst_robust.runtime.resources import Resources
from lst_robust.suites import Augmentation, PixelStatistics, Recipe
from lst_robust.training.loop import TrainingImages, fit
from lst_robust.training.state import ResumeFile

PIXELS = PixelStatistics(mean=(0.3,) * 3, std=(0.3,) * 3)
RECIPE = Recipe(
    epochs=3,
    batch_size=16,
    optimizer="adamw",
    lr=0.01,
    weight_decay=0.01,
    augmentation=Augmentation(crop_padding=2, flip=True),
)


@pytest.fixture(scope="module")
def source() -> ImageSource:
    return open_source({"kind": "digits"}, "train", image_size=16).subset(70)


def network() -> nn.Module:
    """Small, with batch norm (running statistics) and dropout (random state), which a resume must restore."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(8 * 49, 10)
    )


class Stopped(Exception):
    pass


class StopsInEpoch(Silent):
    """An observer that pulls the plug in the middle of an epoch."""

    def __init__(self, step: int) -> None:
        self.left = step

    def advance(self, steps: float = 1, status: str = "") -> None:
        self.left -= 1
        if self.left == 0:
            raise Stopped


def train(model: nn.Module, source: ImageSource, folder: Path, recipe=RECIPE, observer=None, workers=1, test=None):
    resources = Resources(torch.device("cpu"), workers, observer or Silent())
    resume_file = ResumeFile(folder / "training.resume")
    return fit(
        model, TrainingImages(source, test), recipe, PIXELS, resources, resume_file=resume_file, title="training"
    )


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    "changes",
    [
        {"schedule": "one_cycle"},
        {"schedule": "multistep", "milestones": (1, 2), "optimizer": "sgd"},
        {"drop_last": False, "accumulate": 3, "evaluate_every": 1, "keep": "best"},
        {"augmentation": {"random_resized_crop": 0.3, "flip": True}},
    ],
)
def test_interrupted_and_resumed_it_ends_with_the_same_bits(source, tmp_path, changes):
    recipe = RECIPE.changed(changes)
    whole, resumed = network(), network()
    expected = train(whole, source, tmp_path / "whole", recipe, test=source)
    with pytest.raises(Stopped):
        train(resumed, source, tmp_path / "resumed", recipe, StopsInEpoch(step=7), test=source)  # 4 or 5 steps an epoch
    fresh = network()
    nn.init.zeros_(fresh[0].weight)  # what it starts with must not matter
    fitted = train(fresh, source, tmp_path / "resumed", recipe, workers=3, test=source)
    assert same(whole, fresh)
    assert [line.split(",")[0] for line in fitted.log.splitlines()] == ["epoch", "1", "2", "3"]
    if recipe.keep == "best":
        assert fitted.best["test_error"] == expected.best["test_error"]
        assert all(torch.equal(w, expected.best["model"][key]) for key, w in fitted.best["model"].items())


def test_a_batch_in_parts_is_the_same_step(source, tmp_path):
    """Without BN and dropout, whose outcome depends on the parts."""
    recipe = RECIPE.changed({"optimizer": "sgd"})
    one, parts = without_bn(), without_bn()
    train(one, source, tmp_path / "1", recipe)
    train(parts, source, tmp_path / "2", recipe.changed({"accumulate": 5}))  # 16 images as 4, 3, 3, 3, 3
    for whole, added in zip(one.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(added, whole, rtol=1e-4, atol=1e-6)
    assert not same(one, without_bn())


def without_bn() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 49, 10))


class Scripted(nn.Module):
    """Is right about all of class 0 in the epochs it is told to, and about nothing else."""

    def __init__(self, good_epochs: set[int]) -> None:
        super().__init__()
        self.logits, self.good = nn.Linear(1, 10), good_epochs
        self.register_buffer("epoch", torch.zeros(()))

    def train(self, mode: bool = True) -> nn.Module:
        self.epoch += mode
        return super().train(mode)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            return self.logits(x.mean((1, 2, 3))[:, None])
        answer = 0 if int(self.epoch) in self.good else 10
        return nn.functional.one_hot(torch.full((len(x),), answer), 11).float()


def test_the_test_error_is_logged_as_often_as_asked_and_the_first_best_epoch_kept(source, tmp_path):
    recipe = RECIPE.changed({"epochs": 5, "evaluate_every": 2, "keep": "best"})
    fitted = train(Scripted({1, 2, 5}), source, tmp_path, recipe, test=source)
    rows = [line.split(",") for line in fitted.log.splitlines()]
    right = 100 * float((source.labels != 0).mean())
    assert rows[0][-1] == "test_error"
    assert [row[-1] for row in rows[1:]] == ["", f"{right:.6g}", "", "100", f"{right:.6g}"]
    assert (fitted.best["epoch"], fitted.best["test_error"]) == (2, right)
    assert int(fitted.best["model"]["epoch"]) == 2


def test_an_epoch_is_kept_before_its_test_error_is_measured(source, tmp_path, monkeypatch):
    """An epoch may have taken hours, and the test images may be the ones that cannot be read."""
    recipe = RECIPE.changed({"evaluate_every": 1, "keep": "best"})
    expected = train(network(), source, tmp_path / "whole", recipe, test=source)

    def unreadable(*_: object) -> None:
        raise Stopped

    with monkeypatch.context() as patched, pytest.raises(Stopped):
        patched.setattr("lst_robust.training.loop.error_measurer", lambda *_: unreadable)
        train(network(), source, tmp_path / "resumed", recipe, test=source)
    observer = StopsInEpoch(step=10**9)
    fitted = train(network(), source, tmp_path / "resumed", recipe, observer, test=source)
    assert 10**9 - observer.left == 2 * (70 // 16), "the first epoch is not trained again"
    assert [line.split(",")[-1] for line in fitted.log.splitlines()] == [
        line.split(",")[-1] for line in expected.log.splitlines()
    ]
    assert fitted.best["test_error"] == expected.best["test_error"]


def test_looking_at_the_test_error_changes_no_weight(source, tmp_path):
    one, watched = network(), network()
    fitted = train(one, source, tmp_path / "1")
    train(watched, source, tmp_path / "2", RECIPE.changed({"evaluate_every": 1}), test=source)
    assert same(one, watched) and fitted.best is None and "test_error" not in fitted.log


def test_it_learns_and_depends_on_the_seed_only(source, tmp_path):
    one, again, other = network(), network(), network()
    recipe = RECIPE.changed({"epochs": 12})
    log = train(one, source, tmp_path / "1", recipe).log
    train(again, source, tmp_path / "2", recipe, workers=3)
    train(other, source, tmp_path / "3", recipe.changed({"seed": 1}))
    assert same(one, again)
    assert not same(one, other)
    first, last = (float(log.splitlines()[row].split(",")[1]) for row in (1, -1))
    assert last < 0.7 * first


def test_a_training_that_has_learnt_nothing_says_so(source, tmp_path, caplog):
    train(network(), source, tmp_path / "1", RECIPE.changed({"epochs": 12}))
    assert not caplog.messages
    train(network(), source, tmp_path / "2", RECIPE.changed({"lr": 1e-9}))
    (warning,) = caplog.messages
    assert "after 3 epochs the training error is " in warning and "90.0 % by guessing" in warning


def test_the_callers_random_state_is_left_alone(source, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(network_without_seeding(), source, tmp_path)
    assert torch.equal(torch.rand(3), expected)


def network_without_seeding() -> nn.Module:
    with torch.random.fork_rng():
        return network()


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_epoch(source, tmp_path):
    class Explodes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.calls = network(), 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return self.inner(x) * (float("nan") if self.calls > 5 else 1.0)

    with pytest.raises(NonFiniteError, match=r"epoch 2.*lower the recipe's lr"):
        train(Explodes(), source, tmp_path)
    assert (tmp_path / "training.resume").is_file()


def test_weights_that_a_step_makes_infinite_are_not_kept(source, tmp_path):
    """The loss is of the weights before the step, and finite."""

    class Steep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = without_bn()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x) * 1e4

    recipe = RECIPE.changed({"optimizer": "sgd", "schedule": "multistep", "lr": 1e38, "epochs": 1, "max_steps": 1})
    with pytest.raises(NonFiniteError, match=r"the weights inner\..* became NaN or infinite in epoch 1; lower the rec"):
        train(Steep(), source, tmp_path, recipe)
    assert not (tmp_path / "training.resume").exists()


def test_running_statistics_that_are_infinite_are_not_kept(source, tmp_path):
    """The loss does not depend on them."""

    class Overflows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.calls = network(), 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            if self.calls > 5:
                self.inner[1].running_var.fill_(float("inf"))
            return self.inner(x)

    with pytest.raises(NonFiniteError, match=r"the weights inner\.1\.running_var became NaN or infinite in epoch 2"):
        train(Overflows(), source, tmp_path)
    kept = torch.load(tmp_path / "training.resume", weights_only=True)
    assert [line["epoch"] for line in kept["log"]] == [1]
    assert all(value.isfinite().all() for value in kept["model"].values())


def test_processes_that_find_different_files_do_not_start(source, tmp_path):
    """Rank 1 of 2, whose folder lacks what rank 0 has."""

    class WithoutTheFile(Ranks):
        def gather(self, value):
            return [[{"epoch": 1.0}], value]

    resources = Resources(torch.device("cpu"), 1, Silent())
    with pytest.raises(UsageError, match=r"a\.resume: the processes find different files there, with 1, 0 finished ep"):
        fit(
            network(),
            TrainingImages(source),
            RECIPE,
            PIXELS,
            resources,
            resume_file=ResumeFile(tmp_path / "a.resume"),
            title="training",
            ranks=WithoutTheFile(1, 2),
        )


def test_a_buffer_that_is_infinite_from_the_start_may_stay_so(source, tmp_path):
    """Some networks have masks and limits of this kind."""
    model = network()
    model.register_buffer("limit", torch.tensor(float("-inf")))
    train(model, source, tmp_path)
    assert (tmp_path / "training.resume").is_file()
