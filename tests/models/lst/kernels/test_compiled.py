"""For which blocks and inputs the compiled backend stands in training."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lst_robust.models import create_model
from lst_robust.models.lst.blocks import LSTII, LSTOptions
from lst_robust.models.lst.kernels.compiled import CompiledBackend

torch.set_num_threads(1)
pytestmark = pytest.mark.usefixtures("compiled")


def block(**options: object) -> LSTII:
    torch.manual_seed(0)
    return LSTII(16, 16, 1, LSTOptions(**options))


def images() -> torch.Tensor:
    return torch.randn(3, 16, 6, 6)


def test_it_stands_for_a_block_and_its_shortcut() -> None:
    assert CompiledBackend().train_block(block(), images()).shape == (3, 64, 6, 6)
    strided = LSTII(16, 16, 2, LSTOptions())
    assert CompiledBackend().train_shortcut(strided.shortcut, images()).shape == (3, 64, 3, 3)


@pytest.mark.parametrize("change", ["evaluation", "frozen", "float64", "no images", "a=1"])
def test_it_leaves_other_cases_to_torch(change: str) -> None:
    layer, x = block(**({"a": 1} if change == "a=1" else {})), images()
    if change == "evaluation":
        layer.eval()
    elif change == "frozen":
        layer.bn_s.eval()
    elif change == "float64":
        layer, x = layer.double(), x.double()
    elif change == "no images":
        x = x[:0]
    assert CompiledBackend().train_block(layer, x) is None


@pytest.mark.parametrize(
    ("bottleneck", "tolerance"),
    [(LSTOptions(), 1e-6), (LSTOptions(channel_transform="diagonal"), 1e-2)],  # of the latter, half is in bfloat16
)
def test_its_passes_work_in_float32_under_autocast(bottleneck: LSTOptions, tolerance: float) -> None:
    rounded = images().bfloat16()
    results = []
    for mixed in (False, True):
        torch.manual_seed(0)
        layer = LSTII(16, 16, 2, bottleneck)
        x = rounded.clone().requires_grad_() if mixed else rounded.float().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            out = CompiledBackend().train_block(layer, x)
        out.square().sum().backward()
        results.append((out, layer.t_r.weight.grad))
        assert out.dtype is torch.float32
        assert x.grad.dtype is x.dtype
    for of_full, of_mixed in zip(*results, strict=True):
        assert (of_mixed - of_full).norm() <= tolerance * of_full.norm()


@pytest.mark.parametrize("autocast", [True, False])
def test_a_network_in_halves_is_left_to_torch(autocast: bool) -> None:
    x = images().bfloat16()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        assert CompiledBackend().train_block(block().bfloat16(), x) is None
        assert CompiledBackend().train_shortcut(LSTII(16, 16, 2, LSTOptions()).bfloat16().shortcut, x) is None


def test_plain_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LST_ROBUST_LST_KERNELS", "plain")
    assert CompiledBackend().train_block(block(), images()) is None


def test_frozen_statistics_stay() -> None:
    layer = block()
    layer.bn_s.eval()
    before = layer.bn_s.running_mean.clone()
    layer(images())
    assert torch.equal(layer.bn_s.running_mean, before)
    assert layer.bn_r.running_mean.abs().sum() > 0


def test_training_with_and_without_the_kernels_learns_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = torch.arange(12) % 3
    losses = {}
    for choice in ("fast", "plain"):
        monkeypatch.setenv("LST_ROBUST_LST_KERNELS", choice)
        torch.manual_seed(0)
        model = create_model("lst20", num_classes=3, image_size=16)
        batch = torch.randn(12, 3, 16, 16) + torch.eye(3)[labels][:, :, None, None]
        optimiser = torch.optim.SGD(model.parameters(), 0.01)
        losses[choice] = []
        for _ in range(4):
            loss = nn.functional.cross_entropy(model(batch), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses[choice].append(loss.item())
    assert losses["fast"] != losses["plain"], "the kernels round differently"
    assert losses["fast"] == pytest.approx(losses["plain"], rel=2e-2)
    assert losses["fast"][0] == pytest.approx(losses["plain"][0], rel=1e-5)
    assert losses["fast"][-1] < losses["fast"][0]
