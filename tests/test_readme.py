"""The README: short, its commands those of CI, and every number in it from a results file or from the program."""

from __future__ import annotations

import re
from pathlib import Path

from lst_robust.analysis.statistics import CONFIDENCE
from lst_robust.benchmark import CORRUPTIONS, SEVERITIES
from tests.fixtures.pages import blocks

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BASH = [block.commands() for block in blocks("bash", page="README.md")]


def test_it_is_read_in_a_minute_or_three():
    words = re.sub(r"\]\([^)]+\)|<!--.*?-->", " ", TEXT)
    assert len(words.split()) < 700


def test_it_opens_with_the_two_commands_and_then_pip():
    assert [words[:2] for words in BASH[0]] == [["make", "eval"], ["make", "test"]]
    assert BASH[1][0] == ["pip", "install", "-e", ".[test]"]
    makefile = (ROOT / "Makefile").read_text()
    assert "\neval:" in makefile and "\ntest:" in makefile


def test_its_test_command_is_what_ci_calls():
    assert re.search(r"^make test( |$)", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)


def test_every_number_comes_from_a_results_file_or_from_the_program():
    """Those between begin and end are written by benchmarks.tables, see test_docs.py; code is run by test_pages.py."""
    prose = re.sub(r"<!-- (\w+): begin -->.*?<!-- \1: end -->", "", TEXT, flags=re.DOTALL)
    prose = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", "", prose, flags=re.DOTALL)
    numbers = set(re.findall(r"(?<![\w-])\d+(?:\.\d+)?", prose))
    python = re.search(r'^requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    known = {str(len(CORRUPTIONS)), str(len(SEVERITIES)), python, f"{100 * CONFIDENCE:.0f}"}
    assert numbers <= known, numbers - known


def test_it_shows_one_picture_which_is_there():
    (picture,) = re.findall(r"!\[[^]]+\]\(([^)]+)\)", TEXT)
    assert (ROOT / picture).is_file()
