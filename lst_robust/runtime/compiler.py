"""torch.compile: its modes, and what is said where it fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lst_robust.errors import LstRobustError
from lst_robust.runtime.devices import first_line, not_enough_memory

NOT_COMPILED = "no"
COMPILE_MODES = (NOT_COMPILED, "default", "reduce-overhead", "max-autotune")
"""torch.compile's modes; reduce-overhead and max-autotune record CUDA graphs."""
COMPILER = ("torch._dynamo", "torch._inductor", "triton")  # where the errors of torch's compiler are defined


@contextmanager
def compiler_errors() -> Iterator[None]:
    """Turns the errors of torch's compiler into an LstRobustError of one line. Lack of memory that ended it is raised
    as it is, because a caller may know of a smaller batch."""
    try:
        yield
    except Exception as error:
        if not any(kind.__module__.startswith(COMPILER) for kind in type(error).__mro__):
            raise
        if error.__cause__ is not None and not_enough_memory(error.__cause__):
            raise error.__cause__ from None
        raise LstRobustError(
            f"the network cannot be compiled here ({first_line(error)}): install a C++ compiler such as g++, or "
            "use --compile no"
        ) from error
