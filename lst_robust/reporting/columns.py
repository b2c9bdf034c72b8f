"""The columns of a table: metrics, corruptions, and calibration on demand, and how each is called and written."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from lst_robust.analysis.metrics import METRICS, Metric, calibration_metrics, image_metrics, in_columns
from lst_robust.benchmark import CORRUPTIONS, OWN_GROUP, group_of, groups, is_reserved, label_of
from lst_robust.errors import one_line

logger = logging.getLogger(__name__)

Column = tuple[str, str]
"""The head of the group that a column stands in, and its quantity: the name of a metric or of a corruption."""


def table_columns(corruptions: Iterable[str] = (), *, calibration: bool = False) -> list[Column]:
    """All columns in order. corruptions: those that have a column although they are not among the papers' 19."""
    columns = _of_metrics(image_metrics()) + corruption_columns((*CORRUPTIONS, *corruptions))
    return columns + (_of_metrics(calibration_metrics()) if calibration else [])


def has_column(corruption: str) -> bool:
    """Whether a corruption can have a column: records of elsewhere may be of one that is called as another column."""
    return not is_reserved(corruption) and corruption not in METRICS


def with_column(corruptions: Iterable[str]) -> list[str]:
    """Those that can have a column; a warning names the others."""
    wanted = list(corruptions)
    for name in wanted:
        if not has_column(name):
            logger.warning(
                f"the corruption {one_line(name)!r} is not in the table, because its name means another column: "
                "register it by another name, and measure it again"
            )
    return list(filter(has_column, wanted))


def corruption_columns(corruptions: Iterable[str]) -> list[Column]:
    """The columns of corruptions, by their groups; those that are not known in this process come last."""
    wanted = dict.fromkeys(corruptions)
    unknown = [name for name in wanted if group_of(name) == OWN_GROUP and name not in groups().get(OWN_GROUP, ())]
    ordered = [(group, name) for group, names in groups().items() for name in names if name in wanted]
    return [(group.capitalize(), name) for group, name in [*ordered, *((OWN_GROUP, name) for name in sorted(unknown))]]


def metric_of(quantity: str) -> Metric | None:
    """The metric of a column; None for a corruption's, and for the ends of an interval."""
    return METRICS.get(quantity)


def is_summary(quantity: str) -> bool:
    """Whether a column holds a mean over images that stands before the corruptions."""
    metric = metric_of(quantity)
    return metric is not None and metric.by_image


def lower_is_better(quantity: str) -> bool:
    metric = metric_of(quantity)
    return metric is None or metric.lower_is_better


def label(quantity: str) -> str:
    """What stands at the head of a column, below its group."""
    metric = metric_of(quantity)
    return metric.short if metric else label_of(quantity)


def _of_metrics(metrics: Iterable[Metric]) -> list[Column]:
    return [(metric.group, metric.name) for metric in in_columns(metrics)]
