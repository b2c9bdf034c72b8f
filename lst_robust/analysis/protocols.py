"""Which protocols are the same, and in what others differ."""

from __future__ import annotations

from collections.abc import Sequence

from lst_robust.benchmark import engine_option
from lst_robust.geometry import Geometry
from lst_robust.records.record import Protocol

FOR_PEOPLE = {"data"}  # a name, which decides nothing
HASHED = {"suite_digest", "images", "pixels"}  # the fields that hold a hash
SHORT = 12  # characters by which hashes are told apart


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


def way_of(first: Protocol, second: Protocol) -> str:
    """The option for a measurement by the engine of the first, " (--engine cpu)"; empty where the second's is meant by
    the same option."""
    option = engine_option(first.engine)
    return "" if option in (None, engine_option(second.engine)) else f" (--engine {option})"


def told_apart(protocols: Sequence[Protocol]) -> list[str]:
    """Of each in words what these protocols differ in, such as "engine lst-robust 1"; empty texts where they are alike.
    Hashes are named only where nothing else differs."""
    fields = [field for field in Protocol.model_fields if field not in FOR_PEOPLE]
    different = [field for field in fields if len({_stated(field, protocol) for protocol in protocols}) > 1]
    shown = [field for field in different if field not in HASHED] or different
    return [", ".join(f"{field} {shortened(field, _stated(field, one))}" for field in shown) for one in protocols]


def shortened(field: str, value: str) -> str:
    """A field's value for a text: the beginning of a hash, anything else as it is."""
    return value[:SHORT] if field in HASHED else value


def images_in_words(protocol: Protocol) -> str:
    """ "5000 of robustbench-5k"; just the number where the images are no published choice."""
    return str(protocol.n) if protocol.subset is None else f"{protocol.n} of {protocol.subset}"


def _stated(field: str, protocol: Protocol) -> str:
    """A field of a protocol in words."""
    value = getattr(protocol, field)
    if value is None:
        return {"pixels": "not hashed", "subset": "all images"}.get(field, "not noted")
    return value.described() if isinstance(value, Geometry) else str(value)
