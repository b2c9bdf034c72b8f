"""Steps: on the CPU those of earlier releases; on a device the same ones, without waiting for it."""

from __future__ import annotations

import copy
from contextlib import nullcontext

import pytest
import torch
from torch import distributed, nn
from torch.nn import functional as F

from lst_robust.errors import LstRobustError, NonFiniteError
from lst_robust.models.preprocess import Preprocess
from lst_robust.runtime.process_group import Ranks
from lst_robust.runtime.progress import Silent
from lst_robust.runtime.resources import Resources
from lst_robust.training import trainer as trainer_module
from lst_robust.training.batches import Plan
from lst_robust.training.feeds import Batch, HostFeed, epoch_seed, feed_of
from lst_robust.training.meter import SlowMeter
from lst_robust.training.state import TrainingState
from lst_robust.training.trainer import Trainer
from tests.training.conftest import PIXELS, RECIPE, same_weights, small_network, trained

CPU, META = torch.device("cpu"), torch.device("meta")


def plainly(model: nn.Module, source, recipe) -> list[tuple[float, float]]:
    """The training loop of release 0.2, with nothing around it: (loss, error) of each epoch."""
    plan = Plan.of(recipe, len(source))
    model.to(memory_format=torch.channels_last)
    feed = HostFeed(source, recipe, plan, Preprocess(PIXELS.mean, PIXELS.std, CPU), 1, Ranks())
    state = TrainingState.create(model, recipe, plan.steps_per_epoch, plan.total_steps, CPU)
    log = []
    for epoch in range(plan.epochs):
        losses, wrong, seen = 0.0, 0, 0
        model.train()
        torch.manual_seed(epoch_seed(recipe.seed, epoch) + 1)
        for n, images, labels in feed.epoch(epoch):
            parts = max(1, min(recipe.accumulate, len(labels) // 2))
            totals = torch.zeros(2, dtype=torch.float64)
            for some, answers in zip(images.tensor_split(parts), labels.tensor_split(parts), strict=True):
                logits = model(some)
                loss = F.cross_entropy(logits, answers, label_smoothing=recipe.label_smoothing)
                (loss * (len(answers) / n)).backward()
                totals[0] += loss.detach().double() * len(answers)
                totals[1] += (logits.argmax(1) != answers).sum()
            state.optimizer.step()
            state.scheduler.step()
            state.optimizer.zero_grad(set_to_none=True)
            losses, wrong, seen = losses + float(totals[0]), wrong + int(totals[1]), seen + n
        log.append((losses / seen, 100 * wrong / seen))
    return log


CHANGES = [
    {},
    {"schedule": "multistep", "milestones": (1, 2), "optimizer": "sgd", "label_smoothing": 0.1},
    {"drop_last": False, "accumulate": 3},
]


def columns(log: str) -> list[list[str]]:
    """Loss and error of each epoch."""
    return [line.split(",")[1:3] for line in log.splitlines()[1:]]


@pytest.mark.parametrize("changes", CHANGES)
def test_on_the_cpu_it_is_the_loop_of_earlier_releases(source, tmp_path, changes):
    recipe = RECIPE.changed(changes)
    expected, model = small_network(), small_network()
    with torch.random.fork_rng():
        log = plainly(expected, source, recipe)
    found = trained(model, source, tmp_path, recipe).log
    assert same_weights(model, expected)
    assert columns(found) == [[f"{value:.6g}" for value in line] for line in log]


@pytest.mark.parametrize("free", [2**30, 0], ids=["resident", "sent"])
@pytest.mark.parametrize("changes", CHANGES)
def test_a_device_takes_the_same_steps(source, tmp_path, as_device, free, changes):
    recipe = RECIPE.changed(changes | {"evaluate_every": 1, "keep": "best"})
    on_cpu, on_device = small_network(), small_network()
    expected = trained(on_cpu, source, tmp_path / "cpu", recipe, test=source)
    as_device(free)
    found = trained(on_device, source, tmp_path / "device", recipe, test=source)
    assert same_weights(on_device, on_cpu)
    assert columns(found.log) == columns(expected.log)
    assert found.best["test_error"] == expected.best["test_error"]


class Counts(Silent):
    def __init__(self) -> None:
        self.calls: list[float] = []
        self.status = ""

    def advance(self, steps: float = 1, status: str = "") -> None:
        self.calls.append(steps)
        self.status = status


def test_sums_are_read_a_few_times_and_progress_is_complete(source, tmp_path, as_device, monkeypatch):
    each, now_and_then, readings = Counts(), Counts(), []
    recipe = RECIPE.changed({"batch_size": 2, "epochs": 2})
    trained(small_network(), source, tmp_path / "1", recipe, observer=each)
    as_device()
    read = SlowMeter._values
    monkeypatch.setattr(SlowMeter, "_values", lambda self, sums: readings.append(1) or read(self, sums))
    trained(small_network(), source, tmp_path / "2", recipe, observer=now_and_then)
    assert each.calls == [1] * 70 and sum(now_and_then.calls) == 70
    assert len(readings) == len(now_and_then.calls) < 20
    assert each.status.rpartition(",")[0] == now_and_then.status.rpartition(",")[0]
    assert each.status.startswith("epoch 2/2, loss ")


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_nothing_is_read_from_the_device_but_the_meters_sums(source, as_device, monkeypatch, optimizer):
    """A tensor on torch's device `meta` has no values, so that whoever reads one fails."""
    as_device()
    monkeypatch.setattr(SlowMeter, "_values", lambda self, sums: [1.0, 0.0, 0.01])
    recipe = RECIPE.changed({"optimizer": optimizer, "accumulate": 2, "label_smoothing": 0.1})
    plan, model = Plan.of(recipe, len(source)), small_network().to(META)
    feed = feed_of(source, recipe, plan, Preprocess(PIXELS.mean, PIXELS.std, META), 2, Ranks())
    state = TrainingState.create(model, recipe, plan.steps_per_epoch, plan.total_steps, META)
    line = Trainer(state, feed, recipe, Resources(META, 2), Ranks()).epoch(0, Silent())
    assert feed.resident.device == META and line["epoch"] == 1
    with pytest.raises(RuntimeError, match="meta"):
        next(iter(feed.epoch(0))).labels.tolist()


class Explodes(nn.Module):
    def __init__(self, after: int) -> None:
        super().__init__()
        self.inner, self.left = small_network(), after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.left -= 1
        return self.inner(x) * (1.0 if self.left >= 0 else float("nan"))


def test_a_loss_that_is_no_number_is_found_before_the_epoch_is_kept(source, tmp_path, as_device, monkeypatch):
    as_device()
    monkeypatch.setattr(SlowMeter, "_read", read_at_the_end(SlowMeter._read))
    with pytest.raises(NonFiniteError, match=r"the loss became nan in epoch 2; lower the recipe's lr"):
        trained(Explodes(after=4 + 2), source, tmp_path)
    kept = torch.load(tmp_path / "a.resume", weights_only=True)
    assert [line["epoch"] for line in kept["log"]] == [1]
    assert all(value.isfinite().all() for value in kept["model"].values())


def read_at_the_end(read):
    """A meter that reads once an epoch, as on a device that is much quicker than this one."""

    def changed(self) -> None:
        if self._batches == 4:
            read(self)
        else:
            self._next = 4

    return changed


class Fails(nn.Module):
    """As a device does after some batches, in the way that torch tells it."""

    def __init__(self, error: Exception, after: int = 6) -> None:
        super().__init__()
        self.inner, self.left, self.error = small_network(), after, error

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.left -= 1
        if self.left < 0:
            raise self.error
        return self.inner(x)


NO_MEMORY = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has ...")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "batches of 16 images: free some, or train in more parts (lst-robust train --accumulate 2)"),
        (
            {"accumulate": 4},
            "batches of 16 images in 4 parts: free some, or train in more parts (lst-robust train --accumulate 8)",
        ),
        (
            {"accumulate": 8},
            "batches of 16 images in 8 parts: free some, or train in smaller batches (lst-robust train --batch-size 8)",
        ),
    ],
)
def test_lack_of_memory_is_one_line_and_keeps_what_is_done(source, tmp_path, as_device, changes, words):
    as_device()
    recipe = RECIPE.changed(changes)
    with pytest.raises(LstRobustError) as raised:
        trained(Fails(NO_MEMORY, after=6 * recipe.accumulate), source, tmp_path, recipe)
    assert str(raised.value) == f"cpu has not enough memory for {words}; finished epochs are kept"
    assert raised.value.exit_code == 3
    assert (tmp_path / "a.resume").is_file()


