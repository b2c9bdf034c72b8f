"""Networks whose BNs do something, and both widths of vectors."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lst_robust.models.lst.kernels.library import compiler_path, kernels_ready
from lst_robust.runtime.switches import LST_KERNELS, kernels_wanted


@pytest.fixture
def compiled() -> None:
    """Skips the test where the kernels are not wanted, or nobody can compile them. Sources that do not compile are a
    failure."""
    if not kernels_wanted(LST_KERNELS):
        pytest.skip("LST_ROBUST_LST_KERNELS=plain")
    try:
        compiler_path()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    assert kernels_ready(), "the kernels could not be built: the log says why"


@pytest.fixture(params=["16", "8", "4"])
def width(compiled: None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test runs with vectors of so many floats at most, if the processor has them."""
    if int(request.param) > torch.ops.lst_robust.lanes():
        pytest.skip(f"the processor has no vectors of {request.param} floats")
    monkeypatch.setenv("LST_ROBUST_LST_VECTORS", request.param)
    return request.param


@pytest.fixture
def trained() -> Callable[[nn.Module], nn.Module]:
    """trained(network) -> it in evaluation mode, with BN statistics and weights that are not the initial ones."""

    def change(model: nn.Module) -> nn.Module:
        generator = torch.Generator().manual_seed(1)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.2, generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
                if module.affine:
                    nn.init.uniform_(module.weight, 0.3, 1, generator=generator)
                    nn.init.normal_(module.bias, 0, 0.2, generator=generator)
        return model.eval()

    return change


@pytest.fixture
def assert_same() -> Callable[[Tensor, Tensor], None]:
    """assert_same(fast, plain): equal to 1e-5 of the norm, and value by value to 1e-4."""

    def check(fast: Tensor, plain: Tensor) -> None:
        assert (fast - plain).norm() <= 1e-5 * plain.norm()
        torch.testing.assert_close(fast, plain, rtol=1e-4, atol=1e-5 * float(plain.abs().max()))

    return check
