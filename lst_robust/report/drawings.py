"""The figures of a protocol, as they are drawn from its networks: for a page, and for a paper.

Each has a function from the networks to what the module of that figure in `lst_robust.reporting.figures` draws.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from lst_robust.analysis.agreement import agreement
from lst_robust.analysis.metrics import Metric
from lst_robust.analysis.networks import MeasuredNetwork
from lst_robust.analysis.selection import matches
from lst_robust.benchmark import CLEAN_CELL, SEVERITIES, label_of
from lst_robust.errors import NothingToEvaluateError
from lst_robust.report.cloud import cloud
from lst_robust.report.inputs import (
    by_corruption,
    calibrated,
    change,
    differences,
    kappa_rows,
    line_of,
    number,
    point_of,
    severity_rows,
    with_ends,
)
from lst_robust.report.measured import Measured, comparisons, reference_of
from lst_robust.report.request import ReportRequest
from lst_robust.reporting.columns import corruption_columns
from lst_robust.reporting.figures import agreement as agreement_figure
from lst_robust.reporting.figures import curves, forest, heatmap, reliability, scatter, seeds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lst_robust.reporting.figures.style import Width


logger = logging.getLogger(__name__)


class Drawing(NamedTuple):
    """A figure that can be drawn. draw: in the width of a page or of a paper's column. description: its text
    alternative. data: the head and the rows of the numbers behind it, as texts; empty where they stand elsewhere."""

    name: str
    title: str
    caption: str
    draw: Callable[[Width], Figure]
    description: str
    data: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Drawer:
    """Draws the figures of one protocol."""

    measured: Measured
    request: ReportRequest

    def drawing(self, name: str) -> Drawing:
        """Raises NothingToEvaluateError, in one line, where these networks have nothing to show in it."""
        makers: Mapping[str, Callable[[], Drawing]] = {
            "heatmap": self._heatmap,
            "curves": self._curves,
            "scatter": self._scatter,
            "forest": self._forest,
            "seeds": self._seeds,
            "reliability": self._reliability,
            "agreement": self._agreement,
        }
        return makers[name]()

    def _heatmap(self) -> Drawing:
        quantity = "CE" if self.measured.has_ce else "Error"
        rows = [
            heatmap.HeatRow(label, by_corruption(self.measured, label, network)) for label, network in self._labelled()
        ]
        stated = {name for row in rows for name, value in row.values.items() if value is not None}
        corruptions = [name for _, name in corruption_columns(stated)]
        errors = [network.summary.errors for _, network in self._labelled()]
        measured = {name for of_one in errors for name, row in of_one.items() if any(one is not None for one in row)}
        without = [label_of(name) for _, name in corruption_columns(measured - stated)] if stated else []
        head = ("network", *map(label_of, corruptions))
        data = [(row.name, *(number(row.values.get(name), 1) for name in corruptions)) for row in rows]
        return Drawing(
            "heatmap",
            f"{quantity} of each corruption",
            "A row a network, the best one first; a column a corruption. Light is low, and low is good."
            + (" CE is in percent of the normaliser's errors." if self.measured.has_ce else "")
            + (f" Without a CE, and so not here: {', '.join(without)}." if without else ""),
            lambda width: heatmap.draw_heatmap(rows, quantity=quantity, width=width),
            heatmap.describe_heatmap(rows, quantity=quantity),
            (head, *data),
        )

    def _curves(self) -> Drawing:
        lines = [line_of(label, network) for label, network in self._labelled()]
        return Drawing(
            "curves",
            "Error at each severity",
            "Top-1 error in percent from severity 1 (weak) to 5 (strong). The bands are 95 % intervals over images.",
            lambda width: curves.draw_curves(lines, width=width),
            curves.describe_curves(lines),
            (
                ("network", "corruption", *(f"severity {severity}" for severity in SEVERITIES)),
                *((line.name, *row) for line in lines for row in severity_rows(line)),
            ),
        )

    def _scatter(self) -> Drawing:
        metric = self._metric()
        points = [point_of(self.measured, label, network, metric) for label, network in self._labelled()]
        behind = cloud(self.request, self.measured, metric)
        found = scatter.Scatter(points, metric.title)
        caption = "Each network with its 95 % intervals over images. Lower left is better."
        if behind is None and self.request.published:
            nothing = f"none of the published networks has a clean error and {metric.title} on these images"
            logger.warning("%s: %s", self.measured.name, nothing)
            caption += f" N{nothing[1:]}."
        if behind is not None:
            line = behind.line
            found = scatter.Scatter(
                points,
                metric.title,
                [scatter.Point(one.model, *at) for one, at in zip(behind.results, behind.points, strict=True)],
                behind.source,
                None if line is None else scatter.Fit(line.slope, line.intercept, line.n, line.r2, line.low, line.high),
            )
            caption += f" Grey: {len(behind.results)} published networks ({behind.source}), another protocol than ours."
            if line is None:
                caption += f" There is no line: {behind.no_line}."
            else:
                caption += (
                    f" The line is fitted to them (least squares, R² = {line.r2:.2f}, clean errors of {line.low:.0f} "
                    f"to {line.high:.0f} %). A network below it is effectively robust: its error on corrupted images "
                    "is lower than its clean error predicts. No network outside of that range is judged by it."
                )
        return Drawing(
            "scatter",
            "Clean error and robustness",
            caption,
            lambda width: scatter.draw_scatter(found, width=width),
            scatter.describe_scatter(found),
            (
                ("network", "clean error, %", f"{metric.title}, %"),
                *(
                    (p.name, with_ends(p.clean_error, p.clean_low, p.clean_high), with_ends(p.value, p.low, p.high))
                    for p in points
                ),
            ),
        )

    def _forest(self) -> Drawing:
        reference = reference_of(self.measured, self.request.reference)
        if reference is None:
            known = ", ".join(label for label, _ in self._labelled())
            raise NothingToEvaluateError(f"no network {self.request.reference!r} to compare to: choose from {known}")
        compared, notes = comparisons(self.measured, reference)
        if not compared:
            raise NothingToEvaluateError("; ".join(notes) or "one network alone is not compared: measure another one")
        contrasts = [forest.Contrast(label, differences(comparison)) for label, comparison in compared]
        name = reference.summary.label
        if named := _of_its_trainings(reference, self.request.reference):
            notes.insert(0, named)
        head = ("", *(contrast.name for contrast in contrasts))
        of_each = [{(row.group, row.label): row for row in contrast.rows} for contrast in contrasts]
        data = [
            (key[1], *(change(rows.get(key)) for rows in of_each))
            for key in dict.fromkeys(key for rows in of_each for key in rows)
        ]
        return Drawing(
            "forest",
            f"Differences to {name}",
            f"Each network minus {name}, image by image, in percentage points, with 95 % intervals over images; below "
            f"0 the network is better than {name}. A filled mark: p < 0.05, over the corruptions by Holm's method. A "
            "thin line: the interval over trainings, where there are several." + "".join(f" {note}." for note in notes),
            lambda width: forest.draw_forest(contrasts, reference=name, width=width),
            forest.describe_forest(contrasts, reference=name),
            (head, *data),
        )

    def _seeds(self) -> Drawing:
        metric = self._metric()
        rows = []
        for label, network in self._labelled():
            runs = network.summary.trainings or (network.summary,)
            stated = self.measured.value(label, metric) is not None
            rows.append(seeds.Trainings(label, [run.metrics[metric.name] if stated else None for run in runs]))
        if not any(len(row.values) > 1 for row in rows):
            raise NothingToEvaluateError("no network has several trainings: train one with another --seed, and measure")
        most = max(len(row.values) for row in rows)
        head = ("network", *(f"training {place + 1}" for place in range(most)))
        data = [(row.name, *(number(value, metric.decimals) for value in row.values)) for row in rows]
        return Drawing(
            "seeds",
            "The same network, trained again",
            f"{metric.title} of each training, which differ in their seed only, and the mean with its 95 % interval "
            "over trainings (Student's t).",
            lambda width: seeds.draw_seeds(rows, quantity=metric.title, width=width),
            seeds.describe_seeds(rows, quantity=metric.title),
            (head, *((*row, *[""] * (len(head) - len(row))) for row in data)),
        )

    def _reliability(self) -> Drawing:
        cells = self.measured.common_cells()
        found = [calibrated(label, network, cells) for label, network in self._labelled()]
        if not any(network.clean or network.corrupted for network in found):
            raise NothingToEvaluateError("these records have no calibration: measure anew with eval --overwrite")
        return Drawing(
            "reliability",
            "Is a network as often right as it is sure?",
            "Accuracy against confidence in 15 bins, all trainings together, and below the share of images in each "
            "bin. Below the diagonal a network is too sure. Corrupted: the "
            f"{len(cells - {CLEAN_CELL})} cells that all networks have, taken together; so is their ECE.",
            lambda width: reliability.draw_reliability(found, width=width),
            reliability.describe_reliability(found),
            (
                ("network", "ECE, clean, %", "ECE, corrupted, %"),
                *(
                    (network.name, *(number(bins.ece() if bins else None, 2) for bins in network[1:]))
                    for network in found
                ),
            ),
        )

    def _agreement(self) -> Drawing:
        if len(self.measured.networks) < 2:
            raise NothingToEvaluateError("one network alone agrees with none: measure another one")
        found = agreement([[run.records for run in network.runs] for network in self.measured.networks])
        shown = agreement_figure.Agreement(
            [label for label, _ in self._labelled()], found.clean.tolist(), found.corrupted.tolist()
        )
        return Drawing(
            "agreement",
            "Do the networks fail on the same images?",
            "Cohen's kappa of right and wrong: 1 the same images, 0 as their accuracies make likely by chance. "
            f"Corrupted: the mean over {found.cells} cells. Of several trainings the mean over their pairs.",
            lambda width: agreement_figure.draw_agreement(shown, width=width),
            agreement_figure.describe_agreement(shown),
            (("network", "and", "kappa, clean", "kappa, corrupted"), *kappa_rows(shown)),
        )

    def _labelled(self) -> list[tuple[str, MeasuredNetwork]]:
        return self.measured.labelled()

    def _metric(self) -> Metric:
        if self.measured.metric is None:
            raise NothingToEvaluateError("no metric counts these corruptions, so there is no mean to draw")
        return self.measured.metric


def _of_its_trainings(reference: MeasuredNetwork, name: str | None) -> str | None:
    """A note where the reference was named by one of its trainings: a comparison takes them all."""
    chosen = name is not None and name != reference.summary.label
    if not chosen or all(matches(run.run, name or "") for run in reference.runs):
        return None
    return f"{name} stands here for {reference.summary.label} with all its {len(reference.runs)} trainings"
