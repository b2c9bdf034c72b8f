"""Calls on their way to another process, as bytes.

`ProcessPoolExecutor` pickles in a thread and unpickles before it calls anything. What cannot be pickled then looks like
a failure of the task, and what cannot be unpickled kills the worker, which looks like a lack of memory.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from lst_robust.errors import LstRobustError, UsageError, message_of


def pickled(function: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    """A call; UsageError where something in it cannot be pickled, as a network with a lambda."""
    try:
        return pickle.dumps((function, arguments), pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # __reduce__ of anything may raise anything
        raise UsageError(cannot_travel(error)) from error


def call_pickled(content: bytes) -> Any:
    """Makes the call. Raises what it raises; UsageError where it cannot be unpickled, as a class of a notebook."""
    try:
        function, arguments = pickle.loads(content)
    except LstRobustError:  # of a task that says itself why it does not fit here
        raise
    except Exception as error:
        raise UsageError(cannot_travel(error)) from error
    return function(*arguments)


def cannot_travel(error: Exception) -> str:
    """What to say of a task that cannot be pickled or unpickled."""
    return (
        f"a task cannot be sent to another process ({message_of(error)}): name the network, such as "
        "net.py:build, or define its class in a module, with no lambda in it"
    )
