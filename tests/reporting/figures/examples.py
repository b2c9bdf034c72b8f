"""Plain data for every figure: networks with values that can be told by hand, and names that are hard to write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from lst_robust.benchmark import CORRUPTIONS, group_of, label_of
from lst_robust.reporting.figures import agreement, curves, forest, heatmap, network_curves, reliability, scatter, seeds

HARD = ("$x^2$ & <b>", "two\nlines\x1b[1m", "url(#a)]]>", "\ufffe\udc80", "a" * 300)


def names(count: int) -> list[str]:
    return [*HARD, *(f"net{index}" for index in range(count))][:count]


def lines(count: int, missing: Sequence[str] = ("fog",)) -> list[curves.Line]:
    """Network i has the error 10 + i + place of the corruption + severity, its band reaches one further."""
    errors = [
        {
            name: [None if name in missing else 10.0 + index + place + severity for severity in range(1, 6)]
            for place, name in enumerate(CORRUPTIONS)
        }
        for index in range(count)
    ]

    def moved(rows: dict[str, list[float | None]], by: float) -> dict[str, list[float | None]]:
        return {name: [None if value is None else value + by for value in row] for name, row in rows.items()}

    return [curves.Line(n, rows, moved(rows, -1), moved(rows, 1)) for n, rows in zip(names(count), errors, strict=True)]


def rows(count: int) -> list[heatmap.HeatRow]:
    return [
        heatmap.HeatRow(name, {c: None if (i, c) == (0, "fog") else 50.0 + i + p for p, c in enumerate(CORRUPTIONS)})
        for i, name in enumerate(names(count))
    ]


def points(count: int) -> scatter.Scatter:
    own = [
        scatter.Point(n, 10.0 + i, 50.0 + 2 * i, 9.0 + i, 11.0 + i, 48.0 + 2 * i, None)
        for i, n in enumerate(names(count))
    ]
    published = [scatter.Point(f"<{i}>", 12.0 + i, 53.0 + 2 * i) for i in range(30)]
    return scatter.Scatter(
        [*own, scatter.Point("lost", None, 3.0)], "mCE (15)", published, "a & b", scatter.Fit(2, 30, 30, 0.98, 5, 60)
    )


def contrasts(count: int) -> list[forest.Contrast]:
    metric = [forest.Difference("mCE (15)", "Metrics", -2.5, -3.0, -2.0, 0.001, -60.0, 50.0)]
    others = [
        forest.Difference(
            label_of(c), group_of(c), None if c == "fog" else p - 9.0, p - 9.5, p - 8.5, 0.04 if p < 9 else 0.3
        )
        for p, c in enumerate(CORRUPTIONS)
    ]
    return [forest.Contrast(name, [*metric, *others]) for name in names(count)]


def trainings(count: int) -> list[seeds.Trainings]:
    return [seeds.Trainings(n, [90.0 + i, 92.0 + i, 94.0 + i, None][: 1 + i % 4]) for i, n in enumerate(names(count))]


def calibrated(count: int) -> list[reliability.Calibrated]:
    bins = reliability.Bins([0] * 13 + [40, 60], [0.0] * 13 + [36.0, 58.0], [0] * 13 + [30, 54])  # ECE 10 %
    return [reliability.Calibrated(n, bins, None if i == 1 else bins) for i, n in enumerate(names(count))]


def kappas(count: int) -> agreement.Agreement:
    matrix = [[None if {i, j} == {0, 1} and count > 2 else (i + j) / 100 for j in range(count)] for i in range(count)]
    return agreement.Agreement(names(count), matrix, matrix)


class Example(NamedTuple):
    """A figure: how it is drawn, described and what from."""

    draw: Callable[..., Figure]
    describe: Callable[..., str]
    data: Callable[[int], Any]
    options: dict[str, Any]

    def figure(self, count: int, width: str = "page") -> Figure:
        return self.draw(self.data(count), width=width, **self.options)


EXAMPLES = {
    "curves": Example(curves.draw_curves, curves.describe_curves, lines, {}),
    "network_curves": Example(
        network_curves.draw_network_curves,
        network_curves.describe_network_curves,
        lambda count: lines(1)[0],
        {"clean_error": 9.0},
    ),
    "heatmap": Example(heatmap.draw_heatmap, heatmap.describe_heatmap, rows, {}),
    "scatter": Example(scatter.draw_scatter, scatter.describe_scatter, points, {}),
    "forest": Example(forest.draw_forest, forest.describe_forest, contrasts, {"reference": HARD[0]}),
    "seeds": Example(seeds.draw_seeds, seeds.describe_seeds, trainings, {"quantity": "mCE (15)"}),
    "reliability": Example(reliability.draw_reliability, reliability.describe_reliability, calibrated, {}),
    "agreement": Example(
        agreement.draw_agreement, agreement.describe_agreement, lambda count: kappas(max(2, count)), {}
    ),
}
