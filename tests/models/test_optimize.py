"""Every faster path gives what the trained network gives."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from lst_robust.models import create_model, optimize_for_inference
from lst_robust.models.lst.blocks import LSTI, LSTII, LSTOptions
from lst_robust.models.lst.folded import InferenceLSTI, InferenceLSTII
from lst_robust.models.lst.kernels import building, fused

torch.set_num_threads(1)
needs_kernel = pytest.mark.skipif(building.library() is None, reason="no C++ compiler, or LST_ROBUST_KERNELS=plain")


def lively(model: nn.Module) -> nn.Module:
    """In evaluation mode, with BN statistics and weights that are not the initial ones."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            nn.init.uniform_(module.weight, 0.3, 1, generator=generator)
            nn.init.normal_(module.bias, 0, 0.2, generator=generator)
    return model.eval()


def assert_same(fast: Tensor, plain: Tensor) -> None:
    assert (fast - plain).norm() <= 1e-5 * plain.norm()
    torch.testing.assert_close(fast, plain, rtol=1e-4, atol=1e-5 * float(plain.abs().max()))


@pytest.mark.parametrize(
    "kernel", [pytest.param("widest", marks=needs_kernel), pytest.param("8", marks=needs_kernel), ""]
)
@pytest.mark.parametrize(
    ("inputs", "planes", "stride", "groups", "size"),
    [
        (16, 16, 1, 1, (8, 8)),
        (64, 16, 1, 4, (9, 7)),
        (64, 32, 2, 4, (9, 7)),
        (128, 64, 2, 4, (8, 6)),
        (640, 160, 1, 4, (3, 5)),
        (32, 8, 1, 4, (4, 4)),  # a multiple of 8 and not of 16
        (48, 12, 1, 4, (4, 4)),  # nor of 8: torch
        (64, 16, 1, 4, (1, 1)),
    ],
)
@pytest.mark.parametrize("tau", [1e-4, 0.3, 0.0])
def test_lst_ii_for_inference(
    inputs: int,
    planes: int,
    stride: int,
    groups: int,
    size: tuple[int, int],
    tau: float,
    kernel: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if kernel == "8":
        monkeypatch.setattr(fused, "lanes", lambda _: 8)
    torch.manual_seed(0)
    block = lively(LSTII(inputs, planes, stride, LSTOptions(tau=tau), groups))
    fast = InferenceLSTII(block)
    fast.fusible &= kernel != ""
    x = torch.randn(3, inputs, *size)
    with torch.no_grad():
        plain = block(x)
        assert_same(fast(x.clone(memory_format=torch.channels_last)), plain)


@needs_kernel
@pytest.mark.parametrize("threads", [2, 5])
def test_threads_share_the_images(threads: int) -> None:
    block = lively(LSTII(64, 16, 1, LSTOptions(), 4))
    fast = InferenceLSTII(block)
    x = torch.randn(7, 64, 8, 8).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        alone = fast(x.clone())
        torch.set_num_threads(threads)
        try:
            assert torch.equal(fast(x.clone()), alone)
        finally:
            torch.set_num_threads(1)


@pytest.mark.parametrize(
    "options",
    [
        {"spatial_transform": "per_channel"},
        {"channel_transform": "diagonal"},
        {"activation": "relu"},
        {"activation": "elu"},
        {"a": 1},
        {"a": 3},
    ],
)
def test_every_variant_of_lst_ii(options: dict) -> None:
    torch.manual_seed(0)
    block = lively(LSTII(32, 32, 2, LSTOptions(**options)))
    x = torch.randn(2, 32, 8, 8)
    with torch.no_grad():
        assert_same(InferenceLSTII(block)(x), block(x))


@pytest.mark.parametrize(("inputs", "stride", "size"), [(16, 1, 3), (8, 2, 3), (16, 1, 5)])
def test_lst_i_for_inference(inputs: int, stride: int, size: int) -> None:
    torch.manual_seed(0)
    block = lively(LSTI(inputs, 16, stride, LSTOptions(), size))
    x = torch.randn(2, inputs, 8, 8)
    with torch.no_grad():
        assert_same(InferenceLSTI(block)(x), block(x))


@pytest.mark.parametrize(
    "name", ["lst20", "lst20-i", "lst18", "lst18-relu", "resnet20", "preact20", "cbam20", "shiftresnet20", "lst-b"]
)
def test_whole_networks_and_batches_in_chunks(name: str) -> None:
    torch.manual_seed(0)
    model = lively(create_model(name, num_classes=4, image_size=32))
    before = copy.deepcopy(model.state_dict())
    fast = optimize_for_inference(model)
    images = torch.randn(19, 3, 32, 32)  # more than one chunk, and an uneven last one
    with torch.no_grad():
        plain = model(images)
        assert_same(fast(images), plain)
    assert fast.config == model.config
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules()) or name == "preact20"


def test_without_the_kernel_everything_runs_in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "library", lambda: None)
    model = lively(create_model("lst20"))
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert_same(optimize_for_inference(model)(images), model(images))


@needs_kernel
def test_bfloat16_goes_by_torch() -> None:
    model = optimize_for_inference(lively(create_model("lst20")))
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        full = model(images)
        with torch.autocast("cpu", torch.bfloat16):
            half = model(images).float()
    assert (half - full).norm() <= 2e-2 * full.norm()


@pytest.mark.parametrize("make", [lambda model: model, lambda model: torch.jit.script(model.eval())])
def test_what_cannot_be_folded_computes_the_same(make):
    torch.manual_seed(0)
    unusual = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False))  # statistics of the batch
    model = make(unusual)
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(optimize_for_inference(model)(x), unusual.eval()(x))
