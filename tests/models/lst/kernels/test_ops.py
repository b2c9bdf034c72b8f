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


def test_blocks_packed_for_vectors_of_different_widths_are_refused() -> None:
    weights = InferenceLSTII(LSTII(64, 16, 1, LSTOptions(), 4).eval()).compiled.weights
    for place in (0, 2, 4):  # of T_r, T_c and T_s
        width = 8 if weights[place].shape[-1] == 4 else 4
        other = weights[place].reshape(*weights[place].shape[:-2], -1, width)
        mixed = [other if i == place else weight for i, weight in enumerate(weights)]
        with pytest.raises(RuntimeError, match="packed for the same vectors"):
            torch.ops.lst_robust.blocks(last(1, 64, 4, 4), mixed, [1], [0.0])


def given(c: int, stride: int = 1, outputs: int = 16) -> dict[str, torch.Tensor | list[torch.Tensor]]:
    """Arguments that fit each other: v has c channels, 8 x 6 pixels, and 2 images."""
    wide, height, width = 4 * c, (8 - 1) // stride + 1, (6 - 1) // stride + 1
    return {
        "v": last(2, c, 8, 6),
        "dz": last(2, c, 8, 6),
        "out": last(2, wide, height, width),
        "g": last(2, wide, height, width),
        "y": last(2, outputs, height, width),
        "dy": last(2, outputs, height, width),
        "affine": [torch.ones(c), torch.zeros(c)],
        "filters": torch.randn(c // 8, 9, 4, 8),
        "bias": torch.zeros(wide),
        "resize": torch.randn(outputs // 8, wide, 8),
        "transposed": torch.randn(wide // 8, outputs, 8),
        "mix": torch.randn(c // 8, c, 8),
        "of_v": torch.ones(3, c),
        "of_t": torch.ones(3, wide),
        "of_y": torch.ones(3, outputs),
        "sums": torch.ones(2, c, dtype=torch.float64),
        "statistics": torch.ones(3, c, dtype=torch.float64),
        "gamma": torch.ones(c),
        "source": torch.arange(wide, dtype=torch.int32) // 4,
    }


# name of the operator, and its arguments: names of `given`, or values
CALLS: dict[str, tuple[object, ...]] = {
    "statistics": ("v", 1, "affine", "filters", 0.1),
    "tail_": ("v", "g", "out", 1, "affine", "filters", "bias", 0.1),
    "tail_resize_": ("v", "g", "out", 1, "affine", "filters", "bias", 0.1, "resize"),
    "backward_sums": ("v", "out", "g", 1, "affine", "filters", 0.1),
    "resize_backward_sums_": ("g", "y", "dy", "transposed", "of_y", "v", "out", 1, "affine", "filters", 0.1),
    "backward": ("v", "g", 1, "affine", "filters", "of_t", 0.1),
    "normalise_backward_": ("dz", "v", "of_v"),
    "pointwise": ("v", "mix", "affine"),
    "mix_backward": ("v", "dz", "dz", "mix", "affine", "of_v"),
    "resize_backward_": ("out", "g", "y", "dy", "transposed", "of_y"),
    "shortcut": ("v", 1, "source", "bias", "bias"),
    "shortcut_sums": ("v", "g", 1, "source"),
    "shortcut_backward": ("v", "g", 1, "source", "bias", "affine"),
    "batch_norm": ("sums", 96, "gamma", "gamma", 1e-5),
    "batch_norm_backward": ("statistics", "gamma", "sums", 96),
    "scale_filters": ("filters", "bias"),
    "pointwise_relu": ("v", "mix", "gamma"),
}


def called(name: str, tensors: dict[str, torch.Tensor | list[torch.Tensor]]) -> object:
    arguments = [tensors[value] if isinstance(value, str) else value for value in CALLS[name]]
    return getattr(torch.ops.lst_robust, name)(*arguments)


@pytest.fixture
def two_widths(compiled: None) -> None:
    if torch.ops.lst_robust.lanes() < 8:
        pytest.skip("the processor has no vectors of 8 floats")


@pytest.mark.usefixtures("two_widths")
@pytest.mark.parametrize(
    ("name", "argument"),
    [(name, value) for name, call in CALLS.items() for value in dict.fromkeys(call) if isinstance(value, str)],
)
def test_a_tensor_of_another_size_is_refused(name: str, argument: str) -> None:
    """Each would be read or written beyond its end. Half as many channels as fit, and then twice as many."""
    called(name, given(16))
    for other in (given(8, outputs=8), given(32, outputs=32)):
        if name in ("shortcut", "shortcut_sums") and argument == "v" and other["v"].shape[1] == 32:
            continue  # a shortcut may leave channels out
        with pytest.raises(RuntimeError, match=r"fit|values one behind the other|have|are those of all channels"):
            called(name, given(16) | {argument: other[argument]})


@pytest.mark.usefixtures("two_widths")
@pytest.mark.parametrize("name", ["statistics", "tail_", "backward_sums", "backward", "shortcut", "shortcut_sums"])
def test_no_pixels_and_strides_that_no_kernel_has_are_refused(name: str) -> None:
    with pytest.raises(RuntimeError, match="images must have pixels"):
        called(name, given(16) | {"v": last(2, 16, 8, 0)})
    arguments = [given(16)[value] if isinstance(value, str) else value for value in CALLS[name]]
    arguments[CALLS[name].index(1)] = 3
    with pytest.raises(RuntimeError, match="the stride must be 1 or 2"):
        getattr(torch.ops.lst_robust, name)(*arguments)


@pytest.mark.usefixtures("two_widths")
def test_channels_that_the_input_does_not_have_are_refused() -> None:
    for number in (-1, 16):
        source = torch.arange(64, dtype=torch.int32) // 4
        source[5] = number
        with pytest.raises(RuntimeError, match="takes channels that its input of 16 channels does not have"):
            called("shortcut", given(16) | {"source": source})


@pytest.mark.usefixtures("two_widths")
def test_outputs_that_are_no_vectors_are_refused() -> None:
    for transposed in (False, True):
        with pytest.raises(RuntimeError, match="20 outputs are no vectors of 8 floats"):
            torch.ops.lst_robust.pack_pointwise(torch.randn((8, 20) if transposed else (20, 8)), 8, transposed)
    with pytest.raises(RuntimeError, match="is no weight of a 1x1 convolution"):
        torch.ops.lst_robust.pack_pointwise(torch.randn(8, 8, 3, 3), 8, False)


def test_running_statistics_of_another_size_are_refused() -> None:
    with pytest.raises(RuntimeError, match="is not 16 values one behind the other"):
        statistics = torch.ones(2, 16, dtype=torch.float64)
        torch.ops.lst_robust.move_statistics_(torch.ones(8), torch.ones(16), torch.tensor(0), statistics, 9, 0.1)


def test_one_weight_for_all_channels_is_taken() -> None:
    sums = torch.rand(2, 16, dtype=torch.float64) + 1
    expanded, one_by_one = torch.tensor([0.7]).expand(16), torch.full((16,), 0.7)
    for found, expected in zip(
        *(torch.ops.lst_robust.batch_norm(sums, 2, gamma, gamma, 1e-5) for gamma in (expanded, one_by_one)), strict=True
    ):
        assert torch.equal(found, expected)
