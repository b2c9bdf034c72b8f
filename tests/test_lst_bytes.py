"""What benchmarks/lst_bytes.py counts."""

from __future__ import annotations

import pytest
import torch

from benchmarks.lst_bytes import products


@pytest.mark.parametrize(("stride", "outputs"), [(1, 7 * 6), (2, 4 * 3)])
def test_t_s_has_36_products_for_each_output_pixel_and_channel(stride, outputs):
    v = torch.empty(2, 8, 7, 6)
    assert products("statistics", [v], stride) == 36 * 2 * 8 * outputs
    wide = torch.empty(2, 32, outputs // (3 if stride == 2 else 6), 3 if stride == 2 else 6)
    assert products("tail_", [v, wide, wide]) == 36 * 2 * 8 * outputs
