"""All finished runs of a results folder, as summaries ready for a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from lst_robust.errors import NothingToEvaluateError, UsageError
from lst_robust.evaluation.normalisers import resolve_normaliser
from lst_robust.evaluation.results import Summary, summarise
from lst_robust.evaluation.store import Store
from lst_robust.suites import Normaliser, Suite, load_suite, suite_names


def collect_summaries(
    results_dir: str | Path, suite: str | None, normaliser: str, warn: Callable[[str], None]
) -> list[Summary]:
    """One summary a run (see `summarise`), of one suite (name or YAML file) or of every suite with records.

    normaliser: as `resolve_normaliser` takes it. Records of an older version of a suite are left out with a warning.
    Models of which several runs share a protocol get a label that tells them apart. Raises NothingToEvaluateError
    when there is no record.
    """
    wanted = load_suite(suite) if suite else None
    summaries = []
    for run, records in Store(results_dir).scan(wanted.name if wanted else None, warn):
        known = wanted or _shipped(run.protocol.suite)
        if known and known.digest() != run.protocol.suite_digest:
            warn(
                f"{run.model.name}: measured with another version of suite {known.name!r} "
                f"(v{run.protocol.suite_version}, {run.protocol.suite_digest}); left out"
            )
            continue
        summaries.append(summarise(run, records, _normaliser(normaliser, known, run.protocol.suite, warn)))
    if not summaries:
        where = f" for suite {wanted.name!r}" if wanted else ""
        raise NothingToEvaluateError(
            f"no records{where} in {results_dir}: measure a model first, with lst-robust eval --model lst18"
            + (f" --suite {suite}" if suite else "")
        )
    return _told_apart(summaries)


def _shipped(name: str) -> Suite | None:
    return load_suite(name) if name in suite_names() else None


def _normaliser(name: str, suite: Suite | None, suite_name: str, warn: Callable[[str], None]) -> Normaliser | None:
    if suite is not None:
        return resolve_normaliser(name, suite)
    if name == "suite":
        warn(f"suite {suite_name!r} does not ship with the package: give its file with --suite to get its mCE")
        return None
    raise UsageError(f"suite {suite_name!r} does not ship with the package: give its file with --suite")


def _told_apart(summaries: list[Summary]) -> list[Summary]:
    """Adds what differs to the names of models that occur twice under one protocol: seed, options, weights."""

    def key(summary: Summary) -> tuple[object, ...]:
        return tuple(summary[k] for k in ("model", "suite", "preset", "style", "engine", "images", "seed"))

    several = Counter(key(summary) for summary in summaries)
    labelled = []
    for summary in summaries:
        if several[key(summary)] > 1:
            parts = [f"{name}={value}" for name, value in summary["options"].items()]
            if summary["train_seed"] is not None:
                parts.append(f"seed {summary['train_seed']}")
            parts.append(summary["checkpoint_sha256"][:6])
            summary = summary | {"model": f"{summary['model']} ({', '.join(parts)})"}
        labelled.append(summary)
    return labelled
