"""How the images of a cell go through a network: one batch after the other, or shared out over threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest
import torch
from torch import nn

from lst_robust.errors import NonFiniteError
from lst_robust.evaluation.confidence import Outcomes
from lst_robust.evaluation.inference import AT_MOST, Classifier, Predictor, keeps_no_state
from lst_robust.models import create_model
from lst_robust.models.inference import optimize_for_inference
from lst_robust.preprocess import Preprocess

CLASSES = 10


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class Watched(nn.Module):
    """Notes which threads call it, with how many images and with how many of torch's threads."""

    __module__ = "torchvision.models.watched"  # so that it counts as one that keeps no state

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[int, int, int]] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls.append((threading.get_ident(), len(x), torch.get_num_threads()))
        return x.mean((2, 3)).repeat(1, 4)[:, :CLASSES]


class Unknown(Watched):
    __module__ = __name__


class Broken(Watched):
    __module__ = Watched.__module__

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * torch.nan


def classifier(model: nn.Module, batch_size: int = 64, workers: int = 2) -> Classifier:
    preprocess = Preprocess((0.5,) * 3, (0.25,) * 3, torch.device("cpu"))
    return Classifier(Predictor(model, preprocess, CLASSES, amp=False, warn=print), batch_size, workers)


def images(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8), rng.integers(0, CLASSES, n)


def outcomes(classify: Classifier, pixels: np.ndarray, labels: np.ndarray) -> Outcomes:
    with closing(classify(lambda batch: pixels[batch.start : batch.stop], labels)) as parts:
        return Outcomes.joined(list(parts))


@pytest.mark.parametrize("name", ["resnet20", "lst20"])
@pytest.mark.parametrize("n", [1, 3, 45])
def test_shared_out_over_threads_the_outcomes_are_the_same(name, n):
    torch.manual_seed(0)
    model = optimize_for_inference(create_model(name, CLASSES))
    shared, alone = classifier(model, batch_size=16), classifier(model, batch_size=16, workers=1)
    assert shared.shared_out and not alone.shared_out
    ours, theirs = (outcomes(classify, *images(n)) for classify in (shared, alone))
    np.testing.assert_array_equal(ours.correct, theirs.correct)
    np.testing.assert_allclose(ours.confidence, theirs.confidence, atol=1e-5)
    np.testing.assert_allclose(ours.brier, theirs.brier, atol=1e-5)


def test_each_thread_has_a_part_of_the_batch_and_computes_alone():
    model = Watched()
    outcomes(classifier(model, batch_size=32), *images(70))
    assert [size for _, size, _ in model.calls].count(16) == 4 and sum(size for _, size, _ in model.calls) == 70
    assert {threads for *_, threads in model.calls} == {1}
    assert threading.get_ident() not in {thread for thread, *_ in model.calls}


def test_few_images_are_shared_out_too_and_many_not_all_at_once():
    few, many = Watched(), Watched()
    outcomes(classifier(few, batch_size=1024), *images(6))
    outcomes(classifier(many, batch_size=1024), *images(300))
    assert [size for _, size, _ in few.calls] == [3, 3]
    assert max(size for _, size, _ in many.calls) == AT_MOST


@pytest.mark.parametrize(
    ("model", "options"),
    [
        pytest.param(Unknown, {}, id="a network of the user's"),
        pytest.param(Watched, {"workers": 1}, id="one worker"),
        pytest.param(Watched, {"batch_size": 15}, id="batches too small"),
    ],
)
def test_else_torch_has_all_threads_for_one_batch_after_the_other(model, options):
    network, batch_size = model(), options.get("batch_size", 64)
    outcomes(classifier(network, **options), *images(70))
    assert {call[0] for call in network.calls} == {threading.get_ident()}
    assert {call[2] for call in network.calls} == {2}
    assert network.calls[0][1] == batch_size


def test_torch_has_as_many_threads_afterwards_as_before():
    outcomes(classifier(Watched()), *images(5))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == torch.get_num_threads() == 2


def test_what_fails_in_a_thread_fails_here():
    with pytest.raises(NonFiniteError):
        outcomes(classifier(Broken()), *images(64))
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("name", ["resnet20", "lst20", "shiftresnet20", "cbam20", "alexnet", "torchvision:resnet18"])
def test_the_networks_one_can_name_keep_no_state(name):
    size = 224 if name.startswith("torchvision") else 32
    assert keeps_no_state(optimize_for_inference(create_model(name, CLASSES, image_size=size)))


def test_of_others_and_of_hooks_nobody_knows():
    assert keeps_no_state(Watched()) and not keeps_no_state(nn.Sequential(Unknown()))
    hooked, replaced = Watched(), Watched()
    hooked.register_forward_hook(lambda *_: None)
    replaced.forward = lambda x: x
    assert not keeps_no_state(hooked) and not keeps_no_state(replaced)
