"""The two bottlenecks: their order of channels, their options and their shortcut."""

from __future__ import annotations

import torch

from lst_robust.models.lst.blocks import LSTI, LSTII, LSTOptions, authors_order

torch.set_num_threads(1)


def test_authors_order_is_feature_major() -> None:
    assert authors_order(8, 4).tolist() == [0, 4, 1, 5, 2, 6, 3, 7]


def test_strided_shortcut_follows_the_authors_groups() -> None:
    """In the authors' order output channel i takes input channel i // m; here both sides are k-major."""
    block = LSTII(16, 8, 2, LSTOptions(), input_groups=4).eval()
    x = torch.randn(2, 16, 6, 6)
    torch.nn.init.ones_(block.shortcut.weight)
    theirs = torch.empty(2, 16, 3, 3)
    theirs[:, authors_order(16, 4)] = x[:, :, ::2, ::2]
    expected = theirs.repeat_interleave(2, 1)[:, authors_order(32, 4)]
    torch.testing.assert_close(block.shortcut(x), expected / (1 + block.shortcut.bn.eps) ** 0.5)


def test_random_init_keeps_to_the_papers_range() -> None:
    block = LSTI(32, 64, 1, LSTOptions(init="random"))
    assert block.t_s.weight.abs().max() <= (64 * 4 * 9) ** -0.5
    assert block.t_c.weight.abs().max() <= (32 * 2 * 3) ** -0.5
    assert block.t_c.weight.std() > 0.4 * (32 * 2 * 3) ** -0.5
