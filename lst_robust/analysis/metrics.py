"""The table of metrics. Summaries, tables, `eval`, `compare`, `check`, intervals and JSON all read it.

A metric is the mean of one quantity (see `lst_robust.analysis.quantities`) over some corruptions. To add one, add an
entry to the table below, or call `lst_robust.register_metric` from outside.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from lst_robust.analysis.quantities import QUANTITIES, T, cells_of, mean, part
from lst_robust.arguments import choice, choices, instance, text, whole_number, wrong, yes_or_no
from lst_robust.benchmark import (
    CLEAN,
    CLEAN_CELL,
    CORRUPTIONS,
    NAME,
    STANDARD_15,
    Cell,
    add_metric_name,
    is_reserved,
    known_corruptions,
)
from lst_robust.errors import UsageError

if TYPE_CHECKING:
    from lst_robust.suites import Normaliser

LAST = 100  # the column of a metric that does not say where it stands


@dataclass(frozen=True)
class Metric:
    """One number of a run.

    name: its key in JSON and CSV, and its name for `check --metric`.
    title: its name in the output of `eval` and `compare`.
    short: the head of its column, below `group`, the head of the group of columns that it stands in.
    quantity: what it is a mean of, a key of `QUANTITIES`.
    corruptions: over which corruptions the mean is taken; ("clean",) for the clean images alone.
    needs_normaliser: whether the quantity is divided by a normaliser's errors. Then the metric is only defined where
        all its cells are measured. Otherwise it is the mean over those of its cells that are measured.
    decimals: digits after the point.
    lower_is_better: which way a change is an improvement.
    label: its name within a sentence; the title where none is given.
    column: where it stands in a table. Groups come in the order of their first column.
    over_seeds: whether tables state its spread over training seeds.
    """

    name: str
    title: str
    short: str
    group: str
    quantity: str
    corruptions: tuple[str, ...]
    needs_normaliser: bool
    decimals: int = 2
    lower_is_better: bool = True
    label: str = ""
    column: int = LAST
    over_seeds: bool = True

    @property
    def by_image(self) -> bool:
        """Whether it is a mean of scores of images, so that it has intervals and can be compared."""
        return QUANTITIES[self.quantity].by_image

    @property
    def over_corruptions(self) -> bool:
        return self.corruptions != (CLEAN,)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells that it is made of."""
        clean = (CLEAN_CELL,) if QUANTITIES[self.quantity].needs_clean else ()
        return (*clean, *(cell for name in self.corruptions for cell in cells_of(name)))

    @property
    def parts(self) -> dict[str, str]:
        """The names of its corruptions' scores (see `part`), each with the corruption."""
        return {part(self.quantity, name): name for name in self.corruptions if name != CLEAN}

    def of(self, values: Mapping[Cell, T], normaliser: Normaliser | None = None) -> T | None:
        """Its value from a number of each measured cell, or its weights from a vector of each; None where it is not
        defined. A mean over fewer corruptions than a normalised metric is made of would look like the whole."""
        if not self.needs_normaliser:
            measured = [values[cell] for cell in self.cells if cell in values]
            return mean(measured) if measured else None
        formula = QUANTITIES[self.quantity].formula
        found = [formula(values, name, normaliser) for name in self.corruptions]
        complete = [value for value in found if value is not None]
        return mean(complete) if len(complete) == len(found) else None


def _calibration(quantity: str, group: str, decimals: int = 2) -> list[Metric]:
    """A quantity on the clean images, and its mean over all measured cells of the 19 corruptions."""
    clean = Metric(f"clean_{quantity}", f"clean {group}", "Clean", group, quantity, (CLEAN,), False, decimals)
    corrupted = replace(
        clean, name=f"mean_{quantity}", title=f"mean {group}", short="Corrupted", corruptions=CORRUPTIONS
    )
    return [clean, corrupted]


