"""What must be equal for two rows of a table to be compared, and how a table says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lst_robust.analysis.normalisers import known_normaliser
from lst_robust.analysis.published import PublishedResult, group_of
from lst_robust.analysis.summary import Summary
from lst_robust.benchmark import SEVERITIES
from lst_robust.published import PRINTED, SOURCES
from lst_robust.records.record import Protocol

_ORDER = (
    "suite", "suite_version", "suite_digest", "protocol", "image_size", "preprocess", "geometry", "preset", "style",
    "engine", "n", "subset", "images", "pixels", "seed",
)  # fmt: skip
_FURTHER = tuple(field for field in Protocol.model_fields if field not in (*_ORDER, "data"))
PROTOCOL = (*_ORDER, *_FURTHER, "normaliser", "severities", "measure", "source")
"""The fields of a protocol but the name of the data, which decides nothing, and four more. All are texts.

`images` is a hash of the images' names and labels, `pixels` one of their pixels. `geometry` is "own" where each network
has its own. `normaliser` is a name, with a hash of the errors where the name alone does not say which they are.
`severities` are those measured, as "1-5" or "3". `measure` says what the columns of the corruptions hold: "ce", or
"error" where no CE is defined. `source` says who published the row, and is empty for one's own."""

OWN_GEOMETRY = "own"


def stated_protocol(summary: Summary, measured: Sequence[int], measure: str) -> tuple[str, ...]:
    """The values of PROTOCOL. measured: the severities."""
    stated = {
        **summary.protocol.model_dump(),
        "geometry": OWN_GEOMETRY if summary.protocol.preprocess == "model" else summary.geometry,
        "pixels": summary.pixels,
        "normaliser": _normaliser(summary),
        "severities": _severities(measured),
        "measure": measure,
        "source": "",
    }
    return _as_texts(stated)


def published_protocol(result: PublishedResult, measured: Sequence[int], measure: str) -> tuple[str, ...]:
    """The same of another's row. What its source does not state is empty."""
    group = result.group
    stated = {
        "suite": group.suite,
        "protocol": group.protocol,
        "preset": group.preset,
        "n": group.n,
        "normaliser": result.normaliser,
        "severities": _severities(measured),
        "measure": measure,
        "source": group.source,
    }
    return _as_texts(stated)


def caption(protocol: Mapping[str, str]) -> str:
    """One line above a table."""
    if protocol["source"]:
        return _of_published(protocol)
    parts = [
        f"{protocol['suite']} v{protocol['suite_version']}"
        + (f" ({protocol['suite_digest']})" if protocol["suite_digest"] else "")
        + (f", {protocol['image_size']} px" if protocol["image_size"] else ""),
        ", ".join(
            [protocol["protocol"]]
            + [f"{field} {protocol[field]}" for field in ("preset", "style", "engine") if protocol[field]]
        ),
        f"n = {protocol['n']}" + (f" of {protocol['subset']}" if protocol["subset"] else "") + _images(protocol),
        *_preprocessing(protocol),
        f"seed {protocol['seed']}",
    ]
    if protocol["severities"] != "1-5":
        parts.append(f"severities {protocol['severities'] or 'none'}")
    if protocol["measure"] == "ce":
        parts.append(f"CE against {protocol['normaliser']}")
    return " · ".join(parts)


def _of_published(protocol: Mapping[str, str]) -> str:
    if protocol["protocol"] == PRINTED:
        return "Paper, Table 4 (ImageNet-C, printed): another protocol than any of ours"
    group = group_of(protocol)
    which = "" if group.images == "all" else f" ({group.images})"
    parts = [
        f"Published by {SOURCES[group.source].title}: {group.data}, {group.protocol}",
        f"n = {protocol['n']}{which}",
        *([f"CE against {protocol['normaliser']}"] if protocol["measure"] == "ce" else []),
        "another protocol than any of ours",
    ]
    return " · ".join(parts)


def _as_texts(stated: Mapping[str, object]) -> tuple[str, ...]:
    return tuple("" if stated.get(field) is None else str(stated[field]) for field in PROTOCOL)


def _normaliser(summary: Summary) -> str | None:
    name, digest = summary.normaliser, summary.normaliser_digest
    if name is None or digest is None:
        return name
    known = known_normaliser(name, summary.protocol.suite)
    return name if known and known.digest() == digest else f"{name} ({digest})"


def _severities(measured: Sequence[int]) -> str:
    return "1-5" if tuple(measured) == SEVERITIES else ",".join(str(severity) for severity in measured)


def _images(protocol: Mapping[str, str]) -> str:
    parts = [f"images {protocol['images'][:8]}"] if protocol["images"] else []
    if protocol["pixels"]:
        parts.append(f"pixels {protocol['pixels'][:8]}")
    elif parts:
        parts.append("pixels not hashed")
    return f" ({', '.join(parts)})" if parts else ""


def _preprocessing(protocol: Mapping[str, str]) -> list[str]:
    if protocol["preprocess"] == "model":
        return ["preprocess model: each network's own"]
    return [f"preprocess suite: {protocol['geometry']}"] if protocol["geometry"] else []
