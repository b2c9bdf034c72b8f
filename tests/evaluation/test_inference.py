"""How the images of a cell go through a network: one batch after the other, or shared out over threads."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest
import torch
from torch import nn

from lst_robust.errors import NonFiniteError
from lst_robust.evaluation.inference import Classifier, Predictor, keeps_no_state
from lst_robust.models import create_model
from lst_robust.models.optimize import optimize_for_inference
from lst_robust.models.preprocess import Preprocess
from lst_robust.records.confidence import Outcomes

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


def classifier(model: nn.Module, batch_size: int = 64, workers: int = 2, image_size: int = 32) -> Classifier:
    preprocess = Preprocess((0.5,) * 3, (0.25,) * 3, torch.device("cpu"))
    return Classifier(Predictor(model, preprocess, CLASSES, amp=False, warn=print), image_size, batch_size, workers)


def images(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8), rng.integers(0, CLASSES, n)


def outcomes(classify: Classifier, pixels: np.ndarray, labels: np.ndarray) -> Outcomes:
    with closing(classify(lambda batch: pixels[batch.start : batch.stop], labels)) as parts:
        return Outcomes.concatenated(list(parts))


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


@pytest.mark.parametrize(
    ("n", "image_size", "largest"),
    [
        pytest.param(6, 32, 3, id="few images are shared out too"),
        pytest.param(300, 32, 64, id="small ones come in parts that are worth it"),
        pytest.param(300, 224, 10, id="large ones soon make room for Ctrl-C"),
        pytest.param(300, 1024, 8, id="but not one by one"),
    ],
)
def test_how_many_images_a_thread_takes_at_a_time(n, image_size, largest):
    model = Watched()
    outcomes(classifier(model, batch_size=1024, image_size=image_size), *images(n))
    assert max(size for _, size, _ in model.calls) == largest and sum(size for _, size, _ in model.calls) == n


def test_further_workers_load_ahead_but_no_more_threads_compute_than_torch_has():
    class Counted(Watched):
        __module__ = Watched.__module__
        now, most = 0, 0
        lock = threading.Lock()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with self.lock:
                Counted.now += 1
                Counted.most = max(self.most, self.now)
            time.sleep(0.01)
            with self.lock:
                Counted.now -= 1
            return super().forward(x)

    pixels, labels = images(160)
    loading = set()

    def load(batch: range) -> np.ndarray:
        loading.add(threading.get_ident())
        time.sleep(0.01)
        return pixels[batch.start : batch.stop]

    assert len(list(classifier(Counted(), batch_size=16, workers=6)(load, labels))) == 20
    assert len(loading) > 2 and Counted.most == 2


@pytest.mark.parametrize(
    ("model", "options", "threads"),
    [
        pytest.param(Unknown, {}, 2, id="a network of the user's"),
        pytest.param(Watched, {"workers": 1}, 2, id="one worker"),
        pytest.param(Watched, {"batch_size": 15}, 2, id="batches too small"),
        pytest.param(Watched, {}, 1, id="one thread of torch's"),
    ],
)
def test_else_torch_has_all_threads_for_one_batch_after_the_other(model, options, threads):
    torch.set_num_threads(threads)
    network, batch_size = model(), options.get("batch_size", 64)
    outcomes(classifier(network, **options), *images(70))
    assert {call[0] for call in network.calls} == {threading.get_ident()}
    assert {call[2] for call in network.calls} == {threads}
    assert network.calls[0][1] == batch_size


def test_torch_has_as_many_threads_afterwards_as_before():
    outcomes(classifier(Watched()), *images(5))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == torch.get_num_threads() == 2


def test_what_fails_in_a_thread_fails_here():
    with pytest.raises(NonFiniteError):
        outcomes(classifier(Broken()), *images(64))
    assert torch.get_num_threads() == 2


FAMILIES = (
    "resnet20 preact20 senet20 cbam20 lst20 lst20-i lst18 shiftresnet20 fenet20 shiftnet-c lst-c wrn16-8 vgg11-bn"
)


@pytest.mark.parametrize("name", [*FAMILIES.split(), "alexnet", "mobilenetv2", "torchvision:googlenet"])
def test_a_pass_changes_nothing_in_the_networks_one_can_name(name):
    model = optimize_for_inference(create_model(name, CLASSES, image_size=32))
    assert keeps_no_state(model)
    before = [{key: id(value) for key, value in vars(module).items()} for module in model.modules()]
    tensors = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    with torch.inference_mode():
        model(torch.randn(2, 3, 32, 32))
    assert [{key: id(value) for key, value in vars(module).items()} for module in model.modules()] == before
    assert all(torch.equal(tensor, tensors[key]) for key, tensor in model.state_dict().items())


def test_of_others_nobody_knows():
    def hooked(register: str) -> nn.Module:
        model = Watched()
        getattr(model, register)(lambda *_: None)
        return model

    replaced = create_model("torchvision:resnet18", CLASSES, image_size=32)
    replaced._forward_impl = lambda x: x
    assert keeps_no_state(Watched()) and keeps_no_state(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)))
    for other in (
        nn.Sequential(Unknown()),
        hooked("register_forward_hook"),
        hooked("register_forward_pre_hook"),
        nn.Sequential(replaced),
        nn.BatchNorm2d(3, track_running_stats=False),  # what it computes depends on the images beside
        nn.Embedding(3, 3, max_norm=1.0),
        torch.jit.script(nn.Conv2d(3, 3, 1)),
    ):
        assert not keeps_no_state(other), other
    everywhere = nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        assert not keeps_no_state(Watched())
    finally:
        everywhere.remove()
