"""The pictures of features hold what they are given, and can be written as all formats."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the extra `report` is not installed")

from lst_robust.analysis.features import FeatureStatistics, Picture
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import NothingToEvaluateError, UsageError
from lst_robust.reporting.figures.export import as_bytes
from lst_robust.reporting.figures.features import (
    NORMAL,
    Columns,
    LayerLine,
    columns_of,
    describe_columns,
    describe_layers,
    draw_columns,
    draw_layers,
    sparsity_panels,
)
from tests.analysis.test_features import network


def picture(bands: int = 4, rms: float = 0.5) -> Picture:
    columns = np.linspace(-1, 1, 64 * 16, dtype=np.float32).reshape(64, 16)
    return Picture("stages.0.0.t_s", columns, bands, rms, 0.31, 0.1, 0.1)


@pytest.fixture
def statistics() -> FeatureStatistics:
    cells = (CLEAN_CELL, Cell("fog", 3), Cell("snow", 3))
    return FeatureStatistics("digits-c", "output", 0.1, ("i", "j", "k"), cells, (network("x", 0), network("y", 0, 0.1)))


def test_amplitudes_are_clipped_as_in_the_paper_and_by_the_rms() -> None:
    figure = draw_columns([Columns("lst20", picture()), Columns("resnet20", picture(bands=0))])
    above, beside, below, _ = figure.axes[:4]
    absolute, relative = above.images[0], below.images[0]
    assert absolute.get_clim() == (0, 0.1) and relative.get_clim() == (0, 1)
    np.testing.assert_allclose(absolute.get_array(), np.abs(picture().columns))
    np.testing.assert_allclose(relative.get_array(), np.abs(picture().columns) / 0.5)
    assert above.get_title(loc="left").startswith("lst20\n10 % < 0.1") and "RMS 0.50" in above.get_title(loc="left")
    assert len(above.lines) == 3 and not beside.lines  # between four features; a ResNet has no bands
    assert below.get_xlabel() == "features, 4 bands"


def test_a_layer_of_zeros_can_be_drawn() -> None:
    zeros = Picture("a", np.zeros((4, 2), np.float32), 0, 0.0, 1.0, 1.0, 0.1)
    assert as_bytes(draw_columns([Columns("x", zeros)], width="column"), "png").startswith(b"\x89PNG")


@pytest.mark.parametrize("format", ["png", "pdf", "svg"])
@pytest.mark.parametrize("name", ["lst20", "a$b_{c}", "<b>ü\x00", "x" * 90])
def test_names_are_data(format, name) -> None:
    assert as_bytes(draw_columns([Columns(name, picture())]), format)
    assert as_bytes(draw_layers([("Hoyer", [LayerLine(name, [0.1, 0.2])])]), format)


def test_lines_by_layer(statistics) -> None:
    panels = sparsity_panels(statistics)
    assert [label for label, _ in panels] == ["Hoyer sparsity (scale-free)", "Share of |x| < 0.1 (depends on scale)"]
    (first, second) = panels[0][1]
    assert first.name == "x@seed0" and first.clean == pytest.approx([0.2, 0.4])
    assert first.corrupted == pytest.approx([0.6, 0.5]) and second.clean[0] == pytest.approx(0.2 + 0.1 / 3)
    figure = draw_layers(panels[:1])
    (axes,) = figure.axes
    assert [list(line.get_ydata()) for line in axes.lines[:2]] == [first.clean, first.corrupted]
    assert axes.lines[-1].get_ydata()[0] == NORMAL == pytest.approx(0.2021, abs=1e-4)
    assert len(axes.collections) == 2  # a band each
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["x@seed0", "y@seed0", "corrupted"]


def test_a_single_layer_shows_its_corrupted_score_as_a_hollow_mark() -> None:
    figure = draw_layers([("Hoyer", [LayerLine("x", [0.2], corrupted=[0.3])])])
    clean, corrupted = figure.axes[0].lines[:2]
    assert list(corrupted.get_ydata()) == [0.3] and corrupted.get_marker() == clean.get_marker() != "None"
    assert corrupted.get_markerfacecolor() == "none" != clean.get_markerfacecolor()
    assert figure.legends[0].get_lines()[-1].get_markerfacecolor() == "none"


def test_words_for_the_pictures(statistics) -> None:
    text = describe_columns([Columns("lst20", picture())])
    assert "lst20, layer stages.0.0.t_s: 10 % of values below 0.1, RMS 0.500, Hoyer sparsity 0.310" in text
    text = describe_layers(sparsity_panels(statistics)[:1])
    assert "x@seed0 0.300 clean and 0.550 corrupted, y@seed0" in text


def test_what_cannot_be_drawn(statistics) -> None:
    assert columns_of(statistics) == []
    for draw in (lambda: draw_columns([]), lambda: draw_layers([("Hoyer", [])]), lambda: describe_columns([])):
        with pytest.raises(NothingToEvaluateError, match="no figure to draw"):
            draw()
    with pytest.raises(UsageError, match="7 networks side by side has no room: name at most 6"):
        draw_columns([Columns("x", picture())] * 7)
