"""What each figure shows is what it was given."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from lst_robust.benchmark import CORRUPTIONS
from lst_robust.reporting.figures import agreement, curves, forest, heatmap, network_curves, reliability, scatter, seeds
from lst_robust.reporting.figures.labels import Box, place_labels, spread_apart
from lst_robust.reporting.figures.names import plain, short_names, shortened
from lst_robust.reporting.figures.panels import placed
from lst_robust.reporting.palette import looks
from tests.reporting.figures.examples import (
    EXAMPLES,
    calibrated,
    contrasts,
    kappas,
    lines,
    names,
    points,
    rows,
    trainings,
)


def titles(figure) -> list[str]:
    return [axes.get_title("left") for axes in figure.axes if axes.get_title("left")]


def test_curves_have_a_panel_a_corruption_and_a_line_a_network() -> None:
    figure = EXAMPLES["curves"].figure(6)
    panels = [axes for axes in figure.axes if axes.get_title("left")]
    assert len(panels) == 18  # fog was not measured
    shot = next(axes for axes in panels if axes.get_title("left") == "Shot")
    drawn = {tuple(line.get_ydata()) for line in shot.lines}
    assert drawn == {tuple(line.errors["shot_noise"]) for line in lines(6)}
    assert len(shot.collections) == 6  # bands
    low, high = shot.get_ylim()
    assert low <= 10 and high >= 23


def test_curves_of_many_networks_are_grey_but_for_eight() -> None:
    figure = EXAMPLES["curves"].figure(20)
    panel = next(axes for axes in figure.axes if axes.get_title("left") == "Shot")
    assert len(panel.lines) == 20 and len(panel.collections) == 8
    assert len({line.get_color() for line in panel.lines}) == 9
    assert "12 others" in curves.describe_curves(lines(20))


def test_curves_of_few_corruptions_and_single_cells() -> None:
    line = curves.Line("a", {"fog": [None, None, 30.0, None, None], "own_thing": [1.0, 2.0, 3.0, 4.0, 5.0]})
    figure = curves.draw_curves([line], width="column")
    assert titles(figure) == ["Fog", "own_thing"]
    assert [list(axes.lines[0].get_ydata())[2] for axes in figure.axes[:2]] == [30.0, 3.0]
    assert "from 1.0 to 5.0 %" in curves.describe_curves([line])


def test_rows_of_panels_are_groups_where_that_wastes_little() -> None:
    whole = placed(CORRUPTIONS)
    assert [sum(name is not None for name in row) for row in whole] == [3, 4, 4, 4, 4]
    assert placed(["fog", "gaussian_noise", "contrast"]) == [["gaussian_noise", "fog", "contrast"]]


def test_network_curves_name_each_line_beside_it() -> None:
    figure = EXAMPLES["network_curves"].figure(1)
    assert titles(figure) == ["Noise", "Blur", "Weather", "Digital", "Extra"]
    assert [text.get_text() for text in figure.axes[2].texts] == ["Snow", "Frost", "Bright.", "clean"]
    text = network_curves.describe_network_curves(lines(1)[0], clean_error=9.0)
    assert "13.0 % (Gauss.)" in text and "31.0 % (Speckle)" in text and "9.0 %" in text


@pytest.mark.parametrize("width", ["column", "page"])
def test_heatmap_writes_each_number_and_hatches_gaps(width: str) -> None:
    figure = EXAMPLES["heatmap"].figure(3, width)
    cells = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    assert len(cells) == 3 * 19 and sum(bool(cell.get_hatch()) for cell in cells) == 1
    numbers = [text.get_text() for text in figure.axes[0].texts if text.get_text().isdigit()]
    expected = [row.values[name] for row in rows(3) for name in CORRUPTIONS]
    assert sorted(numbers) == sorted(f"{value:.0f}" for value in expected if value is not None)
    text = heatmap.describe_heatmap(rows(3))
    assert "50.0 %" in text and "70.0 %" in text and "1 of 57 cells" in text


def test_scatter_draws_points_intervals_and_the_line() -> None:
    figure = EXAMPLES["scatter"].figure(2)
    axes = figure.axes[0]
    drawn = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if len(line.get_xdata()) == 1]
    assert len(drawn) == 30 + 2 and {(10.0, 50.0), (11.0, 52.0)} <= set(drawn)
    x, y = next(line.get_data() for line in axes.lines if len(line.get_xdata()) == 2 and np.ptp(line.get_xdata()) > 10)
    assert np.allclose(y, 30 + 2 * np.asarray(x))
    text = scatter.describe_scatter(points(2))
    assert "0.0 points" in text and "30 published networks" in text and "R² 0.98" in text
    alone = scatter.draw_scatter(points(2)._replace(published=()))
    assert all(np.ptp(line.get_xdata()) < 5 for line in alone.axes[0].lines)


def test_scatter_names_stand_apart_or_in_a_legend() -> None:
    few = EXAMPLES["scatter"].figure(3)
    boxes = [text.get_window_extent() for text in few.axes[0].texts]
    assert len(boxes) == 3
    assert not any(one.overlaps(other) for index, one in enumerate(boxes) for other in boxes[:index])
    crowded = scatter.Scatter([scatter.Point(f"network number {i}", 10.0, 20.0) for i in range(40)], "mCE")
    figure = scatter.draw_scatter(crowded)
    assert not figure.axes[0].texts and len(figure.legends[0].get_texts()) == 40


def test_forest_fills_what_is_significant() -> None:
    figure = EXAMPLES["forest"].figure(1)
    marks = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    drawn = {line.get_xdata()[0]: line.get_markerfacecolor() != "#ffffff" for line in marks}
    expected = {row.difference: row.significant for row in contrasts(1)[0].rows if row.difference is not None}
    assert drawn == expected
    low, high = figure.axes[0].get_xlim()
    assert -25 < low < -9.5 and 9.5 < high < 25  # the interval over trainings is cut, those over images are not
    text = forest.describe_forest(contrasts(1), reference="base")
    assert "better in 10 and worse in 0 of 19 rows" in text and "-2.50 [-3.00, -2.00]" in text


def test_forest_of_many_networks_has_them_as_rows() -> None:
    figure = EXAMPLES["forest"].figure(20)
    assert titles(figure) == ["mCE (15)"]
    assert len([line for line in figure.axes[0].lines if line.get_marker() == "o"]) == 20


def test_seeds_draw_each_training_and_the_mean() -> None:
    figure = EXAMPLES["seeds"].figure(3)
    axes = figure.axes[0]
    dots = sorted(line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o")
    assert dots == [90.0, 91.0, 92.0, 93.0, 94.0, 96.0]
    means = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "|"]
    assert means == [92.0, 94.0]
    assert "94.00 % [89.03, 98.97] (n = 3, standard deviation 2.00)" in seeds.describe_seeds(trainings(3), quantity="m")


def test_reliability_draws_accuracy_against_confidence() -> None:
    figure = EXAMPLES["reliability"].figure(1)
    upper = figure.axes[0]
    line = next(line for line in upper.lines if line.get_marker() == "o")
    assert np.allclose(line.get_xdata(), [90, 58 / 60 * 100]) and np.allclose(line.get_ydata(), [75, 90])
    assert calibrated(1)[0].clean.ece() == pytest.approx(10)
    assert "10.0 and –" in reliability.describe_reliability(calibrated(2))


def test_agreement_leaves_the_diagonal_blank() -> None:
    figure = EXAMPLES["agreement"].figure(4)
    for axes in figure.axes[:2]:
        assert len(axes.patches) == 12 and sum(bool(patch.get_hatch()) for patch in axes.patches) == 2
        assert sorted(text.get_text() for text in axes.texts) == sorted([".02", ".03", ".03", ".04", ".05"] * 2)
    assert "0.02" in agreement.describe_agreement(kappas(4)) and "0.05" in agreement.describe_agreement(kappas(4))


def test_looks_differ_in_more_than_colour() -> None:
    assert len(set(looks(72))) == 72
    assert len({look.marker for look in looks(8)}) == 8


def test_names_are_shortened_and_stay_apart() -> None:
    assert plain("a\nb\ufffe") == "a\\nb\ufffd"
    assert shortened("abcdefghij", 5) == "ab…ij"
    assert short_names(["abcdefghij", "abXXXXXXij", "x"], 5) == ["ab…ij", "ab…ij (2)", "x"]
    assert len(set(short_names(names(20), 12))) == 20


def test_labels_do_not_cover_each_other() -> None:
    assert spread_apart([5.0, 5.0, 1.0], 2.0, 0.0, 10.0) == [4.0, 6.0, 1.0]
    assert spread_apart([9.5, 9.9], 2.0, 0.0, 10.0) == [8.0, 10.0]
    assert spread_apart([], 1.0, 0.0, 1.0) == []
    crowd = spread_apart([1.0] * 5, 2.0, 0.0, 4.0)
    assert crowd == [0.0, 1.0, 2.0, 3.0, 4.0]
    frame = Box(0, 0, 300, 300)
    centres = place_labels([(150, 150), (152, 151), (148, 149)], [(40, 8)] * 3, frame)
    boxes = [Box(x - 20, y - 4, x + 20, y + 4) for x, y in centres]
    assert not any(one.overlap(other) > 0 for index, one in enumerate(boxes) for other in boxes[:index])
