"""Bottlenecks with BN in their convolutions give what the trained ones give, in plain torch."""

from __future__ import annotations

import pytest
import torch

from lst_robust.models.lst.blocks import LSTI, LSTII, LSTOptions
from lst_robust.models.lst.folded import InferenceLSTI, InferenceLSTII

torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("inputs", "planes", "stride", "groups", "size"),
    [
        (16, 16, 1, 1, (8, 8)),
        (64, 32, 2, 4, (9, 7)),
        (48, 12, 1, 4, (4, 4)),
        (64, 16, 1, 4, (1, 1)),
    ],
)
@pytest.mark.parametrize("tau", [1e-4, 0.3, 0.0])
def test_lst_ii(inputs, planes, stride, groups, size, tau, trained, assert_same) -> None:
    torch.manual_seed(0)
    block = trained(LSTII(inputs, planes, stride, LSTOptions(tau=tau), groups))
    folded = InferenceLSTII(block)
    folded.compiled = None
    x = torch.randn(3, inputs, *size)
    with torch.no_grad():
        assert_same(folded(x.contiguous(memory_format=torch.channels_last)), block(x))


@pytest.mark.parametrize(
    "options",
    [
        {"spatial_transform": "per_channel"},
        {"channel_transform": "diagonal"},
        {"activation": "relu"},
        {"activation": "elu"},
        {"a": 1},
        {"a": 3},
    ],
    ids=str,
)
def test_every_variant_of_lst_ii(options: dict, trained, assert_same) -> None:
    torch.manual_seed(0)
    block = trained(LSTII(32, 32, 2, LSTOptions(**options)))
    x = torch.randn(2, 32, 8, 8)
    with torch.no_grad():
        assert_same(InferenceLSTII(block)(x), block(x))


@pytest.mark.parametrize(("inputs", "stride", "size"), [(16, 1, 3), (8, 2, 3), (16, 1, 5)])
def test_lst_i(inputs: int, stride: int, size: int, trained, assert_same) -> None:
    torch.manual_seed(0)
    block = trained(LSTI(inputs, 16, stride, LSTOptions(), size))
    x = torch.randn(2, inputs, 8, 8)
    with torch.no_grad():
        assert_same(InferenceLSTI(block)(x), block(x))
