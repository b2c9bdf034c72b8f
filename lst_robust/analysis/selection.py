"""Which runs a name means: `lst18`, or with what tells several runs apart, `lst18@seed1`, `lst18@3fa9c1`."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence

from lst_robust.analysis.collect import MeasuredRun
from lst_robust.analysis.protocols import told_apart
from lst_robust.errors import NothingToEvaluateError, some_names
from lst_robust.records.record import Run

HEX = re.compile(r"[0-9a-f]{4,64}")
TRAININGS = re.compile(r" \(\d+ trainings\)$")


def label(run: Run) -> str:
    """The name that selects this run and hardly any other: model, training seed if it is known, run digest."""
    seed = "" if run.model.train_seed is None else f"@seed{run.model.train_seed}"
    return f"{run.model.name}{seed}@{run.digest[:6]}"


def network_of(selector: str, names: Iterable[str]) -> str | None:
    """Which of these names of networks a selector begins with (see `matches`). Of several, such as `hf:owner/net` and
    `hf:owner/net@v2`, it is the longest."""
    return max((name for name in names if _after(name, selector) is not None), key=len, default=None)


def matches(run: Run, selector: str) -> bool:
    """Whether a run is meant by MODEL[@PART]...; a part is `seed1` (of the training), `n500` (images), `key=value` (a
    model option) or four or more hexadecimal digits that begin the checkpoint's SHA-256 or the run's digest. The names
    that tables give to such runs, `lst18 (seed 1, 3fa9c1)`, mean the same, and those that they give to several
    trainings, `lst18 (3 trainings)` and `lst18 (seeds 0+1)`, mean each of these."""
    rest = _after(run.model.name, selector)
    if rest is None:
        return False
    parts = _listed_parts(run, rest[2:-1]) if rest.startswith(" (") else rest.split("@")[1:]
    return all(_fits(run, part) for part in parts)


def select(runs: Iterable[MeasuredRun], selector: str) -> list[MeasuredRun]:
    """The runs a selector means (see `matches`). Raises NothingToEvaluateError, with the choices, for none."""
    runs = list(runs)
    found = [measured for measured in runs if matches(measured.run, selector)]
    if not found:
        raise NothingToEvaluateError(f"no records of {selector!r}: choose from {choices(runs)}, or measure it first")
    return found


def choose(runs: Sequence[MeasuredRun], selectors: Sequence[str]) -> list[MeasuredRun]:
    """The runs that any of the selectors means, in their order; all for no selector. A selector is one of `matches`, or
    a pattern of the model's name, such as "resnet*". Raises NothingToEvaluateError for a selector that means none."""
    meant: set[int] = set()
    for selector in selectors:
        found = {index for index, measured in enumerate(runs) if _means(measured.run, selector)}
        if not found:
            select(runs, selector)  # which says what there is
        meant |= found
    return [measured for index, measured in enumerate(runs) if index in meant or not selectors]


def choices(runs: Sequence[MeasuredRun]) -> str:
    """The runs as one line, such as `lst18@seed0@3fa9c1 (digits-c, n 500, seed 0)`, and with what else of the protocol
    differs among those that would read alike; the first ten of many."""
    alike: dict[str, list[Run]] = {}
    for run, _, _ in runs:
        protocol = run.protocol
        alike.setdefault(f"{protocol.suite}, n {protocol.n}, seed {protocol.seed}", []).append(run)
    lines = sorted(
        f"{label(run)} ({', '.join(filter(None, (words, further)))})"
        for words, some in alike.items()
        for run, further in zip(some, told_apart([run.protocol for run in some]), strict=True)
    )
    return some_names(lines, 10)


def _after(name: str, selector: str) -> str | None:
    """What a selector says after the name of a network, `@PART...`, ` (PARTS)` or nothing; None where it begins with
    another name. A name may hold `@` and ` (` itself, as `hf:owner/net@v2` and `nets (old)/net.py:net` do."""
    if not selector.startswith(name):
        return None
    rest = TRAININGS.sub("", selector[len(name) :])
    return rest if not rest or rest.startswith("@") or (rest.startswith(" (") and rest.endswith(")")) else None


def _means(run: Run, selector: str) -> bool:
    return matches(run, selector) or fnmatch.fnmatchcase(run.model.name, selector)


def _listed_parts(run: Run, listed: str) -> list[str]:
    """The parts of a table's name, which are joined by ", ". A value of an option may hold ", " as well, such as
    mean=0.5, 0.5, 0.5: an option of the run is one part."""
    options = [f"{key}={value}" for key, value in run.model.options.items()]
    parts, rest = [], f"{listed}, "
    while rest:
        part = next((one for one in options if rest.startswith(f"{one}, ")), rest.partition(", ")[0])
        parts.append(part)
        rest = rest.removeprefix(f"{part}, ")
    return parts


def _fits(run: Run, part: str) -> bool:
    key, equals, value = part.partition("=")
    if equals:
        return key in run.model.options and str(run.model.options[key]) == value
    seed = run.model.train_seed
    if part.startswith("seeds "):
        return str(seed) in part.removeprefix("seeds ").split("+")
    if part in (f"seed{seed}", f"seed {seed}", f"n{run.protocol.n}"):
        return True
    return HEX.fullmatch(part) is not None and (
        run.model.checkpoint_sha256.startswith(part) or run.digest.startswith(part)
    )
