"""Other people's published results as rows for a table: CE and means by the same formulas as one's own.

Nobody published the outcomes of single images, so these rows have no intervals, and nothing is compared with them.
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any, Literal

from lst_robust.analysis.metrics import image_metrics
from lst_robust.analysis.normalisers import OF_SUITE, Choice, chosen_normaliser
from lst_robust.analysis.quantities import QUANTITIES
from lst_robust.arguments import choices, items, names
from lst_robust.benchmark import CORRUPTIONS, SEVERITIES, STANDARD_15, Cell
from lst_robust.errors import UsageError
from lst_robust.paper import printed_table
from lst_robust.published import (
    ALEXNET,
    CLEAN_ONLY,
    GROUPS,
    IN_MEMORY,
    PRINTED,
    SOURCES,
    PublishedGroup,
    PublishedModel,
    alexnet_of,
    complete_rows,
    pipeline_difference,
    published_models,
)
from lst_robust.suites import Normaliser
from lst_robust.suites.normaliser import NAMED, caution

NEAREST = 3  # names that an error offers


@dataclass(frozen=True)
class PublishedResult:
    """One model of a published set, all numbers in percent; `group` says whose it is and under which protocol.

    normaliser, metrics, ce, errors, notes: as in a `Summary`. The paper printed CEs and no errors.
    """

    model: str
    group: PublishedGroup
    normaliser: str | None
    metrics: Mapping[str, float | None]
    ce: Mapping[str, float | None]
    errors: Mapping[str, tuple[float | None, ...]]
    notes: tuple[str, ...] = ()

    @property
    def cells(self) -> dict[Cell, float]:
        """The errors that are published, by cell; the clean error is among the metrics."""
        return {
            Cell(name, severity): error
            for name, row in self.errors.items()
            for severity, error in zip(SEVERITIES, row, strict=True)
            if error is not None
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as `lst-robust table --json` prints it. Only published rows have the key `published`."""
        group = self.group
        return {
            "model": self.model,
            "published": asdict(SOURCES[group.source]),
            "suite": group.suite,
            "protocol": group.protocol,
            "data": group.data,
            "n": group.n,
            "images": group.images,
            "normaliser": self.normaliser,
            **self.metrics,
            "ce": dict(self.ce),
            "errors": {name: list(row) for name, row in self.errors.items()},
            "notes": list(self.notes),
        }


def published_results(
    published: Iterable[str], match: Iterable[str] = (), *, normaliser: Choice = OF_SUITE
) -> list[PublishedResult]:
    """The rows of published sets, in the order in which the sets are given.

    published: "robustbench", "testbed", "paper", "hendrycks".
    match: only the models whose name one of these patterns fits, such as "resnet*". * stands for any characters, ? for
    one and [ab] for one of these. Capital and small letters are the same.
    normaliser: by which CEs are divided, as for `evaluate`. A named one, such as "alexnet-imagenet-c", divides what was
    measured on ImageNet-C, and None leaves out the CEs. Any other may belong to other images, so CEs are against the
    AlexNet of the same source then, as with "suite". On CIFAR there is no CE, and the paper's CEs stay as printed.
    Raises UsageError for an unknown set, for a pattern that fits no model, and for patterns without a set.
    """
    sets, chosen = checked_sets(published), chosen_normaliser(normaliser)
    patterns = names("match", match, empty=True)
    if patterns and not sets:
        known = ", ".join(SOURCES)
        raise UsageError(f"match {patterns[0]!r} chooses among published rows: name their set as published ({known})")
    results = []
    for group in (group for name in sets for group in GROUPS if group.source == name):
        results += _printed(group) if group.protocol == PRINTED else _measured(group, _divisor(group, chosen))
    return _matching(results, patterns, sets) if patterns else results


def checked_sets(published: object) -> tuple[str, ...]:
    """Names of published sets, each once; UsageError for others."""
    given = items("published", published, of=str, empty=True)
    return choices("published", given, SOURCES, kind="published set") if given else ()


def group_of(protocol: Mapping[str, str]) -> PublishedGroup:
    """The group that the fields of a table's protocol mean."""
    wanted = [protocol[field] for field in ("source", "suite", "protocol")]
    return next(group for group in GROUPS if [group.source, group.suite, group.protocol] == wanted)


def group_notes(group: PublishedGroup, normaliser: str | None) -> tuple[str, ...]:
    """What a reader must know of a group of published rows: what is missing in it and why, and whom to cite."""
    lines = []
    if group.protocol == CLEAN_ONLY:
        lines.append("The source has no result on ImageNet-C of these models.")
    elif group.protocol != PRINTED:
        lines += [*_of_divisor(group, normaliser), *_of_corruptions(group, normaliser)]
    lines.append("No intervals: the outcomes of single images are not published.")
    lines.append(SOURCES[group.source].note)
    return tuple(lines)


