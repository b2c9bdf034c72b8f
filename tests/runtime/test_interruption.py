"""Ctrl-C and SIGTERM as an event that long work looks at.

What a process of its own does is in tests/faults/test_signals.py.
"""

from __future__ import annotations

import os
import signal
import threading

import pytest

from lst_robust.runtime.interruption import STARTS_ANEW, Interruption, check_interrupted, interrupted


def test_the_first_signal_is_only_noted_and_the_work_looks_at_it():
    with Interruption():
        check_interrupted()
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            check_interrupted()
    assert Interruption.exit_code() == 128 + signal.SIGTERM


def test_a_second_signal_to_somebody_elses_process_raises_at_once():
    """Nothing would end work there that never looks."""
    with Interruption():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_new_one_begins_without_the_old_signal():
    with Interruption():
        os.kill(os.getpid(), signal.SIGINT)
    with Interruption():
        check_interrupted()


def test_a_program_that_has_called_a_command_may_go_on_after_it():
    with pytest.raises(KeyboardInterrupt), Interruption():
        os.kill(os.getpid(), signal.SIGINT)
        check_interrupted()
    assert not interrupted()
    check_interrupted()
    assert Interruption.exit_code() == 130, "which is still to be said"


def test_what_fails_after_a_signal_fails_because_of_it():
    with pytest.raises(KeyboardInterrupt), Interruption():
        os.kill(os.getpid(), signal.SIGINT)
        raise RuntimeError("a consequence")


def test_the_line_is_said_once():
    with Interruption():
        os.kill(os.getpid(), signal.SIGTERM)
        said = Interruption.line()
        assert said == "ended by SIGTERM; what was finished is kept, the same command goes on from there"
        assert Interruption.line() is None


def test_a_command_says_what_is_true_of_its_own_work():
    with Interruption():
        with Interruption(STARTS_ANEW):
            os.kill(os.getpid(), signal.SIGINT)
        assert Interruption.line() == "interrupted; the same command starts anew"
    with Interruption(), Interruption():
        os.kill(os.getpid(), signal.SIGINT)
        assert Interruption.line().endswith("the same command goes on from there")


def test_a_signal_after_the_work_is_too_late():
    with Interruption():
        os.kill(os.getpid(), signal.SIGINT)
        Interruption.work_is_done()
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        check_interrupted()
    with pytest.raises(KeyboardInterrupt), Interruption():  # the next command can be ended
        os.kill(os.getpid(), signal.SIGINT)
        check_interrupted()


def test_a_command_in_another_thread_decides_nothing_for_this_one():
    def work() -> None:
        with Interruption(STARTS_ANEW):
            Interruption.work_is_done()

    with Interruption():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupted() and Interruption.line().endswith("the same command goes on from there")


def test_the_inner_of_two_changes_nothing():
    with Interruption():
        handler = signal.getsignal(signal.SIGINT)
        with Interruption():
            os.kill(os.getpid(), signal.SIGINT)
        assert interrupted() and signal.getsignal(signal.SIGINT) == handler
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_other_threads_leave_the_handlers_alone():
    def work() -> None:
        with Interruption():
            handlers.append(signal.getsignal(signal.SIGINT))

    handlers: list[object] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]
