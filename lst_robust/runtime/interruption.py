"""Ctrl-C, and SIGTERM, which schedulers and torchrun send, as an event that long work looks at between its steps.

The command then ends, and what was finished is kept. Nothing has to be saved for that: a record, an image or a
checkpoint is a whole file as soon as it has its name, and the system releases the locks of a process that ends. So
where the work does not come to its next step in time, the process just exits.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, ClassVar

from lst_robust.runtime.rank import is_leader

GRACE = 3.0  # seconds for the work to come to its next step; schedulers and torchrun kill after ten to thirty
LAST = 1.0  # seconds for the last calls
AGAIN = 1.0  # seconds before a further signal counts: `timeout` and schedulers send the same to process and group
DEFAULTS: dict[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
GOES_ON = "what was finished is kept, the same command goes on from there"
STARTS_ANEW = "the same command starts anew"
SHOW_CURSOR = b"\x1b[?25h\n"  # which a bar has hidden


def interrupted() -> bool:
    """Whether a signal has come and the command shall end. After the command this is False again: a program that has
    called it may go on."""
    return Interruption._active is not None and Interruption.signum is not None


def check_interrupted() -> None:
    """To be called between the steps of long work: raises KeyboardInterrupt when the command shall end."""
    if interrupted():
        raise KeyboardInterrupt


class Interruption:
    """Within it Ctrl-C and SIGTERM are noted, and `check_interrupted` raises from then on.

    Where the process is ours (`owns_process`), a thread ends it GRACE seconds later, or at once when a further signal
    comes; and so does leaving this, when a signal has come. Where it is not, a further signal raises KeyboardInterrupt.
    A signal that comes so late that all work is done (`work_is_done`) changes nothing.

    A signal that is ignored or has another handler stays as it is, as within another of these, and in other threads
    than the main one all do.
    """

    owns_process: ClassVar[bool] = False  # it ends with the command; not where a program or a test calls the command
    signum: ClassVar[int | None] = None
    advice: ClassVar[str] = GOES_ON
    _said: ClassVar[bool] = False
    _done: ClassVar[bool] = False
    _active: ClassVar[Interruption | None] = None
    last_calls: ClassVar[list[Callable[[], object]]] = []

    def __init__(self, advice: str | None = None) -> None:
        """advice: what the command says of its work when it is ended; default: as an outer one, else GOES_ON."""
        self._advice = advice

    def __enter__(self) -> None:
        if Interruption._active is None:
            Interruption.signum, Interruption._said, Interruption._done = None, False, False
            Interruption.advice = GOES_ON
        self._ours: list[signal.Signals] = []
        if threading.current_thread() is threading.main_thread():
            Interruption.advice = self._advice or Interruption.advice
            self._ours = [signum for signum, default in DEFAULTS.items() if signal.getsignal(signum) == default]
        if not self._ours:
            return
        Interruption._active = self
        self._watcher = _Watcher(self._ours) if Interruption.owns_process else None
        for signum in self._ours:
            signal.signal(signum, self._note)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        came = interrupted()
        if self._ours:
            if Interruption.signum is not None and Interruption.owns_process:
                _flush()
                _end_process(Interruption.signum)
            self.restore()
        if came and isinstance(error, Exception):  # what fails after a signal fails because of it
            raise KeyboardInterrupt

    def restore(self) -> None:
        """Everything as it was before."""
        for signum in self._ours:
            signal.signal(signum, DEFAULTS[signum])
        if self._watcher is not None:
            self._watcher.close()
        Interruption._active = None

    @staticmethod
    def work_is_done() -> None:
        """To be called when a command has written and said everything: a signal has then come too late to end it."""
        if threading.current_thread() is threading.main_thread():
            Interruption._done, Interruption.signum = True, None

    @staticmethod
    def _note(signum: int, frame: FrameType | None) -> None:
        if Interruption._done:
            return
        if Interruption.signum is None:
            Interruption.signum = signum
        elif not Interruption.owns_process:  # else the watcher decides, and the work ends undisturbed
            raise KeyboardInterrupt

    @staticmethod
    def exit_code() -> int:
        """As a shell says it: 130 after Ctrl-C, 143 after SIGTERM."""
        return 128 + (Interruption.signum or signal.SIGINT)

    @staticmethod
    def line(signum: int | None = None) -> str | None:
        """What to say of it, the first time that this is asked; under torchrun one process speaks for all."""
        if Interruption._said or not is_leader():
            return None
        Interruption._said = True
        cause = "ended by SIGTERM" if (signum or Interruption.signum) == signal.SIGTERM else "interrupted"
        return f"{cause}; {Interruption.advice}"


@contextmanager
def last_call(call: Callable[[], object]) -> Iterator[None]:
    """Within it a thread makes this call where a signal ends the process before the work comes to its next step. It is
    for work that would go on elsewhere, and has LAST seconds."""
    Interruption.last_calls.append(call)
    try:
        yield
    finally:
        Interruption.last_calls.remove(call)


class _Watcher:
    """A thread that hears of each signal from C, whatever the main thread is doing, and ends the process in time."""

    def __init__(self, signums: list[signal.Signals]) -> None:
        self._signums = signums
        self._hears, self._told = socket.socketpair()
        self._told.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._told.fileno(), warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._watch, name="interruption", daemon=True)
        self._thread.start()

    def close(self) -> None:
        signal.set_wakeup_fd(self._wakeup)
        self._told.close()  # the thread sees this and returns
        self._thread.join()
        self._hears.close()

    def _watch(self) -> None:
        last = first = self._next_signal(until=None)
        came = time.monotonic()
        try:
            while last is not None:
                last = self._next_signal(until=came + GRACE)
                if last is not None and time.monotonic() - came > AGAIN:
                    _end_process(last)
        except TimeoutError:
            _end_process(first or signal.SIGTERM)

    def _next_signal(self, until: float | None) -> int | None:
        """The number of the next of our signals, None once this is closed. TimeoutError when neither comes in time."""
        while True:
            self._hears.settimeout(None if until is None else max(until - time.monotonic(), 0.001))
            number = self._hears.recv(1)
            if not number:
                return None
            if number[0] in self._signums:
                return number[0]


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # there is none, its reader has gone, it is closed
            stream.flush()


def _end_process(signum: int) -> None:
    """Not as Python ends one: it would wait for threads, and would end as if by Ctrl-C where C had called the code that
    was broken off."""
    try:
        stderr, line = sys.__stderr__, Interruption.line(signum)
        if stderr is not None and line is not None:
            with suppress(OSError, ValueError):
                _write_now(stderr.fileno(), f"error: {line}\n".encode())
        threads = [threading.Thread(target=call, daemon=True) for call in Interruption.last_calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LAST)
    finally:
        os._exit(128 + signum)


def _write_now(descriptor: int, text: bytes) -> None:
    """Past Python's streams, whose locks the main thread may hold, and not where a full pipe would block."""
    if select.select([], [descriptor], [], 0)[1]:
        os.write(descriptor, (SHOW_CURSOR if os.isatty(descriptor) else b"") + text)


def _leave_fork() -> None:
    """The process that a fork makes is not the command: a signal to it must not end ours."""
    if Interruption._active is not None:
        Interruption._active.restore()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_fork)