def test_a_device_that_vanishes_is_one_line_and_the_training_goes_on_later(source, tmp_path, as_device):
    as_device()
    kind = getattr(torch, "AcceleratorError", RuntimeError)
    model = Fails(kind("CUDA error: unspecified launch failure\nCUDA kernel errors might be ..."))
    with pytest.raises(LstRobustError) as raised:
        trained(model, source, tmp_path)
    assert str(raised.value) == (
        "cpu does not answer any more (CUDA error: unspecified launch failure): finished epochs are kept; start the "
        "command again to go on"
    )
    again, whole = Fails(ValueError(), after=100), Fails(ValueError(), after=100)
    trained(again, source, tmp_path)
    trained(whole, source, tmp_path / "whole")
    assert same_weights(again, whole)


def test_other_errors_of_a_network_stay_what_they_are(source, tmp_path):
    with pytest.raises(ZeroDivisionError):
        trained(Fails(ZeroDivisionError()), source, tmp_path)


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_half_precision_learns_the_same(source, tmp_path, amp):
    recipe = RECIPE.changed({"epochs": 12})
    full, half = small_network(), small_network()
    expected = columns(trained(full, source, tmp_path / "1", recipe).log)
    found = columns(trained(half, source, tmp_path / "2", recipe, amp=amp).log)
    assert not same_weights(full, half)
    assert all(parameter.dtype is torch.float32 for parameter in half.parameters())
    assert float(found[-1][0]) == pytest.approx(float(expected[-1][0]), rel=0.15)


