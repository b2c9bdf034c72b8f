"""The closed registry: a name leads to one factory, its options and its record of facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lst_robust.arguments import wrong
from lst_robust.errors import unknown_name
from lst_robust.models.entry import IMAGENET, Factory, ImageKind, ModelEntry, PrintedRow
from lst_robust.models.external import external_entry

_ENTRIES: dict[str, ModelEntry] = {}


def register(
    name: str,
    *,
    family: str,
    source: str,
    images: ImageKind = IMAGENET,
    options: Mapping[str, Any] | None = None,
    stems: tuple[str, ...] = (),
    paper: PrintedRow | None = None,
    note: str = "",
) -> Callable[[Factory], Factory]:
    """Decorator: put a factory `f(num_classes=, image_size=, **options) -> nn.Module` under `name`."""

    def add(factory: Factory) -> Factory:
        if name in _ENTRIES:
            raise ValueError(f"model {name!r} is registered twice")
        _ENTRIES[name] = ModelEntry(
            name=name,
            family=family,
            factory=factory,
            input_size=images.size,
            num_classes=images.num_classes,
            source=source,
            options={**({"stem": "auto"} if stems else {}), **(options or {})},
            stems=stems,
            paper=paper,
            note=note,
            mean=images.mean,
            std=images.std,
        )
        return factory

    return add


def model_names() -> list[str]:
    """The names of this package's networks, in the registry's order (family by family, then by size)."""
    return list(_ENTRIES)


def model_info(name: str) -> ModelEntry:
    """The record of a name, other people's models included; UsageError with the nearest names when there is none."""
    if not isinstance(name, str):
        raise wrong("model", name, "give a name, see model_names()")
    if ":" in name:
        return external_entry(name)
    if name not in _ENTRIES:
        raise unknown_name("model", name, _ENTRIES)
    return _ENTRIES[name]
