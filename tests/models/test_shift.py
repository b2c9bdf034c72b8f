"""Shifts against moved copies of the image, and the gradient of the learned ones."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from lst_robust.models import create_model
from lst_robust.models.shift import Shift, ShiftBlock, ShiftResidual, SparseShift

torch.set_num_threads(1)


def moved(plane: torch.Tensor, dy: float, dx: float) -> torch.Tensor:
    """A plane (H, W) read at (y + dy, x + dx), bilinear between pixels, zeros outside."""
    height, width = plane.shape
    rows, columns = (torch.arange(side, dtype=plane.dtype) for side in plane.shape)
    y, x = torch.meshgrid(rows + dy, columns + dx, indexing="ij")
    grid = torch.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], -1)[None]
    return F.grid_sample(plane[None, None], grid, align_corners=True)[0, 0]


@pytest.mark.parametrize(("channels", "size"), [(9, 3), (20, 3), (50, 5)])
def test_each_channel_moves_by_its_offset_and_those_left_over_stay(channels, size) -> None:
    x = torch.randn(1, channels, 6, 7, dtype=torch.float64)
    share, left = divmod(channels, size**2)
    radius = size // 2
    offsets = []
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            offsets += [(dy, dx)] * (share + (left if dy == dx == 0 else 0))
    expected = torch.stack([moved(plane, *offset) for plane, offset in zip(x[0], offsets, strict=True)])
    torch.testing.assert_close(Shift(channels, size)(x)[0], expected, atol=1e-12, rtol=0)


def test_learned_shifts_move_by_whole_pixels_of_at_most_one() -> None:
    layer = SparseShift(4).double()
    with torch.no_grad():
        layer.offset.copy_(torch.tensor([[0.4, -0.6], [0.6, 0.4], [3.0, -3.0], [0.0, 0.0]]))
    x = torch.randn(1, 4, 6, 7, dtype=torch.float64)
    whole = [(0, -1), (1, 0), (1, -1), (0, 0)]
    expected = torch.stack([moved(plane, *offset) for plane, offset in zip(x[0], whole, strict=True)])
    torch.testing.assert_close(layer(x)[0], expected, atol=1e-12, rtol=0)


def test_the_gradient_of_a_learned_shift_is_the_slope_of_bilinear_interpolation() -> None:
    """Along y, with the shift along x rounded to zero pixels."""
    layer = SparseShift(1).double()
    with torch.no_grad():
        layer.offset.copy_(torch.tensor([[0.3, 0.0]]))
    x = torch.randn(1, 1, 6, 7, dtype=torch.float64)
    weights = torch.randn(6, 7, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((layer(x)[0, 0] * weights).sum(), layer.offset)
    slope = moved(x[0, 0], 1, 0) - x[0, 0]  # of (1 - t) x(y) + t x(y + 1)
    torch.testing.assert_close(gradient[0, 0], (slope * weights).sum())


@pytest.mark.parametrize("learned", [False, True])
def test_the_shortcut_of_a_shift_residual_has_no_weights(learned) -> None:
    """With the last BN at zero it is the pooled input, further channels zero."""
    block = ShiftResidual(4, 6, 2, learned).eval()
    torch.nn.init.zeros_(block.bn2.weight)
    x = torch.rand(1, 4, 6, 6)
    y = block(x)
    torch.testing.assert_close(y[:, :4], F.avg_pool2d(x, 2))
    assert y.shape == (1, 6, 3, 3) and not y[:, 4:].any()


def test_a_strided_shift_block_puts_the_pooled_input_beside_the_new_channels() -> None:
    x = torch.randn(1, 4, 6, 6)
    y = ShiftBlock(4, 10, 2, 3, 2).eval()(x)
    assert y.shape == (1, 10, 3, 3)
    torch.testing.assert_close(y[:, 6:], F.avg_pool2d(x, 3, 2, 1))


def test_no_block_of_a_shift_network_has_a_spatial_convolution() -> None:
    with torch.device("meta"):
        model = create_model("shiftnet-b")
    assert {module.kernel_size for module in model.blocks.modules() if isinstance(module, torch.nn.Conv2d)} == {(1, 1)}
