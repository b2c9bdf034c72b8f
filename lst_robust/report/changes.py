"""What changed since a baseline, as `lst-robust check` finds it."""

from __future__ import annotations

from lst_robust.analysis.baseline import Baseline
from lst_robust.analysis.gate import Finding, Gate, check
from lst_robust.analysis.metrics import METRICS, headline, image_metrics
from lst_robust.report.request import ReportRequest
from lst_robust.reporting.page.content import Change, Changes

TOLERANCE = 0.5  # percent points, as that of `check`


def changes_since(baseline: Baseline, name: str, request: ReportRequest) -> Changes:
    """name: of the baseline's file. The metric is the one that counts most of those that all its entries define."""
    defined = {
        metric.name
        for metric in image_metrics()
        if all(metric.of(dict.fromkeys(entry.cells, 0.0), entry.normaliser) is not None for entry in baseline.entries)
    }
    metric = headline(defined) or METRICS["clean_error"]
    gate = check(
        baseline,
        results_dir=request.results_dir,
        suite=request.suite,
        metric=metric.name,
        tolerance=TOLERANCE,
        refuse_several=False,
    )
    return _changes(gate, name)


def _changes(gate: Gate, name: str) -> Changes:
    metric = METRICS[gate.metric]
    return Changes(
        baseline=name,
        metric=metric.title,
        tolerance=gate.tolerance,
        changes=tuple(map(_change, gate.findings)),
        lower_is_better=metric.lower_is_better,
        notes=gate.notes,
    )


def _change(finding: Finding) -> Change:
    return Change(
        network=finding.model,
        suite=finding.suite,
        verdict=finding.status,
        message=finding.message,
        baseline=finding.baseline,
        current=finding.current,
        difference=finding.difference,
        low=finding.low,
        high=finding.high,
        harmed=tuple((finding.corruptions or {}).items()),
    )
