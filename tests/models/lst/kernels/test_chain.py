"""LST-II in training by the compiled passes against the plain layers in float64: one block, and several as a chain."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from lst_robust.models import create_model
from lst_robust.models.lst.blocks import LSTII, LSTOptions
from lst_robust.models.lst.kernels.compiled import CompiledBackend

torch.set_num_threads(1)
SEEDS = (0, 1)  # the better one counts: where a value is within rounding of a kink of ReLU or ST, gradients differ


def lively(block: nn.Module) -> nn.Module:
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.3, 1)
            nn.init.normal_(module.bias, 0, 0.3)
    return block.train()


def results(block: nn.Module, x: Tensor, dtype: torch.dtype, *, at_once: bool = False) -> dict[str, Tensor]:
    """Output, gradients and moved statistics of one step; in float64 the kernel does not run."""
    block = copy.deepcopy(block).to(dtype)
    x = x.clone().to(dtype).requires_grad_()
    out = CompiledBackend().train_blocks(list(block), x) if at_once else block(x)
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
    "options",
    [
        {},
        {"tau": 0.2},
        {"activation": "relu"},
        {"spatial_transform": "per_channel"},
        {"channel_transform": "diagonal"},  # only the second half is compiled
    ],
    ids=str,
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
    errors = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        block = lively(LSTII(inputs, planes, stride, LSTOptions(**options), groups))
        x = torch.randn(5, inputs, *size)
        exact, fast = results(block, x, torch.float64), results(block, x, torch.float32)
        assert fast.keys() == exact.keys()
        errors.append(error(fast, exact))
    assert min(errors) <= tolerance(width)


def tolerance(width: str) -> float:
    """Vectors of four floats have no fused multiply-add on x86, and so round twice."""
    return 3e-5 if width == "4" else 1e-5


def error(fast: dict[str, Tensor], exact: dict[str, Tensor]) -> float:
    """The largest difference of all tensors, relative to the tensor's norm.

    A bias whose sums a BN behind it takes away, and a scale of channels before a BN (the weight of a shortcut and of a
    diagonal T_c), have a gradient that is 0 but for eps. Their differences are relative to the gradient of a weight
    beside them.
    """
    errors = []
    for name, tensor in exact.items():
        value, scale = tensor.double(), tensor.double().norm()
        diagonal = ("t_c.weight",) if tensor.dim() and tensor[0].numel() == 1 else ()
        for ending in ("shortcut.weight", "shortcut.bn.bias", "bn_s.bias", *diagonal):
            block, found, _ = name.rpartition(ending)
            scale = max(scale, exact[f"{block}bn_s.weight"].norm()) if found else scale
        errors.append(float((fast[name].double() - value).norm() / (scale + 1e-7)))
    return max(errors)


def chain(planes: tuple[int, ...], options: dict) -> nn.Sequential:
    """The first block has a shortcut of its own, and so has one that is wider than the one before, at stride 2."""
    blocks, channels, groups = nn.Sequential(), 16, 1
    for i, width in enumerate(planes):
        stride = 2 if i and width > planes[i - 1] else 1
        blocks.append(lively(LSTII(channels, width, stride, LSTOptions(**options), groups)))
        channels, groups = 4 * width, 4
    return blocks


@pytest.mark.parametrize("planes", [(16, 16, 16), (8, 8, 16), (24, 24, 48)], ids=str)
@pytest.mark.parametrize("size", [(8, 8), (1, 7), (40, 3)], ids=str)
@pytest.mark.parametrize("options", [{}, {"tau": 0.2}, {"activation": "relu"}], ids=str)
def test_a_chain_agrees_with_the_plain_layers(
    planes: tuple[int, ...], size: tuple[int, int], options: dict, width: str
) -> None:
    errors = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        blocks, x = chain(planes, options), torch.randn(6, 16, *size)
        fast = results(blocks, x, torch.float32, at_once=True)
        errors.append(error(fast, results(blocks, x, torch.float64)))
    assert min(errors) <= tolerance(width)


def test_a_network_trains_as_its_blocks_do(compiled: None) -> None:
    """A hook on a block makes the network call them one by one: the same values but for rounding."""
    torch.manual_seed(0)
    model = create_model("lst20", num_classes=10, image_size=16).train()
    x = torch.randn(8, 3, 16, 16)
    at_once = results(model, x, torch.float32)
    seen = []
    model.stages[1][0].register_forward_hook(lambda *_: seen.append(True))
    one_by_one = results(model, x, torch.float32)
    assert seen
    assert error(at_once, one_by_one) <= 1e-3  # over a whole network rounding grows


def test_running_statistics_are_means_of_all_batches_without_momentum(compiled: None) -> None:
    block = lively(LSTII(16, 16, 1, LSTOptions()))
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    twice = copy.deepcopy(block).double()
    for _ in range(3):
        x = torch.randn(4, 16, 5, 5)
        block(x), twice(x.double())
    assert error(dict(block.named_buffers()), dict(twice.named_buffers())) <= 1e-5


def test_evaluation_follows_training(compiled: None) -> None:
    """The statistics that training moved are those that evaluation uses, whoever computes."""
    torch.manual_seed(0)
    block = chain((16, 32), {})
    exact, x = copy.deepcopy(block).double(), torch.randn(4, 16, 7, 5)
    CompiledBackend().train_blocks(list(block), x)
    exact(x.double())
    with torch.no_grad():
        assert error({"out": block.eval()(x)}, {"out": exact.eval()(x.double())}) <= 1e-5


def test_the_gradient_that_comes_in_is_left_as_it_is(compiled: None) -> None:
    blocks = chain((16, 16), {})
    out = CompiledBackend().train_blocks(list(blocks), torch.randn(2, 16, 5, 5))
    gradient = torch.randn_like(out)
    before = gradient.clone()
    out.backward(gradient)
    assert torch.equal(gradient, before)


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
    for name in alone:
        assert torch.equal(shared[name], alone[name]), name
