"""LST-II in training by the compiled passes against the plain layers in float64: one block, and several as a chain."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lst_robust.models import create_model
from lst_robust.models.lst.blocks import LSTII, LSTOptions
from lst_robust.models.lst.kernels.compiled import CompiledBackend
from lst_robust.models.lst.transforms import SoftThreshold

torch.set_num_threads(1)
MANY = 33  # images of which the kernels take several at a time where they are small, and one is left over


def lively(block: nn.Module) -> nn.Module:
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.3, 1)
            nn.init.normal_(module.bias, 0, 0.3)
    return block.train()


Run = Callable[[nn.Module, Tensor], Tensor | None]


def by_layers(block: nn.Module, x: Tensor) -> Tensor:
    return block(x)


def by_kernels(block: nn.Module, x: Tensor) -> Tensor | None:
    return CompiledBackend().train_block(block, x)


def at_once(blocks: nn.Module, x: Tensor) -> Tensor | None:
    return CompiledBackend().train_blocks(list(blocks), x)


def results(block: nn.Module, x: Tensor, dtype: torch.dtype, run: Run) -> dict[str, Tensor]:
    """Output, gradients and moved statistics of one step; in float64 the kernel does not run."""
    block = copy.deepcopy(block).to(dtype)
    x = x.clone(memory_format=torch.preserve_format).to(dtype).requires_grad_()
    out = run(block, x)
    assert out is not None, "the kernels do not take it"
    (out * out.detach().cos()).sum().backward()
    gradients = {name: parameter.grad for name, parameter in block.named_parameters()}
    return {"out": out.detach(), "x": x.grad, **gradients, **dict(block.named_buffers())}


def away_from_kinks(make: Callable[[], nn.Module], *shape: int) -> tuple[nn.Module, Tensor]:
    """A block and images with no value within rounding of a kink of ReLU or ST, where gradients jump."""
    for seed in range(100):
        torch.manual_seed(seed)
        block, x = make(), torch.randn(shape)
        if distance_to_kinks(block, x) > 2e-6:
            return block, x
    raise AssertionError("all drawings have a value at a kink")


def distance_to_kinks(block: nn.Module, x: Tensor) -> float:
    """The least of all values that ReLU and ST are given, in float64."""
    block, distances = copy.deepcopy(block).double(), [1.0]

    def note(layer: nn.Module, inputs: tuple[Tensor]) -> None:
        kink = layer.tau if isinstance(layer, SoftThreshold) else 0.0
        distances.append(float((inputs[0].abs() - kink).abs().min()))

    for layer in block.modules():
        if isinstance(layer, (nn.ReLU, SoftThreshold)):
            layer.register_forward_pre_hook(note)
    with torch.no_grad():
        block(x.double())
    return min(distances)


@pytest.mark.parametrize(
    ("inputs", "planes", "stride", "groups", "size", "images"),
    [
        (64, 16, 1, 4, (8, 8), 5),
        (96, 24, 1, 4, (5, 9), 5),  # a multiple of 8 and not of 16
        (64, 16, 1, 4, (7, 5), 5),
        (16, 16, 1, 1, (6, 6), 5),
        (64, 32, 2, 4, (9, 7), 5),
        (128, 64, 2, 4, (4, 4), 5),
        (32, 8, 1, 4, (3, 1), 5),
        (64, 16, 1, 4, (4, 4), MANY),
        (64, 32, 2, 4, (4, 4), MANY),
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
    images: int,
    options: dict,
    width: str,
) -> None:
    block, x = away_from_kinks(
        lambda: lively(LSTII(inputs, planes, stride, LSTOptions(**options), groups)), images, inputs, *size
    )
    exact, fast = results(block, x, torch.float64, by_layers), results(block, x, torch.float32, by_kernels)
    assert fast.keys() == exact.keys()
    assert error(fast, exact) <= tolerance(width)


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
        assert fast[name].isfinite().all() and tensor.isfinite().all(), name  # max() would pass over a NaN
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
@pytest.mark.parametrize(
    ("size", "images"), [((8, 8), 6), ((1, 7), 6), ((40, 3), 6), ((4, 4), MANY)], ids=["8x8", "1x7", "40x3", "many"]
)
@pytest.mark.parametrize("options", [{}, {"tau": 0.2}, {"activation": "relu"}], ids=str)
def test_a_chain_agrees_with_the_plain_layers(
    planes: tuple[int, ...], size: tuple[int, int], images: int, options: dict, width: str
) -> None:
    blocks, x = away_from_kinks(lambda: chain(planes, options), images, 16, *size)
    fast, exact = results(blocks, x, torch.float32, at_once), results(blocks, x, torch.float64, by_layers)
    assert error(fast, exact) <= tolerance(width)


def test_a_network_trains_as_its_blocks_do(compiled: None) -> None:
    """A hook on a block makes the network call them one by one: the same values but for rounding."""
    torch.manual_seed(0)
    model = create_model("lst20", num_classes=10, image_size=16).train()
    x = torch.randn(8, 3, 16, 16)
    together = results(model, x, torch.float32, by_layers)
    seen = []
    model.stages[1][0].register_forward_hook(lambda *_: seen.append(True))
    one_by_one = results(model, x, torch.float32, by_layers)
    assert seen
    assert error(together, one_by_one) <= 1e-3  # over a whole network rounding grows


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


@pytest.mark.parametrize(("size", "images"), [((8, 8), 7), ((4, 4), MANY)], ids=["some", "many"])
def test_the_number_of_threads_changes_nothing(size: tuple[int, int], images: int, compiled: None) -> None:
    torch.manual_seed(0)
    block = lively(LSTII(32, 16, 2, LSTOptions()))
    x = torch.randn(images, 32, *size)
    alone = results(block, x, torch.float32, by_kernels)
    torch.set_num_threads(3)
    try:
        shared = results(block, x, torch.float32, by_kernels)
    finally:
        torch.set_num_threads(1)
    for name in alone:
        assert torch.equal(shared[name], alone[name]), name


def test_the_layout_of_images_changes_nothing(compiled: None) -> None:
    torch.manual_seed(0)
    block, wide = lively(LSTII(32, 16, 2, LSTOptions())), torch.randn(4, 64, 10, 10)
    x = wide[:, 16:48, 1:9, 2:10]
    expected = results(block, x.contiguous(), torch.float32, by_kernels)
    for other in (x, x.contiguous(memory_format=torch.channels_last), x.transpose(2, 3).contiguous().transpose(2, 3)):
        found = results(block, other, torch.float32, by_kernels)
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_graph_that_is_kept_gives_the_same_gradients_again(compiled: None) -> None:
    blocks = chain((16, 32), {})
    x = torch.randn(4, 16, 6, 6).requires_grad_()
    loss = at_once(blocks, x).square().sum()
    first = torch.autograd.grad(loss, [x, *blocks.parameters()], retain_graph=True)
    second = torch.autograd.grad(loss, [x, *blocks.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_frozen_parameters_have_no_gradient_and_the_others_have_theirs(compiled: None) -> None:
    torch.manual_seed(0)
    blocks, x = chain((16, 32), {}), torch.randn(4, 16, 6, 6)
    expected = results(blocks, x, torch.float32, at_once)
    for name, parameter in blocks.named_parameters():
        parameter.requires_grad_(not name.startswith("0.") and "t_s" not in name)
    found = results(blocks, x, torch.float32, at_once)
    for name, parameter in blocks.named_parameters():
        assert torch.equal(found[name], expected[name]) if parameter.requires_grad else found[name] is None


def test_without_gradients_the_statistics_move_all_the_same(compiled: None) -> None:
    torch.manual_seed(0)
    blocks, x = chain((16, 32), {}), torch.randn(4, 16, 6, 6)
    twin = copy.deepcopy(blocks)
    expected = at_once(blocks, x)
    with torch.no_grad():
        found = at_once(twin, x)
    assert torch.equal(found, expected) and not found.requires_grad
    for one, other in zip(blocks.buffers(), twin.buffers(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(("mean", "most"), [(0, 1e-5), (30, 5e-3), (100, 5e-2)])
def test_a_mean_far_from_0_costs_digits_of_the_variance(mean: float, most: float, compiled: None) -> None:
    """docs/lst-kernels.md says how many: the variance is the mean of squares minus the square of the mean."""
    torch.manual_seed(0)
    x = (torch.randn(32, 16, 16, 16) + mean).contiguous(memory_format=torch.channels_last)
    sums = torch.ops.lst_robust.sums(x)
    ones = torch.ones(16)
    found = torch.ops.lst_robust.batch_norm(sums, 32 * 16 * 16, ones, ones, 1e-5)[0][1]
    exact = x.double().var((0, 2, 3), unbiased=False)
    assert ((found - exact).abs() / exact).max() <= most
