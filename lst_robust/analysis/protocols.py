"""Which protocols are the same, and in what others differ."""

from __future__ import annotations

from lst_robust.geometry import Geometry
from lst_robust.records.record import Protocol

FOR_PEOPLE = {"data"}  # a name, which decides nothing


def protocol_key(protocol: Protocol) -> str:
    """Two protocols with the same key are the same: their numbers may be compared."""
    return protocol.model_dump_json(exclude=FOR_PEOPLE)


def protocol_differences(first: Protocol, second: Protocol) -> list[str]:
    """What makes two protocols different ones, such as "n (500, 20)"; empty when their numbers may be compared."""
    fields = [field for field in Protocol.model_fields if field not in FOR_PEOPLE]
    return [
        f"{field} ({_stated(field, first)}, {_stated(field, second)})"
        for field in fields
        if getattr(first, field) != getattr(second, field)
    ]


def images_in_words(protocol: Protocol) -> str:
    """ "5000 of robustbench-5k"; just the number where the images are no published choice."""
    return str(protocol.n) if protocol.subset is None else f"{protocol.n} of {protocol.subset}"


def _stated(field: str, protocol: Protocol) -> str:
    """A field of a protocol in words."""
    value = getattr(protocol, field)
    if value is None:
        return {"pixels": "not hashed", "subset": "all images"}.get(field, "not noted")
    return value.described() if isinstance(value, Geometry) else str(value)
