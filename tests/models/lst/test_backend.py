"""The seam: a backend is asked before the plain definition runs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lst_robust.models.lst import backend as seam
from lst_robust.models.lst.backend import Backend, register_backend
from lst_robust.models.lst.blocks import LSTII, LSTOptions
from lst_robust.models.lst.folded import InferenceLSTII
from lst_robust.models.lst.kernels.compiled import CompiledBackend


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    monkeypatch.setattr(seam, "_registered", [seam.backend()])


class Constant(Backend):
    """Stands for everything, with an output that nothing else gives."""

    def train_block(self, block: LSTII, x: Tensor) -> Tensor:
        return torch.full((), 42.0)

    def train_shortcut(self, shortcut, x: Tensor) -> Tensor:
        return torch.full((), 43.0)

    def compiled_block(self, block: InferenceLSTII) -> Constant:
        return self

    def takes(self, x: Tensor) -> bool:
        return len(x) > 1

    def __call__(self, x: Tensor) -> Tensor:
        return torch.full((), 44.0)


def test_the_compiled_backend_is_registered():
    assert isinstance(seam.backend(), CompiledBackend)


def test_a_backend_may_stand_for_the_steps():
    register_backend(Constant())
    block = LSTII(16, 16, 2, LSTOptions())
    x = torch.randn(2, 16, 4, 4)
    assert block(x) == 42
    assert block.shortcut(x) == 43
    assert InferenceLSTII(block)(x) == 44
    assert InferenceLSTII(block)(x[:1]).shape == (1, 64, 2, 2), "the plain definition, for what it does not take"


def test_without_one_the_plain_definition_runs():
    register_backend(Backend())
    block = LSTII(16, 16, 2, LSTOptions())
    x = torch.randn(2, 16, 4, 4)
    y = block.relu(block.bn_r(block.t_r(x)))
    z = block.threshold(block.bn_c(block.t_c(y)))
    assert torch.equal(block(x), block.threshold(block.bn_s(block.t_s(z)) + block.shortcut(x)))
    assert InferenceLSTII(block).compiled is None