def _of_divisor(group: PublishedGroup, normaliser: str | None) -> list[str]:
    if group.normaliser is None:
        return [f"No CE and no mCE: the source has no AlexNet on {group.data}."]
    if normaliser is None:
        return ["No CE and no mCE, because no normaliser was wanted."]
    if normaliser == ALEXNET == group.normaliser:
        return []
    if normaliser == group.normaliser:
        return [
            f"CEs are against the AlexNet of the same source, measured in the same way. --normaliser {ALEXNET} takes "
            "that of ImageNet-C's authors.",
        ]
    found = pipeline_difference()
    lines = [warned] if (warned := caution(normaliser)) else []
    if group.protocol == IN_MEMORY:
        lines.append(f"{normaliser} was not measured on these images: a difference of pipelines is in every CE.")
    elif group.source == "testbed" and normaliser == ALEXNET:
        lines.append(
            f"A difference of pipelines may be in every CE: the source's AlexNet has {found.on_disk:.2f} % on "
            f"{found.cell.name}, where the authors of ImageNet-C publish {found.published:.2f} %."
        )
    return lines


def _of_corruptions(group: PublishedGroup, normaliser: str | None) -> list[str]:
    present = {cell.corruption for model in published_models(group.file) for cell in model.errors}
    lacking = [name for name in CORRUPTIONS if name not in present]
    if not lacking:
        return []
    undefined = "mCE" if set(lacking) & set(STANDARD_15) else "mCE over all 19"
    return [
        f"{len(CORRUPTIONS) - len(lacking)} of the 19 corruptions: the source lacks {', '.join(lacking)}"
        + (f", so there is no {undefined}. " if normaliser else ". ")
        + "The mean error is over those that it has."
    ]


def _divisor(group: PublishedGroup, chosen: Normaliser | Literal["suite"] | None) -> Normaliser | None:
    """By which the CEs of a group are divided, where that normaliser is chosen (see `published_results`)."""
    if group.normaliser is None or chosen is None:
        return None
    if isinstance(chosen, Normaliser) and chosen.name in NAMED and chosen.digest() == NAMED[chosen.name]().digest():
        return chosen
    return _own_normaliser(group)


def _own_normaliser(group: PublishedGroup) -> Normaliser | None:
    """The AlexNet of the same source, measured in the same way."""
    if group.normaliser is None or group.protocol == PRINTED:
        return None
    if group.normaliser in NAMED:
        return NAMED[group.normaliser]()
    # Its clean error is not published, and neither is that of any model of the group: no relative CE asks for it.
    errors = complete_rows(alexnet_of(group.normaliser))
    return Normaliser.model_construct(name=group.normaliser, clean_error=math.nan, errors=errors, made_with={})


def _measured(group: PublishedGroup, normaliser: Normaliser | None) -> list[PublishedResult]:
    notes = group_notes(group, normaliser.name if normaliser else None)
    return [_result(group, model, normaliser, notes) for model in published_models(group.file)]


def _result(
    group: PublishedGroup, model: PublishedModel, normaliser: Normaliser | None, notes: tuple[str, ...]
) -> PublishedResult:
    errors = dict(model.errors)
    return PublishedResult(
        model.name,
        group,
        normaliser.name if normaliser else None,
        metrics={metric.name: metric.of(errors, normaliser) for metric in image_metrics()},
        ce={name: QUANTITIES["ce"].formula(errors, name, normaliser) for name in CORRUPTIONS},
        errors={name: tuple(errors.get(Cell(name, severity)) for severity in SEVERITIES) for name in CORRUPTIONS},
        notes=notes,
    )


def _printed(group: PublishedGroup) -> list[PublishedResult]:
    """Table 4 of the LST-Net paper; its mCE is the mean of all 19."""
    none = dict.fromkeys(metric.name for metric in image_metrics())
    return [
        PublishedResult(
            row["network"],
            group,
            group.normaliser,
            metrics={**none, "mce19": float(row["mce"])},
            ce={name: float(row[name]) for name in CORRUPTIONS},
            errors={name: (None,) * len(SEVERITIES) for name in CORRUPTIONS},
            notes=group_notes(group, group.normaliser),
        )
        for row in printed_table("table4")
    ]


def _matching(
    results: Sequence[PublishedResult], patterns: Sequence[str], sets: Sequence[str]
) -> list[PublishedResult]:
    chosen: set[str] = set()
    models = list(dict.fromkeys(result.model for result in results))
    for pattern in patterns:
        found = {model for model in models if fnmatch.fnmatchcase(model.casefold(), pattern.casefold())}
        if not found:
            raise UsageError(f"no model of {', '.join(sets)} matches {pattern!r}: {_nearest(pattern, models)}")
        chosen |= found
    return [result for result in results if result.model in chosen]


def _nearest(pattern: str, models: Sequence[str]) -> str:
    by_name = {model.casefold(): model for model in models}
    wanted = pattern.casefold().translate(dict.fromkeys(map(ord, "*?[]!")))
    close = get_close_matches(wanted, by_name, n=NEAREST, cutoff=0.5)
    within = [name for name in by_name if wanted and wanted in name][:NEAREST]
    if found := close or within:
        return f"did you mean {' or '.join(by_name[name] for name in found)}?"
    return f"there are {len(models)} to choose from, such as {', '.join(models[:NEAREST])}"
