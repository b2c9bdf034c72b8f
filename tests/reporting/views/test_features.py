"""How features look in a terminal."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from rich.console import Console

from lst_robust.analysis.features import FeatureStatistics
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import one_line
from lst_robust.reporting.views.features import features_view
from tests.analysis.test_features import network
from tests.reporting.hostile import HOSTILE

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]")  # all but the line breaks of the view itself


@pytest.fixture
def statistics() -> FeatureStatistics:
    cells = (CLEAN_CELL, Cell("fog", 3), Cell("snow", 3))
    return FeatureStatistics("digits-c", "output", 0.1, ("i", "j", "k"), cells, (network("x", 0), network("y", 0, 0.1)))


def shown(statistics: FeatureStatistics, width: int = 80) -> str:
    console = Console(width=width, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(features_view(statistics))
    return capture.get()


def test_a_row_a_measure_clean_and_corrupted(statistics) -> None:
    text = shown(statistics)
    assert "Features on digits-c, n = 3 images: what the layers put out" in text
    assert "0.300 [" in text and "0.550 [" in text and "x@seed0" in text
    cosine = next(line for line in text.splitlines() if "cosine to clean" in line)
    assert cosine.split()[3] == "-" and "0.800" in cosine  # nothing to compare clean images with
    assert "corrupted: mean of fog-3, snow-3" in text and "layers of each network: 2" in text


def test_a_single_cell_is_called_by_its_name(statistics) -> None:
    assert "fog-3" in shown(replace(statistics, cells=statistics.cells[:2]))
    assert "cosine" not in shown(replace(statistics, cells=statistics.cells[:1]))


def test_names_are_data(statistics) -> None:
    named = replace(statistics, networks=(replace(statistics.networks[0], label="[bold]x[/]"),))
    assert "[bold]x[/]" in shown(named)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_command_no_terminal(statistics, name) -> None:
    """Also that of a suite, which a person's YAML file gives."""
    networks = (replace(statistics.networks[0], label=name),)
    text = shown(replace(statistics, suite=name, networks=networks), width=2000)
    assert not CONTROL.search(text)
    assert text.startswith(f"Features on {one_line(name)}, n = 3") and text.count(one_line(name)) >= 2
