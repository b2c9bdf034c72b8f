"""Whether CUDA multiplies float32 as such, by torch's switches: no GPU is needed to look at them."""

from __future__ import annotations

import pytest
import torch

from lst_robust.runtime.full_precision import full_precision

CUDA = torch.device("cuda")
HAS_NEWER = hasattr(torch.backends.cudnn, "conv")


def older() -> tuple[bool, str]:
    return torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()


@pytest.fixture(params=["highest", "high"])
def before(request):
    first = older()
    torch.set_float32_matmul_precision(request.param)
    yield older()
    torch.set_float32_matmul_precision(first[1])


def test_within_it_cuda_multiplies_in_full_precision(before):
    assert before[0], "torch's default for convolutions"
    with full_precision(CUDA):
        assert older() == (False, "highest")
    assert older() == before
    with full_precision(torch.device("cpu")):
        assert older() == before


def test_the_last_thread_that_leaves_sets_the_switches_back(before):
    first, second = full_precision(CUDA), full_precision(CUDA)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert older() == (False, "highest")
    second.__exit__(None, None, None)
    assert older() == before


@pytest.mark.skipif(not HAS_NEWER, reason="this torch has no such switches")
def test_it_stands_beside_the_newer_switches():
    """torch refuses to read the older ones where the newer ones were set."""
    switches = (torch.backends.cudnn.conv, torch.backends.cudnn.rnn, torch.backends.cuda.matmul)
    before = [switch.fp32_precision for switch in switches]
    try:
        for switch, value in zip(switches, ("ieee", "tf32", "tf32"), strict=True):
            switch.fp32_precision = value
        with pytest.raises(RuntimeError):
            _ = torch.backends.cudnn.allow_tf32
        with full_precision(CUDA):
            assert [switch.fp32_precision for switch in switches] == ["ieee"] * 3
        assert [switch.fp32_precision for switch in switches] == ["ieee", "tf32", "tf32"]
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.fp32_precision = value
