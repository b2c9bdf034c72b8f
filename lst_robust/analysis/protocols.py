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


def _stated(field: str, protocol: Protocol) -> str:
    """A field of a protocol in words."""
    value = getattr(protocol, field)
    if value is None:
        return "not hashed" if field == "pixels" else "not noted"
    return value.described() if isinstance(value, Geometry) else str(value)
