"""An optimised network on its way through files and processes, and what is left as it was trained."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lst_robust.models import optimize_for_inference
from lst_robust.models.lst.blocks import LSTI, LSTII, LSTOptions
from lst_robust.models.lst.folded import InferenceLSTI, InferenceLSTII

torch.set_num_threads(1)
pytestmark = pytest.mark.usefixtures("compiled")

# Loads a network and images, and writes what the one makes of the others.
PROGRAM = """
import sys
import torch
network, images = torch.load(sys.argv[1], weights_only=False)
with torch.no_grad():
    torch.save(network(images), sys.argv[2])
"""


def network(seed: int, trained) -> nn.Module:
    """Two blocks and a handler."""
    torch.manual_seed(seed)
    blocks = nn.Sequential(LSTII(16, 16, 1, LSTOptions(), 1), LSTII(64, 16, 1, LSTOptions(), 4))
    handler = nn.Sequential(nn.Conv2d(64, 16, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    return optimize_for_inference(trained(nn.Sequential(blocks, handler)))


@pytest.fixture
def images() -> Tensor:
    return torch.linspace(-1, 1, 3 * 16 * 30).sin().reshape(3, 16, 6, 5).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def test_loaded_weights_are_those_that_run(trained, images) -> None:
    fast, other = network(0, trained), network(1, trained)
    expected = other(images)
    fast.load_state_dict(other.state_dict())
    assert torch.equal(fast(images), expected)


@torch.no_grad()
def test_a_block_may_be_loaded_alone(trained, images) -> None:
    fast, other = network(0, trained), network(1, trained)
    fast[0][1].load_state_dict(other[0][1].state_dict())
    fast[1].load_state_dict(other[1].state_dict(), assign=True)
    expected = other[1](other[0][1](fast[0][0](images)))
    assert torch.equal(fast(images), expected)


@pytest.mark.parametrize(("kernels", "vectors"), [("fast", "16"), ("fast", "4"), ("plain", "16")])
def test_it_can_be_unpickled_in_another_process(trained, images, assert_same, tmp_path: Path, kernels, vectors) -> None:
    fast = network(0, trained)
    torch.save((fast, images), tmp_path / "network.pt")
    environment = {"LST_ROBUST_LST_KERNELS": kernels, "LST_ROBUST_LST_VECTORS": vectors}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "network.pt"), str(tmp_path / "out.pt")]
    subprocess.run(command, env=os.environ | environment, check=True, timeout=120)
    with torch.no_grad():
        assert_same(torch.load(tmp_path / "out.pt"), fast(images))


def test_packed_weights_are_not_pickled(trained) -> None:
    fast = network(0, trained)
    buffers = sum(tensor.nbytes for tensor in fast.state_dict().values())
    assert len(pickle.dumps(fast)) < buffers + 40_000
    assert fast[0].compiled is not None, "pickling takes nothing away"


def test_images_without_pixels_do_not_end_the_process(tmp_path: Path) -> None:
    """They did by a division by zero, so it is another process that tries."""
    fast = InferenceLSTII(LSTII(64, 16, 1, LSTOptions(), 4).eval())
    torch.save((fast, torch.empty(1, 64, 4, 0)), tmp_path / "network.pt")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "network.pt"), str(tmp_path / "out.pt")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 or "RuntimeError" in done.stderr, done.stderr


def test_operators_refuse_images_without_pixels() -> None:
    compiled = InferenceLSTII(LSTII(64, 16, 1, LSTOptions(), 4).eval()).compiled
    with pytest.raises(RuntimeError, match="images must have pixels"):
        compiled(torch.empty(1, 64, 4, 0))


@pytest.mark.parametrize("channels", [32, 128])
def test_a_wrong_number_of_channels_is_torchs_error(channels: int, trained) -> None:
    fast = network(0, trained)
    for part, expected in ((fast[0][0], 16), (fast[0], 16), (fast[1], 64)):
        with pytest.raises(RuntimeError, match=f"to have {expected} channels, but got {channels}"):
            part(torch.randn(1, channels, 4, 4))


class Doubled(LSTII):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def another_shortcut(block: LSTII) -> LSTII:
    block.shortcut = nn.AvgPool2d(3, 1, 1)
    return block


def another_threshold(block: LSTII) -> LSTII:
    block.threshold = nn.Tanh()
    return block


def another_norm(block: LSTII) -> LSTII:
    block.bn_c = nn.GroupNorm(4, 16)
    return block


def norm_without_weights(block: LSTII) -> LSTII:
    block.bn_c = nn.BatchNorm2d(16, affine=False)
    return block


def a_bias(block: LSTII) -> LSTII:
    block.t_r = nn.Conv2d(64, 16, 1)
    return block


def a_hook(block: LSTII) -> LSTII:
    block.bn_c.register_forward_hook(doubled_output)
    return block


def doubled_output(module: nn.Module, inputs: object, out: Tensor) -> Tensor:
    return 2 * out


BLOCKS = {
    "another class": lambda: Doubled(64, 16, 1, LSTOptions(), 4),
    "another shortcut": lambda: another_shortcut(LSTII(64, 16, 1, LSTOptions(), 4)),
    "another threshold": lambda: another_threshold(LSTII(64, 16, 1, LSTOptions(), 4)),
    "another norm": lambda: another_norm(LSTII(64, 16, 1, LSTOptions(), 4)),
    "a norm without weights": lambda: norm_without_weights(LSTII(64, 16, 1, LSTOptions(), 4)),
    "T_r with a bias": lambda: a_bias(LSTII(64, 16, 1, LSTOptions(), 4)),
    "a hook": lambda: a_hook(LSTII(64, 16, 1, LSTOptions(), 4)),
    "LST-I with another shortcut": lambda: another_shortcut(LSTI(64, 64, 1, LSTOptions())),
}


@pytest.mark.parametrize("make", BLOCKS.values(), ids=list(BLOCKS))
@torch.no_grad()
def test_a_changed_block_computes_as_it_was_trained(make, trained, assert_same) -> None:
    torch.manual_seed(0)
    model = trained(nn.Sequential(nn.Sequential(make())))
    x = torch.randn(2, 64, 5, 5)
    assert_same(optimize_for_inference(model)(x), model(x))


def test_a_block_as_it_was_made_is_folded() -> None:
    model = nn.Sequential(LSTII(64, 16, 1, LSTOptions(), 4), LSTI(64, 32, 2, LSTOptions()))
    assert [type(layer) for layer in optimize_for_inference(model)] == [InferenceLSTII, InferenceLSTI]


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(64, 16, 1, padding=1),
        nn.Conv2d(64, 16, 1, padding="same"),
        nn.Conv2d(64, 16, 1, dilation=2),
    ],
    ids=["padding", "same", "dilation"],
)
@torch.no_grad()
def test_a_handler_of_another_form_computes_as_it_was_trained(convolution, trained, assert_same) -> None:
    torch.manual_seed(0)
    handler = nn.Sequential(convolution, nn.BatchNorm2d(16), nn.ReLU())
    model = trained(nn.Sequential(nn.Sequential(LSTII(64, 16, 1, LSTOptions(), 4)), handler))
    x = torch.randn(2, 64, 5, 5)
    assert_same(optimize_for_inference(model)(x), model(x))


@torch.no_grad()
def test_a_handler_without_a_bias_computes_as_it_was_trained(trained, assert_same) -> None:
    torch.manual_seed(0)
    handler = nn.Sequential(nn.Conv2d(64, 16, 1, bias=False), nn.Identity(), nn.ReLU())
    model = trained(nn.Sequential(nn.Sequential(LSTII(64, 16, 1, LSTOptions(), 4)), handler))
    x = torch.randn(2, 64, 5, 5)
    assert_same(optimize_for_inference(model)(x), model(x))


@torch.no_grad()
def test_another_default_device_changes_nothing(trained) -> None:
    model = trained(nn.Sequential(nn.Sequential(LSTII(64, 16, 1, LSTOptions(), 4))))
    x = torch.randn(1, 64, 4, 4)
    plain = optimize_for_inference(model)(x)
    torch.set_default_device("meta")
    try:
        found = optimize_for_inference(model)(x)
    finally:
        torch.set_default_device(None)
    assert torch.equal(found, plain)
