"""What a report shall show, checked before any work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from typing_extensions import Unpack

from lst_robust.analysis.baseline import Baseline, read_baseline
from lst_robust.analysis.normalisers import OF_SUITE, Choice, chosen_normaliser
from lst_robust.analysis.published import PublishedResult, published_results
from lst_robust.arguments import names, optional, path, text
from lst_robust.suites import Suite, resolve_suite


class ReportOptions(TypedDict, total=False):
    """suite: name, YAML file or `Suite`; None: all suites with records.
    models: only these, such as "lst20", "lst20@seed1" or "resnet*"; empty: all.
    reference: to which network the others are compared; None: to the best one under each protocol.
    published, match: other people's rows, see `lst_robust.published_results`.
    normaliser: by which CEs are divided, as for `evaluate`.
    results_dir: where the records are.
    data_dir: where the suite's images are, for the names of its classes.
    corrupted_dir: where a suite's official corrupted images are, for examples; default: in `data_dir`.
    """

    suite: str | Path | Suite | None
    models: Iterable[str]
    reference: str | None
    published: Iterable[str]
    match: Iterable[str]
    normaliser: Choice
    results_dir: str | Path
    data_dir: str | Path | None
    corrupted_dir: str | Path | None


@dataclass(frozen=True)
class ReportRequest:
    """The options as they were given, checked, with their defaults."""

    suite: str | Path | Suite | None
    models: tuple[str, ...]
    reference: str | None
    published: tuple[PublishedResult, ...]
    published_sets: tuple[str, ...]
    match: tuple[str, ...]
    normaliser: Choice
    results_dir: Path
    data_dir: Path | None
    corrupted_dir: Path | None

    @classmethod
    def of(cls, **options: Unpack[ReportOptions]) -> ReportRequest:
        """UsageError, in one line, for an option that cannot be meant; TypeError for one that does not exist."""
        require_known(options, ReportOptions.__annotations__)
        suite = options.get("suite")
        if suite is not None:
            resolve_suite(suite)
        normaliser = options.get("normaliser", OF_SUITE)
        chosen_normaliser(normaliser)
        sets = names("published", options.get("published", ()), empty=True)
        patterns = names("match", options.get("match", ()), empty=True)
        return cls(
            suite=suite,
            models=names("models", options.get("models", ()), empty=True),
            reference=optional(text, "reference", options.get("reference")),
            published=tuple(published_results(sets, patterns, normaliser=normaliser)),
            published_sets=sets,
            match=patterns,
            normaliser=normaliser,
            results_dir=path("results_dir", options.get("results_dir", "results")),
            data_dir=optional(path, "data_dir", options.get("data_dir")),
            corrupted_dir=optional(path, "corrupted_dir", options.get("corrupted_dir")),
        )


def require_known(options: Iterable[str], known: Iterable[str]) -> None:
    """TypeError, as of a call in Python, for a misspelt option."""
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise TypeError(f"a report has no option {unknown[0]!r}: it has {', '.join(known)}")


def checked_baseline(baseline: str | Path | Baseline | None) -> Baseline | None:
    """A baseline, from its file where it is given by one."""
    return baseline if baseline is None or isinstance(baseline, Baseline) else read_baseline(path("baseline", baseline))
