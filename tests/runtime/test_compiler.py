"""What is said where torch.compile fails: with torch's own wrapping of the errors of a backend."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lst_robust.errors import DeviceError, LstRobustError
from lst_robust.runtime.compiler import compiled_network, compiler_errors
from lst_robust.runtime.devices import device_errors


def run_with(error: BaseException) -> None:
    """A network, compiled by a backend that raises the error."""

    def bad(graph, inputs):
        raise error

    torch._dynamo.reset()
    network = torch.compile(nn.Linear(2, 2), backend=bad)
    with compiler_errors():
        network(torch.ones(1, 2))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("no such tile\nsecond line"), "ValueError: no such tile"),
        (KeyError("tile"), "KeyError: 'tile'"),
        (AssertionError(), "AssertionError"),
    ],
)
def test_the_reason_of_a_failing_backend_is_named(error, reason):
    with pytest.raises(LstRobustError) as raised:
        run_with(error)
    message = str(raised.value)
    assert message.startswith(f"the network cannot be compiled here ({reason}") and "backend=" not in message
    assert message.endswith("): install a C++ compiler such as g++, or use --compile no") and "\n" not in message


@pytest.mark.parametrize(
    "error",
    [torch.cuda.OutOfMemoryError("CUDA out of memory"), RuntimeError("CUDA error: out of memory\nadvice")],
)
def test_lack_of_memory_while_compiling_stays_what_it_is(error):
    with pytest.raises(type(error)) as raised:
        run_with(error)
    assert raised.value is error


def test_a_device_that_is_lost_while_compiling_is_a_lost_device():
    with pytest.raises(DeviceError, match="does not answer any more"), device_errors(torch.device("cuda:0")):
        run_with(RuntimeError("CUDA error: unspecified launch failure"))


def test_lack_of_memory_behind_another_error_is_found():
    memory = torch.cuda.OutOfMemoryError("CUDA out of memory")
    inner = RuntimeError("tuning failed")
    inner.__cause__ = memory
    with pytest.raises(torch.cuda.OutOfMemoryError):
        run_with(inner)


@pytest.mark.parametrize("error", [RuntimeError("Dynamo is not supported on Python 9"), ImportError("no sympy")])
def test_a_torch_without_a_compiler_is_one_line(monkeypatch, error):
    def refuse(network, **options):
        raise error

    monkeypatch.setattr(torch, "compile", refuse)
    with pytest.raises(LstRobustError, match=f"cannot be compiled here .*{error}.*use --compile no"):
        compiled_network(nn.Linear(2, 2), "default")
