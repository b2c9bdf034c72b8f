"""A call that Slurm's jobs make again when they are put back into the queue."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any


class Requeued:
    """Calls a function. submitit's signal handler asks for `checkpoint`: the same call once more."""

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGUSR1, signal.SIGUSR2):
                handler = signal.getsignal(signum)
                if callable(handler) and getattr(handler, "__name__", None) == "checkpoint_and_try_requeue":
                    signal.signal(signum, partial(_leave_at_once, handler))
        return function(*arguments)

    def checkpoint(self, *arguments: Any) -> Any:
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *arguments)


def _leave_at_once(requeue: Callable[[int, FrameType | None], Any], signum: int, frame: FrameType | None) -> None:
    """submitit's handler puts the job back into the queue and raises SystemExit, or another error where Slurm ends
    the job meanwhile. In the midst of a network's code that would look like an error of the network. The process ends
    here: what was measured is in whole files, and a job that leaves no result is submitted again."""
    try:
        requeue(signum, frame)
    except SystemExit:
        pass
    except BaseException:
        with suppress(Exception):  # as of a disk that is full
            traceback.print_exc()
    else:
        return  # it has nothing to do with this process
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(255)