@pytest.mark.parametrize(("amp", "dtype"), [("auto", torch.float32), ("no", torch.float32), ("bf16", torch.bfloat16)])
def test_autocast_is_around_the_network_and_not_around_its_gradients(source, tmp_path, amp, dtype):
    seen = []

    class Looks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = small_network()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits = self.inner(x)
            seen.append(logits.dtype)
            logits.register_hook(lambda gradient: seen.append(torch.is_autocast_enabled("cpu")))
            return logits

    trained(Looks(), source, tmp_path, RECIPE.changed({"epochs": 1}), amp=amp)
    assert set(seen) == {dtype, False}


def test_gradients_lie_in_their_buckets_on_cuda_only(monkeypatch):
    asked = []
    monkeypatch.setattr(trainer_module, "DistributedDataParallel", lambda model, **options: asked.append(options))
    for device in ("cpu", "cuda"):
        trainer_module._shared(nn.Linear(2, 2), torch.device(device))
    assert asked == [{"gradient_as_bucket_view": False}, {"gradient_as_bucket_view": True}]


@pytest.fixture
def one_of_two(source, monkeypatch):
    """one_of_two(rank, model, recipe): the trainer of one of two processes, whose fellow is not there."""

    class Shared(nn.Module):
        no_sync = staticmethod(nullcontext)

        def __init__(self, model: nn.Module) -> None:
            super().__init__()
            self.forward = model.forward

    monkeypatch.setattr(trainer_module, "_shared", lambda model, device: Shared(model))
    monkeypatch.setattr(distributed, "all_reduce", lambda tensor: None)
    monkeypatch.setattr(distributed, "broadcast", lambda tensor, rank: None)

    def made(rank: int, model: nn.Module, recipe) -> Trainer:
        ranks, plan = Ranks(rank, 2), Plan.of(recipe, len(source), 2)
        state = TrainingState.create(model, recipe, plan.steps_per_epoch, plan.total_steps, CPU)
        feed = HostFeed(source, recipe, plan, Preprocess(PIXELS.mean, PIXELS.std, CPU), 1, ranks)
        return Trainer(state, feed, recipe, Resources(CPU, 1), ranks)

    return made


@pytest.mark.parametrize(("n", "parts"), [(7, 1), (8, 2), (15, 3), (16, 4), (17, 4)])
def test_all_processes_cut_their_shares_into_as_many_parts(one_of_two, n, parts):
    """SyncBatchNorm waits in each part for all of them."""
    calls = []
    for rank in (0, 1):
        model = small_network()
        model.register_forward_pre_hook(lambda module, inputs, rank=rank: calls.append(rank))
        share = len(range(n)[rank::2])
        batch = Batch(n, torch.rand(share, 3, 16, 16), torch.zeros(share, dtype=torch.int64))
        trainer = one_of_two(rank, model, RECIPE.changed({"accumulate": 4}))
        trainer.network = model
        trainer._gradients(batch)
    assert [calls.count(rank) for rank in (0, 1)] == [parts, parts]


def test_after_an_epoch_each_process_has_the_buffers_of_the_first(one_of_two, monkeypatch):
    def of_rank_0(tensor: torch.Tensor, rank: int) -> None:
        assert rank == 0 and tensor.is_contiguous()
        tensor.fill_(7)

    monkeypatch.setattr(distributed, "broadcast", of_rank_0)
    model = small_network()
    model.register_buffer("maps", torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last), persistent=False)
    one_of_two(1, model, RECIPE).epoch(0, Silent())
    assert len(list(model.buffers())) == 4 and all((buffer == 7).all() for buffer in model.buffers())
    assert model[0].weight.abs().max() < 7


def test_copies_are_equal_so_that_these_tests_can_fail():
    one = small_network()
    other = copy.deepcopy(one)
    assert same_weights(one, other)
    other[0].bias.data[0] += 1
    assert not same_weights(one, other)
