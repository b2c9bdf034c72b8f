"""How the images of a cell go through a network: one batch after the other, or shared out over threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from lst_robust.errors import LstRobustError, NonFiniteError, UsageError
from lst_robust.evaluation import inference
from lst_robust.evaluation.inference import InferenceRunner, InferenceSettings, Sizes, keeps_no_state
from lst_robust.models import create_model
from lst_robust.models.optimize import optimize_for_inference
from lst_robust.records.confidence import Outcomes
from lst_robust.suites import PixelStatistics

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


def settings(batch_size: int = 64, workers: int = 2, amp: bool = False) -> InferenceSettings:
    return InferenceSettings(torch.device("cpu"), batch_size, workers, amp)


def runner(model: nn.Module, image_size: int = 32, classes: int = CLASSES, **how: object) -> InferenceRunner:
    pixels = PixelStatistics(mean=(0.5,) * 3, std=(0.25,) * 3)
    return InferenceRunner(model, pixels, classes, settings(**how), image_size)


def images(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8), rng.integers(0, CLASSES, n)


def outcomes(with_runner: InferenceRunner, pixels: np.ndarray, labels: np.ndarray) -> Outcomes:
    with closing(with_runner.outcomes(lambda batch: pixels[batch.start : batch.stop], labels)) as parts:
        return Outcomes.concatenated(list(parts))


@pytest.mark.parametrize("name", ["resnet20", "lst20"])
@pytest.mark.parametrize("n", [1, 3, 45])
def test_shared_out_over_threads_the_outcomes_are_the_same(name, n):
    torch.manual_seed(0)
    model = optimize_for_inference(create_model(name, CLASSES))
    shared, alone = runner(model, batch_size=16), runner(model, batch_size=16, workers=1)
    assert (shared.sizes.threads, alone.sizes.threads) == (2, 1)
    ours, theirs = (outcomes(one, *images(n)) for one in (shared, alone))
    np.testing.assert_array_equal(ours.correct, theirs.correct)
    np.testing.assert_array_equal(ours.predicted, theirs.predicted)
    np.testing.assert_allclose(ours.confidence, theirs.confidence, atol=1e-5)
    np.testing.assert_allclose(ours.brier, theirs.brier, atol=1e-5)


def test_each_thread_has_a_part_of_the_batch_and_computes_alone():
    model = Watched()
    outcomes(runner(model, batch_size=32), *images(70))
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
    outcomes(runner(model, batch_size=1024, image_size=image_size), *images(n))
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

    assert len(list(runner(Counted(), batch_size=16, workers=6).outcomes(load, labels))) == 20
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
    outcomes(runner(network, **options), *images(70))
    assert {call[0] for call in network.calls} == {threading.get_ident()}
    assert {call[2] for call in network.calls} == {threads}
    assert network.calls[0][1] == batch_size


def test_torch_has_as_many_threads_afterwards_as_before():
    outcomes(runner(Watched()), *images(5))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == torch.get_num_threads() == 2


def test_what_fails_in_a_thread_fails_here():
    with pytest.raises(NonFiniteError):
        outcomes(runner(Broken()), *images(64))
    assert torch.get_num_threads() == 2


SIZES = {
    "half a batch for each of two threads": (Watched, settings(64), 2, (32, 32, 2)),
    "one worker loads for all threads": (Watched, settings(64, workers=1), 2, (64, 64, 1)),
    "too few for each of two": (Watched, settings(15), 2, (15, 15, 1)),
    "a network of the user's": (Unknown, settings(64), 2, (64, 64, 1)),
    "LST goes in pieces": (lambda: create_model("lst20", CLASSES), settings(256, workers=1), 2, (256, 32, 1)),
    "LST on threads of its own": (lambda: create_model("lst20", CLASSES), settings(128), 2, (64, 16, 2)),
    "LST in a smaller batch": (lambda: create_model("lst20", CLASSES), settings(8, workers=1), 1, (8, 8, 1)),
}


@pytest.mark.parametrize("what", SIZES)
def test_how_the_images_of_a_cell_are_cut_up(what):
    network, how, threads, sizes = SIZES[what]
    assert Sizes.of(network(), how, 32, threads) == sizes


def test_on_cuda_a_batch_goes_through_whole():
    on_cuda = InferenceSettings(torch.device("cuda"), 256, 4)
    assert Sizes.of(create_model("lst20", CLASSES), on_cuda, 32, 2) == (256, 256, 1)


def test_batches_hold_each_position_once_and_in_order():
    for sizes in (Sizes(7, 7, 1), Sizes(64, 64, 2), Sizes(1, 1, 3)):
        for n in (1, 2, 7, 50, 129):
            batches = sizes.batches(n)
            assert [position for batch in batches for position in batch] == list(range(n))
            assert max(map(len, batches)) <= sizes.loaded
            assert len(batches) >= min(sizes.threads, n)


class Affine(nn.Module):
    """Logits that anybody can compute: the mean of each channel, and its negative."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x.mean((2, 3)), -x.mean((2, 3))], dim=1)


