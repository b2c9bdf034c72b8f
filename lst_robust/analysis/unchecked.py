"""What the gate did not check: runs that are like no entry of the baseline."""

from __future__ import annotations

from collections.abc import Sequence

from lst_robust.analysis.baseline import Baseline, BaselineEntry
from lst_robust.analysis.protocols import protocol_differences
from lst_robust.analysis.selection import label, matches
from lst_robust.errors import some_names
from lst_robust.records.record import Run


def notes_on_unchecked(
    baseline: Baseline, compared: Sequence[BaselineEntry], runs: Sequence[Run], selectors: Sequence[str]
) -> list[str]:
    """A note for each network that the baseline does not have, where no networks were named. And one for each suite
    with the runs of compared networks that are like no entry, such as a newer measurement of fewer images. compared:
    the entries that a run was held against."""
    return [*_of_other_networks(baseline, runs, selectors), *_of_compared_networks(baseline, compared, runs, selectors)]


def _of_other_networks(baseline: Baseline, runs: Sequence[Run], selectors: Sequence[str]) -> list[str]:
    if selectors:
        return []
    known = {(entry.protocol.suite, entry.model.name) for entry in baseline.entries}
    unknown = sorted({(run.protocol.suite, run.model.name) for run in runs} - known)
    return [f"{model} on {suite} is not in the baseline: not checked" for suite, model in unknown]


def _of_compared_networks(
    baseline: Baseline, compared: Sequence[BaselineEntry], runs: Sequence[Run], selectors: Sequence[str]
) -> list[str]:
    networks = {(entry.protocol.suite, entry.model.name) for entry in compared}
    labels: dict[str, list[str]] = {}
    for run in runs:
        is_meant = not selectors or any(matches(run, selector) for selector in selectors)
        if is_meant and (run.protocol.suite, run.model.name) in networks and not _is_like_an_entry(run, baseline):
            labels.setdefault(run.protocol.suite, []).append(f"{label(run)} of n = {run.protocol.n}")
    return [
        f"{some_names(unlike)} on {suite}: not checked, because no entry of the baseline has these options and this "
        "protocol"
        for suite, unlike in sorted(labels.items())
    ]


def _is_like_an_entry(run: Run, baseline: Baseline) -> bool:
    return any(
        (entry.model.name, entry.model.options) == (run.model.name, run.model.options)
        and not protocol_differences(entry.protocol, run.protocol)
        for entry in baseline.entries
    )
