"""The fused parts of LST-II in training against the plain layers, block by block in float64."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from lst_robust.models.lst.blocks import LSTII, LSTOptions

torch.set_num_threads(1)


def lively(block: nn.Module) -> nn.Module:
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.3, 1)
            nn.init.normal_(module.bias, 0, 0.3)
    return block.train()


def results(block: nn.Module, x: Tensor, dtype: torch.dtype) -> dict[str, Tensor]:
    """Output, gradients and moved statistics of one step; in float64 the kernel does not run."""
    block = copy.deepcopy(block).to(dtype)
    x = x.clone().to(dtype).requires_grad_()
    out = block(x)
    (out * out.detach().cos()).sum().backward()
    gradients = {name: parameter.grad for name, parameter in block.named_parameters()}
    return {"out": out.detach(), "x": x.grad, **gradients, **dict(block.named_buffers())}


@pytest.mark.parametrize(
    ("inputs", "planes", "stride", "groups", "size"),
    [
        (64, 16, 1, 4, (8, 8)),
        (96, 24, 1, 4, (5, 9)),  # a multiple of 8 and not of 16
        (64, 16, 1, 4, (7, 5)),
        (16, 16, 1, 1, (6, 6)),
        (64, 32, 2, 4, (9, 7)),
        (128, 64, 2, 4, (4, 4)),
        (32, 8, 1, 4, (3, 1)),
    ],
)
@pytest.mark.parametrize(
    "options", [{}, {"tau": 0.2}, {"activation": "relu"}, {"spatial_transform": "per_channel"}], ids=str
)
def test_one_step_agrees_with_the_plain_layers(
    inputs: int,
    planes: int,
    stride: int,
    groups: int,
    size: tuple[int, int],
    options: dict,
    width: str,
) -> None:
    torch.manual_seed(0)
    block = lively(LSTII(inputs, planes, stride, LSTOptions(**options), groups))
    x = torch.randn(5, inputs, *size)
    exact, fast = results(block, x, torch.float64), results(block, x, torch.float32)
    assert fast.keys() == exact.keys()
    for name, value in exact.items():
        value = value.double()
        error = (fast[name].double() - value).norm()
        tolerance = 3e-5 if width == "4" else 1e-5  # on x86 these have no fused multiply-add, and so round twice
        assert error <= tolerance * value.norm() + 1e-12, name


def test_the_number_of_threads_changes_nothing(compiled: None) -> None:
    torch.manual_seed(0)
    block = lively(LSTII(32, 16, 2, LSTOptions()))
    x = torch.randn(7, 32, 8, 8)
    alone = results(block, x, torch.float32)
    torch.set_num_threads(3)
    try:
        shared = results(block, x, torch.float32)
    finally:
        torch.set_num_threads(1)
    for name in ("out", "t_s.weight", "shortcut.weight", "bn_s.bias"):
        torch.testing.assert_close(shared[name], alone[name], rtol=1e-5, atol=1e-6)
