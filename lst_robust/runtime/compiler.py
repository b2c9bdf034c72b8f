"""torch.compile: its modes, and what is said where it fails."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from lst_robust.errors import LstRobustError
from lst_robust.runtime.devices import first_line, is_lost, not_enough_memory

NOT_COMPILED = "no"
COMPILE_MODES = (NOT_COMPILED, "default", "reduce-overhead", "max-autotune")
"""torch.compile's modes; reduce-overhead and max-autotune record CUDA graphs."""
LOGGERS = ("torch", "torch._dynamo", "torch._inductor", "torch._functorch")
"""To which torch gives handlers of its own."""
COMPILER = ("torch._dynamo", "torch._inductor", "triton")  # where the errors of torch's compiler are defined


def compiled_network(network: nn.Module, mode: str) -> Any:
    """The network by torch.compile, for batches of fixed sizes: it is compiled at its first one. It is called as the
    network is.

    Raises LstRobustError where this build of torch, or this version of Python, has no compiler.
    """
    try:
        return torch.compile(network, mode=mode, dynamic=False)
    except (RuntimeError, ImportError) as error:
        raise _not_compiled(error) from error


@contextmanager
def compiler_errors() -> Iterator[None]:
    """Turns the errors of torch's compiler into an LstRobustError of one line that gives the reason, and keeps its
    notes for programmers off stderr.

    torch wraps what went wrong in an error of its own. Lack of memory and a lost device are raised as they are: a
    caller may know of a smaller batch, or what is kept.
    """
    try:
        with _without_notes():
            yield
    except Exception as error:
        if not any(kind.__module__.startswith(COMPILER) for kind in type(error).__mro__):
            raise
        reasons = list(_reasons(error))
        for reason in reasons:
            if not_enough_memory(reason) or is_lost(reason):
                raise reason from None
        raise _not_compiled(reasons[-1]) from error


@contextmanager
def _without_notes() -> Iterator[None]:
    """Within it torch's own lines on stderr are errors only, such as no notes on breaks of the graph. The variable
    TORCH_LOGS, by which a person asks torch for them, is heeded."""
    if os.environ.get("TORCH_LOGS"):
        yield
        return
    handlers = [handler for name in LOGGERS for handler in logging.getLogger(name).handlers if _is_of_torch(handler)]

    def is_error(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    for handler in handlers:  # whose filters cost nothing to change, other than the loggers' levels
        handler.addFilter(is_error)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_error)


def _is_of_torch(handler: logging.Handler) -> bool:
    """Old releases have handlers of `logging` itself, with a format of their own."""
    return any(type(part).__module__.startswith("torch.") for part in (handler, handler.formatter))


def _reasons(error: BaseException) -> Iterator[BaseException]:
    """The error, that which the compiler wrapped in it, and so on to the first one."""
    following: BaseException | None = error
    seen: set[int] = set()
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        inner = getattr(following, "inner_exception", None)
        following = inner if isinstance(inner, BaseException) else following.__cause__


def _not_compiled(reason: BaseException) -> LstRobustError:
    kind, text = type(reason).__name__, first_line(reason)
    named = text if text.startswith(kind) else f"{kind}: {text}"
    return LstRobustError(
        f"the network cannot be compiled here ({named}): install a C++ compiler such as g++, or use --compile no"
    )
