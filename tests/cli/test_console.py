"""Lines and bars on stderr: what the library logs, how far work is, and who speaks."""

from __future__ import annotations

import logging

import pytest

from lst_robust.cli import console
from lst_robust.cli.console import RichObserver, lines_on_stderr

LOGGER = logging.getLogger("lst_robust.somewhere")


def test_what_the_library_logs_is_a_line_each(capsys):
    with lines_on_stderr():
        LOGGER.info("%d epochs", 3)
        LOGGER.warning("net[/].py is gone: :x:\nnow")
        LOGGER.debug("nobody reads this")
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "3 epochs\nwarning: net[/].py is gone: :x:\\nnow\n"


def test_afterwards_and_without_it_the_logger_is_as_before(capsys):
    logger = logging.getLogger("lst_robust")
    before = logger.level, list(logger.handlers)
    with lines_on_stderr(), lines_on_stderr():  # the inner one adds nothing
        LOGGER.info("once")
    assert (logger.level, list(logger.handlers)) == before
    assert capsys.readouterr().err == "once\n"


def test_under_torchrun_one_process_speaks_for_all(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with lines_on_stderr():
        LOGGER.warning("what all of them see")
    assert capsys.readouterr().err == ""


def test_without_a_terminal_progress_is_a_line_now_and_then(capsys, monkeypatch):
    clock = iter([0.0, 10.0, 40.0, 40.0, 40.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    with RichObserver() as observer:
        observer.start("training", total=100, done=20)
        observer.advance(10, "loss 2")
        observer.advance(30, "loss 1")  # 40 steps in 40 seconds, and 40 to go
        observer.advance(5, "")
        observer.finish()
    assert capsys.readouterr().err == "training: 20 of 100 done\ntraining: 60 of 100, 0:00:40 left, loss 1\n"


def test_a_bar_shows_names_as_they_are_and_goes_away_with_an_error(monkeypatch, capsys):
    monkeypatch.setattr(console, "err", console.PipeConsole(emoji=False, stderr=True, force_terminal=True, width=100))
    with pytest.raises(ZeroDivisionError), RichObserver() as observer:
        observer.start("evaluating net[/].py", total=4)
        observer.advance(1, "mean error [so far]")
        raise ZeroDivisionError
    said = capsys.readouterr().err
    assert "evaluating net[/].py" in said and "1/4" in said and "[so far]" in said
    assert said.rindex("\x1b[?25h") > said.rindex("\x1b[?25l"), "the cursor is there again"
