"""The figures of a single network's page."""

from __future__ import annotations

from lst_robust.analysis.networks import MeasuredNetwork
from lst_robust.benchmark import SEVERITIES
from lst_robust.report.drawings import Drawing
from lst_robust.report.inputs import calibrated, line_of, severity_rows
from lst_robust.reporting.figures import network_curves, reliability
from lst_robust.reporting.figures.curves import Line


def own_drawings(label: str, network: MeasuredNetwork) -> list[Drawing]:
    """Its severity curves and its reliability, where its records have them."""
    found = []
    line = line_of(label, network)
    if line.errors:
        found.append(_curves(line, network.summary.metrics["clean_error"]))
    bins = calibrated(label, network)
    if bins.clean or bins.corrupted:
        found.append(_reliability(bins))
    return found


def _curves(line: Line, clean_error: float | None) -> Drawing:
    head = ("corruption", *(f"severity {severity}" for severity in SEVERITIES))
    return Drawing(
        "curves",
        "Error at each severity",
        "Top-1 error in percent, a panel a group of corruptions, with 95 % intervals over images. Dashed: clean "
        "images.",
        lambda width: network_curves.draw_network_curves(line, clean_error=clean_error, width=width),
        network_curves.describe_network_curves(line, clean_error=clean_error),
        (head, *severity_rows(line)),
    )


def _reliability(bins: reliability.Calibrated) -> Drawing:
    return Drawing(
        "reliability",
        "Is it as often right as it is sure?",
        "Accuracy against confidence in 15 bins, all trainings together, and below the share of images in each bin. "
        "Below the diagonal it is too sure.",
        lambda width: reliability.draw_reliability([bins], width=width),
        reliability.describe_reliability([bins]),
    )
