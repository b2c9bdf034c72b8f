"""What the passes of training leave to the plain layers: the values and errors are those of plain torch then."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.nn.utils import parametrize, prune, spectral_norm
from torch.nn.utils.parametrizations import weight_norm

from lst_robust.models.lst.blocks import LSTII, GroupedShortcut, LSTOptions
from lst_robust.models.lst.kernels import compiled as module_of_backend
from lst_robust.models.lst.kernels.compiled import CompiledBackend
from lst_robust.models.lst.networks import LSTNet

torch.set_num_threads(1)
pytestmark = pytest.mark.usefixtures("compiled")


class Doubled(LSTII):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class DoubledStage(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class Halved(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight / 2


def network() -> LSTNet:
    torch.manual_seed(0)
    options = LSTOptions(tau=1e-3)
    model = LSTNet([2, 1], [16, 16], num_classes=3, stem="3x3s1", stem_width=16, handler=True, options=options)
    return model.train()


def replaced(name: str, layer: Callable[[], nn.Module]) -> Callable[[LSTNet], object]:
    return lambda model: setattr(model.stages[0][1], name, layer())


def expand_weight(model: LSTNet) -> None:
    model.stages[0][1].bn_r.weight = nn.Parameter(torch.tensor([0.7]).expand(16), requires_grad=False)


def repeat_block(model: LSTNet) -> None:
    model.stages[0] = nn.Sequential(*model.stages[0], model.stages[0][1])


def subclass_stage(model: LSTNet) -> None:
    model.stages[0] = DoubledStage(*model.stages[0])


def subclass_block(model: LSTNet) -> None:
    model.stages[0][1] = Doubled(64, 16, 1, LSTOptions(), 4)


CHANGES: dict[str, Callable[[LSTNet], object]] = {
    "another shortcut": replaced("shortcut", lambda: nn.Conv2d(64, 64, 1, bias=False)),
    "another threshold": replaced("threshold", nn.Tanh),
    "another norm": replaced("bn_s", lambda: nn.GroupNorm(4, 64)),
    "a norm without weights": replaced("bn_c", lambda: nn.BatchNorm2d(16, affine=False)),
    "a norm with one weight": expand_weight,
    "T_r with a bias": replaced("t_r", lambda: nn.Conv2d(64, 16, 1)),
    "T_c in groups": replaced("t_c", lambda: nn.Conv2d(16, 16, 1, groups=4, bias=False)),
    "T_c with a kernel": replaced("t_c", lambda: nn.Conv2d(16, 16, 3, padding=1, bias=False)),
    "a block of another class": subclass_block,
    "a stage of another class": subclass_stage,
    "a block that is called twice": repeat_block,
    "pruned T_r": lambda model: prune.l1_unstructured(model.stages[0][0].t_r, "weight", 0.5),
    "pruned T_s": lambda model: prune.random_unstructured(model.stages[1][0].t_s, "weight", 0.3),
    "spectral norm": lambda model: spectral_norm(model.stages[0][0].t_c),
    "weight norm": lambda model: weight_norm(model.stages[0][0].t_r),
    "parametrised T_s": lambda model: parametrize.register_parametrization(model.stages[0][0].t_s, "weight", Halved()),
    "a hook": lambda model: model.stages[0][1].bn_c.register_forward_hook(lambda _, inputs, out: 2 * out),
    "a hook before": lambda model: model.stages[1][0].shortcut.bn.register_forward_pre_hook(lambda _, x: (2 * x[0],)),
    "a hook behind": lambda model: model.stages[0][1].t_c.register_full_backward_hook(lambda _, g, of: (3 * g[0],)),
}


def two_steps(change: Callable[[LSTNet], object]) -> dict[str, Tensor]:
    """The second step's output, and what was learnt."""
    model = network()
    change(model)
    optimiser = torch.optim.SGD(model.parameters(), 0.01)
    torch.manual_seed(1)
    images = torch.randn(6, 3, 8, 8)
    for _ in range(2):
        out = model(images)
        optimiser.zero_grad()
        (out * out.detach().cos()).sum().backward()
        optimiser.step()
    return {"out": out.detach(), **{name: tensor.detach() for name, tensor in model.state_dict().items()}}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_changed_network_trains_as_in_plain_torch(
    change: Callable[[LSTNet], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = two_steps(change)
    monkeypatch.setenv("LST_ROBUST_LST_KERNELS", "plain")
    plain = two_steps(change)
    assert fast.keys() == plain.keys()
    for name, tensor in plain.items():
        torch.testing.assert_close(fast[name], tensor, rtol=1e-3, atol=1e-4, msg=name)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many blocks each call of the chain had."""
    calls: list[int] = []
    chain = module_of_backend.train_chain
    monkeypatch.setattr(
        module_of_backend, "train_chain", lambda blocks, x: (calls.append(len(blocks)), chain(blocks, x))[1]
    )
    return calls


@pytest.fixture
def everywhere() -> Iterator[list[str]]:
    """The classes whose forward a hook of all modules has seen."""
    seen: list[str] = []
    handle = register_module_forward_hook(lambda module, inputs, out: seen.append(type(module).__name__))
    yield seen
    handle.remove()


def test_a_network_is_one_chain(taken: list[int]) -> None:
    network()(torch.randn(2, 3, 8, 8))
    assert taken == [3]


def test_a_hook_on_a_block_makes_chains_of_one(taken: list[int]) -> None:
    model = network()
    model.stages[0][0].register_forward_hook(lambda *_: None)
    model(torch.randn(2, 3, 8, 8))
    assert taken == [1, 1, 1]


def test_a_hook_in_a_block_makes_it_plain(taken: list[int]) -> None:
    model = network()
    model.stages[0][0].t_s.register_forward_hook(lambda *_: None)
    model(torch.randn(2, 3, 8, 8))
    assert taken == [1, 1]


def test_a_hook_of_all_modules_sees_every_layer(taken: list[int], everywhere: list[str]) -> None:
    network()(torch.randn(2, 3, 8, 8))
    assert taken == []
    assert everywhere.count("SpatialTransform") == 3
    assert everywhere.count("GroupedShortcut") == 2


def test_neighbours_with_other_vectors_are_chains_of_their_own(
    taken: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One pass cannot have T_s in vectors of 16 and a T_r of 24 outputs."""
    if torch.ops.lst_robust.lanes() < 16:
        pytest.skip("with vectors of 8 every block fits the one before")
    blocks, x = [LSTII(64, 16, 1, LSTOptions(), 4), LSTII(96, 24, 1, LSTOptions(), 4)], torch.randn(2, 64, 4, 4)
    blocks[1].t_r = nn.Conv2d(64, 24, 1, bias=False)
    blocks[1].shortcut = GroupedShortcut(32, 96, 1, 1, 4)
    assert CompiledBackend().train_blocks(blocks, x) is None
    nn.Sequential(*blocks)(x)
    assert taken == [1, 1]
    monkeypatch.setenv("LST_ROBUST_LST_VECTORS", "8")
    assert CompiledBackend().train_blocks(blocks, x) is not None


@pytest.mark.parametrize("channels", [32, 8, 72])
def test_a_wrong_number_of_channels_is_torchs_error(channels: int) -> None:
    block = LSTII(64, 16, 1, LSTOptions(), 4).train()
    with pytest.raises(RuntimeError, match=rf"expected input\[2, {channels}, 8, 8\] to have 64 channels"):
        block(torch.randn(2, channels, 8, 8))


def test_blocks_that_do_not_fit_each_other_are_torchs_error() -> None:
    model = network()
    model.stages[1] = nn.Sequential(LSTII(32, 16, 1, LSTOptions(), 4))
    with pytest.raises(RuntimeError, match="to have 32 channels, but got 64"):
        model(torch.randn(2, 3, 8, 8))


def test_a_shortcut_that_takes_missing_channels_is_torchs_error() -> None:
    shortcut = LSTII(64, 32, 2, LSTOptions(), 4).train().shortcut
    with pytest.raises((IndexError, RuntimeError), match="out of"):
        shortcut(torch.randn(2, 32, 8, 8))


@pytest.mark.parametrize(("stride", "size"), [(1, (1, 1)), (2, (2, 2)), (2, (1, 2))])
def test_one_value_a_channel_is_torchs_error(stride: int, size: tuple[int, int]) -> None:
    block = LSTII(64, 32, stride, LSTOptions(), 4).train()
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        block(torch.randn(1, 64, *size))
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        block.shortcut(torch.randn(1, 64, *size))


def test_an_input_without_a_batch_is_torchs_error() -> None:
    with pytest.raises(ValueError, match="expected 4D input"):
        LSTII(64, 16, 1, LSTOptions(), 4).train()(torch.randn(64, 8, 8))


def test_another_default_device_changes_nothing() -> None:
    block, x = LSTII(64, 32, 2, LSTOptions(), 4).train(), torch.randn(3, 64, 5, 5).requires_grad_()
    expected = block(x)
    (gradient,) = torch.autograd.grad(expected.square().sum(), x)
    torch.set_default_device("meta")
    try:
        out = block(x)
        (found,) = torch.autograd.grad(out.square().sum(), x)
    finally:
        torch.set_default_device(None)
    assert torch.equal(out, expected) and torch.equal(found, gradient)


def test_transforms_of_functions_get_the_plain_layers() -> None:
    torch.manual_seed(0)
    block, x = LSTII(64, 16, 1, LSTOptions(), 4).train(), torch.randn(3, 64, 5, 5)
    torch.func.replace_all_batch_norm_modules_(block)  # they may not change their running statistics there
    found = torch.func.grad(lambda x: block(x).square().sum())(x)
    x.requires_grad_()
    (expected,) = torch.autograd.grad(block(x).square().sum(), x)
    assert (found - expected).norm() <= 1e-4 * expected.norm()


@pytest.mark.parametrize("options", [LSTOptions(), LSTOptions(channel_transform="diagonal")], ids=["chain", "tail"])
def test_a_second_derivative_is_refused_by_name(options: LSTOptions) -> None:
    block, x = LSTII(64, 16, 1, options, 4).train(), torch.randn(3, 64, 5, 5).requires_grad_()
    (gradient,) = torch.autograd.grad(block(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.square().sum().backward()
