"""What is said where torch.compile fails: with torch's own wrapping of the errors of a backend."""

from __future__ import annotations

import logging
import sys

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


class Breaks(nn.Module):
    """torch has notes on this one: its graph depends on a value."""

    def forward(self, x):
        return x + 1 if x.mean().item() > 0 else x


@pytest.fixture
def stderr_of_now(monkeypatch, capfd):
    """The handlers of old releases of torch keep the stderr of their import."""
    for handler in logging.getLogger("torch._dynamo").handlers:
        if type(handler) is logging.StreamHandler:
            monkeypatch.setattr(handler, "stream", sys.stderr)


def lines_of_torch(capfd) -> str:
    torch._dynamo.reset()
    network = torch.compile(Breaks(), backend="eager")
    capfd.readouterr()
    with compiler_errors():
        network(torch.ones(2))
        logging.getLogger("torch._dynamo").warning("a note for programmers")
        logging.getLogger("torch._dynamo").error("a mistake")
    return capfd.readouterr().err


@pytest.mark.usefixtures("stderr_of_now")
def test_torchs_notes_stay_off_stderr_while_it_compiles(capfd, monkeypatch):
    monkeypatch.delenv("TORCH_LOGS", raising=False)
    handlers = logging.getLogger("torch._dynamo").handlers
    before = [list(handler.filters) for handler in handlers]
    said = lines_of_torch(capfd)
    assert "a mistake" in said and "Graph break" not in said and "a note" not in said
    assert handlers and [handler.filters for handler in handlers] == before
    logging.getLogger("torch._dynamo").warning("said elsewhere")
    assert "said elsewhere" in capfd.readouterr().err


@pytest.mark.usefixtures("stderr_of_now")
def test_whoever_asks_torch_for_its_notes_gets_them(capfd, monkeypatch):
    monkeypatch.setenv("TORCH_LOGS", "graph_breaks")
    assert "a note for programmers" in lines_of_torch(capfd)
