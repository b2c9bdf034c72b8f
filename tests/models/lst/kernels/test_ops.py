"""The operators by themselves: what they refuse, and that Python runs beside them."""

from __future__ import annotations

import sys
import threading

import pytest
import torch

from lst_robust.models.lst.blocks import LSTII, LSTOptions
from lst_robust.models.lst.folded import InferenceLSTII

torch.set_num_threads(1)
pytestmark = pytest.mark.usefixtures("compiled")


def last(*shape: int) -> torch.Tensor:
    return torch.randn(shape).contiguous(memory_format=torch.channels_last)


def test_sums_of_images() -> None:
    v = last(3, 24, 5, 7)
    expected = torch.stack([v.double().sum((0, 2, 3)), v.double().square().sum((0, 2, 3))])
    torch.testing.assert_close(torch.ops.lst_robust.sums(v), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "v", [torch.randn(2, 16, 4, 4), last(2, 16, 4, 4).double()], ids=["another layout", "another type"]
)
def test_images_that_it_cannot_read_are_refused(v: torch.Tensor) -> None:
    with pytest.raises(RuntimeError, match="images must be float32 in channels last"):
        torch.ops.lst_robust.sums(v)


def test_weights_packed_for_other_vectors_are_refused() -> None:
    with pytest.raises(RuntimeError, match="no kernel has vectors of 2 floats"):
        torch.ops.lst_robust.pointwise(last(1, 8, 2, 2), torch.randn(4, 8, 2), [])


def test_python_goes_on_while_an_operator_runs() -> None:
    """The GIL is released: evaluation calls the operators from several threads at once."""
    v = last(64, 64, 64, 64)
    started, done = threading.Event(), []

    def work() -> None:
        started.set()
        for _ in range(10):
            torch.ops.lst_robust.sums(v)
        done.append(True)

    thread = threading.Thread(target=work)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)  # nobody has to give the GIL away: this thread goes on only where it is released
    try:
        thread.start()
        started.wait()
        went_on = not done
    finally:
        sys.setswitchinterval(interval)
        thread.join()
    assert went_on


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": 32}, "the weights of a block do not fit its input"),
        ({"stride": 2}, "the shortcut of a block does not fit its input"),
        ({"taus": [0.0, 0.0]}, "every block has 8 tensors, a stride and a tau"),
    ],
    ids=str,
)
def test_blocks_that_do_not_fit_are_refused(change: dict, message: str) -> None:
    weights = InferenceLSTII(LSTII(64, 16, 1, LSTOptions(), 4).eval()).compiled.weights
    given = {"inputs": 64, "stride": 1, "taus": [0.0]} | change
    with pytest.raises(RuntimeError, match=message):
        torch.ops.lst_robust.blocks(last(1, given["inputs"], 4, 4), weights, [given["stride"]], given["taus"])
