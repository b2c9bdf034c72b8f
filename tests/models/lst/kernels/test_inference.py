"""The compiled bottleneck for inference against the trained block in plain torch."""

from __future__ import annotations

import copy

import pytest
import torch

from lst_robust.models import create_model, optimize_for_inference
from lst_robust.models.lst.blocks import LSTII, LSTOptions
from lst_robust.models.lst.folded import InferenceLSTII
from lst_robust.models.lst.kernels.inference import can_compile

torch.set_num_threads(1)
SHAPES = [
    (16, 16, 1, 1, (8, 8)),
    (64, 16, 1, 4, (9, 7)),
    (64, 32, 2, 4, (9, 7)),
    (128, 64, 2, 4, (8, 6)),
    (640, 160, 1, 4, (3, 5)),
    (32, 8, 1, 4, (4, 4)),  # a multiple of 8 and not of 16
    (64, 16, 1, 4, (1, 1)),
]


@pytest.mark.parametrize(("inputs", "planes", "stride", "groups", "size"), SHAPES)
@pytest.mark.parametrize("options", [{}, {"tau": 0.3}, {"tau": 0.0}, {"channel_transform": "diagonal"}], ids=str)
def test_it_gives_the_blocks_output(inputs, planes, stride, groups, size, options, width, trained, assert_same) -> None:
    torch.manual_seed(0)
    block = trained(LSTII(inputs, planes, stride, LSTOptions(**options), groups))
    fast = InferenceLSTII(block)
    x = torch.randn(3, inputs, *size)
    assert fast.compiled is not None and fast.compiled.takes(x)
    with torch.no_grad():
        plain = block(x)
        assert_same(fast(x.clone(memory_format=torch.channels_last)), plain)


@pytest.mark.parametrize(("planes", "options"), [(12, {}), (16, {"a": 1}), (16, {"activation": "elu"})])
def test_other_forms_are_left_to_torch(planes: int, options: dict) -> None:
    block = InferenceLSTII(LSTII(planes, planes, 1, LSTOptions(**options)).eval())
    assert not can_compile(block)
    assert block.compiled is None


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_share_the_images(compiled, trained, threads: int) -> None:
    fast = InferenceLSTII(trained(LSTII(64, 16, 1, LSTOptions(), 4)))
    x = torch.randn(7, 64, 8, 8).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        alone = fast(x.clone())
        torch.set_num_threads(threads)
        try:
            assert torch.equal(fast(x.clone()), alone)
        finally:
            torch.set_num_threads(1)


def test_no_images(compiled, trained) -> None:
    fast = InferenceLSTII(trained(LSTII(64, 16, 2, LSTOptions(), 4)))
    assert fast(torch.empty(0, 64, 8, 8)).shape == (0, 64, 4, 4)


def test_a_gradient_goes_by_torch(compiled, trained, assert_same) -> None:
    block = trained(LSTII(64, 16, 1, LSTOptions(), 4))
    results = []
    for module in (block, InferenceLSTII(block)):
        x = torch.linspace(-1, 1, 2 * 64 * 25).reshape(2, 64, 5, 5).requires_grad_()
        module(x).square().sum().backward()
        results.append(x.grad)
    assert_same(results[1], results[0])


def test_bfloat16_goes_by_torch(compiled, trained) -> None:
    model = optimize_for_inference(trained(create_model("lst20")))
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        full = model(images)
        with torch.autocast("cpu", torch.bfloat16):
            half = model(images).float()
    assert (half - full).norm() <= 2e-2 * full.norm()


def test_a_copy_computes_the_same_and_shares_nothing(compiled, trained) -> None:
    fast = InferenceLSTII(trained(LSTII(64, 16, 1, LSTOptions(), 4)))
    x = torch.randn(2, 64, 5, 5).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        expected = fast(x.clone())
        twin = copy.deepcopy(fast)
        fast.compiled.weights[0].zero_()
        assert torch.equal(twin(x.clone()), expected)