_metrics = {
    metric.name: metric
    for metric in [
        Metric(
            name="clean_error", title="clean error", short="Clean", group="Error", quantity="error",
            corruptions=(CLEAN,), needs_normaliser=False, label="clean", column=3,
        ),
        Metric(
            name="mean_corruption_error", title="mean corruption error", short="Corrupted", group="Error",
            quantity="error", corruptions=CORRUPTIONS, needs_normaliser=False, label="corrupted", column=4,
        ),
        Metric(  # ImageNet-C's
            name="mce15", title="mCE (15 standard)", short="15", group="mCE", quantity="ce", corruptions=STANDARD_15,
            needs_normaliser=True, label="mCE (15)", column=2,
        ),
        Metric(  # what Table 4 of the LST-Net paper prints as mCE
            name="mce19", title="mCE (all 19)", short="19", group="mCE", quantity="ce", corruptions=CORRUPTIONS,
            needs_normaliser=True, label="mCE (19)", column=1,
        ),
        Metric(
            name="relative_mce", title="relative mCE (15)", short="mCE", group="Relative", quantity="relative_ce",
            corruptions=STANDARD_15, needs_normaliser=True, label="relative mCE", column=5,
        ),
        *_calibration("top5_error", "Top-5"),
        *_calibration("ece", "ECE"),
        *_calibration("brier", "Brier", decimals=3),
    ]
}  # fmt: skip
METRICS: Mapping[str, Metric] = MappingProxyType(_metrics)
"""All metrics by name, those of this package first. The corruptions of these are the papers' and never change: a
corruption that is registered from outside moves none of them."""
BUILT_IN = frozenset(_metrics)
for _name in BUILT_IN:
    add_metric_name(_name)


def register_metric(metric: Metric) -> Metric:
    """Adds a metric to the table and returns it. A second metric of one name replaces the first, so that a notebook's
    cell can be run again. Raises UsageError where a field cannot be meant, and for names that are taken."""
    instance("metric", metric, Metric, "give a Metric")
    if not isinstance(metric.name, str) or not NAME.fullmatch(metric.name):
        raise wrong("name", metric.name, "give lower-case letters, digits and underscores, a letter first")
    if is_reserved(metric.name) or metric.name in BUILT_IN | set(known_corruptions()):
        raise UsageError(f"name {metric.name!r} is taken or reserved: give the metric another name")
    quantity = QUANTITIES[choice("quantity", metric.quantity, QUANTITIES)]
    if yes_or_no("needs_normaliser", metric.needs_normaliser) != quantity.needs_normaliser:
        is_divided = "is" if quantity.needs_normaliser else "is not"
        raise wrong(
            "needs_normaliser",
            metric.needs_normaliser,
            f"the quantity {metric.quantity!r} {is_divided} divided by a normaliser's errors, so give "
            f"{quantity.needs_normaliser}",
        )
    known = (CLEAN, *known_corruptions())
    checked = replace(
        metric,
        title=text("title", metric.title, longest=60),
        short=text("short", metric.short, longest=20),
        group=text("group", metric.group, longest=20),
        corruptions=choices("corruptions", metric.corruptions, known, kind="corruption"),
        decimals=whole_number("decimals", metric.decimals, least=0, most=6),
        lower_is_better=yes_or_no("lower_is_better", metric.lower_is_better),
        label=text("label", metric.label or metric.title, longest=60),
        column=whole_number("column", metric.column),
        over_seeds=yes_or_no("over_seeds", metric.over_seeds),
    )
    if quantity.needs_normaliser and CLEAN in checked.corruptions:
        raise wrong("corruptions", metric.corruptions, f"{metric.quantity!r} is of corruptions: leave out {CLEAN!r}")
    _metrics[checked.name] = checked
    add_metric_name(checked.name)
    return checked


def image_metrics() -> list[Metric]:
    """The metrics that are means of scores of images, in the order in which they are listed."""
    return [metric for metric in METRICS.values() if metric.by_image]


def calibration_metrics() -> list[Metric]:
    """The metrics of calibration and top-5 error, which tables show on demand."""
    return [metric for metric in METRICS.values() if not metric.by_image]


def in_columns(metrics: Iterable[Metric]) -> list[Metric]:
    """In the order of a table's columns: groups stay together, and come in the order of their first column."""
    ordered = sorted(metrics, key=lambda metric: metric.column)
    groups = list(dict.fromkeys(metric.group for metric in ordered))
    return sorted(ordered, key=lambda metric: groups.index(metric.group))


def plain_mean() -> Metric:
    """The first metric over corruptions that is defined without a normaliser."""
    return next(metric for metric in image_metrics() if metric.over_corruptions and not metric.needs_normaliser)


def headline(available: Collection[str]) -> Metric | None:
    """The one of these metrics that a verdict on two models is about: the first normalised one in the order of the
    table, otherwise the first other one over corruptions. None where only corruptions from outside were measured."""
    candidates = [metric for metric in image_metrics() if metric.over_corruptions and metric.name in available]
    return min(candidates, key=lambda metric: not metric.needs_normaliser, default=None)