def test_logits_are_those_of_the_normalised_images_and_predictions_are_their_argmax():
    pixels, labels = images(50)
    normalised = (pixels.astype(np.float64) / 255 - 0.5) / 0.25
    means = normalised.mean((1, 2))
    expected = np.concatenate([means, -means], axis=1)
    how = {"classes": 6, "batch_size": 16, "workers": 1}
    np.testing.assert_allclose(runner(Affine(), **how).logits(pixels), expected, atol=1e-5)
    found = outcomes(runner(Affine(), **how), pixels, labels % 6)
    np.testing.assert_array_equal(found.predicted, expected.argmax(1))
    np.testing.assert_array_equal(found.correct, expected.argmax(1) == labels % 6)
    p = np.exp(expected) / np.exp(expected).sum(1, keepdims=True)
    np.testing.assert_allclose(found.confidence, p.max(1), atol=1e-6)


class Infinite(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.full((len(x), CLASSES), torch.inf)


def test_infinite_logits_are_refused_where_they_count():
    with pytest.raises(NonFiniteError):
        outcomes(runner(Infinite()), *images(2))
    assert np.isinf(runner(Infinite()).logits(images(2)[0])).all(), "of the probe images they are an answer"


@pytest.mark.parametrize("width", [(3,), (11,), ()])
def test_a_network_without_one_output_a_class_is_refused(width):
    class Other(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(x), *width)

    with pytest.raises(UsageError, match="one logit a class"):
        outcomes(runner(Other()), *images(4))


def test_a_network_that_returns_no_tensor_is_refused():
    class Pair(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple:
            return x, x

    with pytest.raises(UsageError, match="the network returned a tuple for 4 images"):
        runner(Pair()).logits(images(4)[0])


def test_a_network_that_ends_the_program_is_one_line():
    class Ending(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise SystemExit(0)

    with pytest.raises(UsageError, match=r"the network's code ended the program \(SystemExit: 0\): correct its code"):
        outcomes(runner(Ending()), *images(4))


def test_a_network_that_takes_all_memory_is_said_as_elsewhere():
    class Hungry(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.empty(2**60, dtype=torch.uint8)

    with pytest.raises(MemoryError):
        outcomes(runner(Hungry()), *images(4))


class Small(nn.Module):
    """A network for which only so many images fit into the (imagined) device's memory."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.seen: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(len(x))
        if len(x) > self.room:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return x.flatten(1)[:, :CLASSES]


def test_out_of_memory_halves_the_images_at_a_time_which_is_kept_and_said(said):
    network = Small(4)
    small, large = runner(network, batch_size=9, workers=1), runner(Small(9), batch_size=9, workers=1)
    for _ in range(2):
        found, expected = (outcomes(one, *images(9)) for one in (small, large))
        assert all(np.array_equal(*pair) for pair in zip(found, expected, strict=True))
    assert network.seen == [9, 4, 4, 1, 4, 4, 1]
    assert said() == ["cpu has not enough memory for 9 images at a time: going on with half"]


def test_no_room_for_one_image_is_one_line():
    with pytest.raises(LstRobustError, match="cpu has not enough memory for one image: free some"):
        outcomes(runner(Small(0), workers=1), *images(4))


def test_mixed_precision_is_for_outcomes_and_not_for_the_probe():
    class Typed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.seen = nn.Linear(32 * 32 * 3, CLASSES), []

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits = self.linear(x.flatten(1))
            self.seen.append(logits.dtype)
            return logits

    network = Typed()
    with_amp = runner(network, amp=True, workers=1)
    outcomes(with_amp, *images(4))
    assert with_amp.logits(images(4)[0]).dtype == np.float32
    assert network.seen == [torch.bfloat16, torch.float32]


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
    for register in (register_module_forward_hook, register_module_forward_pre_hook):
        everywhere = register(lambda *_: None)
        try:
            assert not keeps_no_state(Watched())
        finally:
            everywhere.remove()
    assert keeps_no_state(Watched())


def test_asking_for_hooks_leaves_none():
    model = Watched()
    outcomes(runner(model), *images(2))
    assert keeps_no_state(model) and not model._forward_hooks and not model._forward_pre_hooks


@pytest.mark.parametrize("amp", [False, True])
def test_cells_are_classified_in_full_precision_unless_with_amp(monkeypatch, amp):
    """On CUDA float32 would be multiplied as TF32 otherwise."""
    entered = []

    @contextmanager
    def noted(device: torch.device) -> Iterator[None]:
        entered.append(device.type)
        yield

    monkeypatch.setattr(inference, "full_precision", noted)
    pixels, labels = images(4)
    network = runner(Affine(), classes=6, amp=amp, workers=1)
    outcomes(network, pixels, labels % 6)
    assert entered == ([] if amp else ["cpu"])
    network.logits(pixels)
    assert entered[-1:] == ["cpu"], "the probe images always are"
