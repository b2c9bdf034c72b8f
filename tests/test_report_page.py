"""The page docs/report.md: its commands make its pictures, and its options are there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from lst_robust.cli.app import app
from lst_robust.reporting.figure_names import FIGURES, FORMATS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
    if not line.startswith("#")
]


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@pytest.mark.parametrize("command", [line for line in COMMANDS if "--figure" in line])
def test_a_command_draws_the_picture_that_the_page_shows(command, tmp_path, monkeypatch):
    """Text has other widths with another release of matplotlib, so the pictures are alike, not equal: moved by eight
    pixels they correlate by more than 0.8, mirrored or upside down by less than 0.5."""
    monkeypatch.chdir(ROOT)
    *arguments, out = shlex.split(command)[1:]
    done = CliRunner().invoke(app, [*arguments, str(tmp_path / "drawn.png")])
    assert done.exit_code == 0, done.output
    drawn, shown = Image.open(tmp_path / "drawn.png"), Image.open(ROOT / out)
    assert f"]({Path(out).name})" in PAGE
    assert abs(drawn.height - shown.height) <= 60 and abs(drawn.width - shown.width) <= 60
    ours, theirs = (np.asarray(picture.convert("L").resize((100, 100)), dtype=float) for picture in (drawn, shown))
    for other in (theirs[:, ::-1], theirs[::-1]):
        assert likeness(ours, other) < 0.6
    assert likeness(ours, theirs) > 0.7


@pytest.mark.slow  # tests/report/test_write.py makes the same page
def test_the_first_command_makes_a_page(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    *arguments, _ = shlex.split(COMMANDS[0])[1:]
    done = CliRunner().invoke(app, [*arguments, str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "index.html").is_file() and len(list((tmp_path / "networks").iterdir())) == 6


def test_what_it_names_is_there():
    assert all(f"`{figure}`" in PAGE for figure in FIGURES) and all(form in PAGE for form in FORMATS)
    help_text = CliRunner().invoke(app, ["report", "--help"], env={"COLUMNS": "200"}).output
    for option in set(re.findall(r"`(--[a-z-]+)", PAGE)) - {"--data-dir"}:
        assert option in help_text
    for picture in re.findall(r"!\[[^]]+\]\(([^)]+)\)", PAGE):
        assert (ROOT / "docs" / picture).is_file()
