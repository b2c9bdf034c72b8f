"""Whether CUDA multiplies float32 as such, by torch's switches: no GPU is needed to look at them."""

from __future__ import annotations

import subprocess
import sys

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


NEWER = """
import torch
from lst_robust.runtime.full_precision import full_precision

b = torch.backends
switches = (b.cudnn.conv, b.cudnn.rnn, b.cuda.matmul, b.mkldnn.matmul)
values = lambda: [switch.fp32_precision for switch in switches]
{setting}
before = values()
with full_precision(torch.device("cuda")):
    assert "tf32" not in values()[:3], values()
assert values() == before, (values(), before)
"""


@pytest.mark.skipif(not HAS_NEWER, reason="this torch has no such switches")
@pytest.mark.parametrize(
    "setting",
    [
        "",
        "b.cuda.matmul.allow_tf32 = True",
        "b.fp32_precision = 'tf32'; torch.set_float32_matmul_precision('high')",
        "b.cudnn.fp32_precision = 'tf32'; b.cuda.matmul.allow_tf32 = True",
        "b.cudnn.conv.fp32_precision = 'ieee'; b.cudnn.rnn.fp32_precision = b.cuda.matmul.fp32_precision = 'tf32'",
    ],
)
def test_it_stands_beside_the_newer_switches(setting):
    """In a process of its own, because what was set once cannot be unset in every case."""
    subprocess.run([sys.executable, "-c", NEWER.format(setting=setting)], check=True)
