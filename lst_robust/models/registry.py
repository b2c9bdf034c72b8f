"""The closed registry: a name leads to one factory, its options and its record of facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from lst_robust.errors import unknown_name

Factory = Callable[..., nn.Module]


@dataclass(frozen=True)
class ModelEntry:
    """One line of the registry. `options` holds each option's default; its type is the option's type.
    `stems` are the allowed values of the option `stem`: ImageNet's, the one for small images, others.

    `paper` names the printed row (table, family, depth, width, model), or is None when the paper has none;
    `paper_options` are the options under which the printed figures were counted, where the defaults differ.
    `note` says where a structure is a guess or a budget match, or what is wrong with the printed figures.
    """

    name: str
    family: str
    factory: Factory
    input_size: int
    num_classes: int
    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    stems: tuple[str, ...] = ()
    paper: tuple[str, ...] | None = None
    paper_options: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


_ENTRIES: dict[str, ModelEntry] = {}


def register(
    name: str,
    *,
    family: str,
    source: str,
    input_size: int = 224,
    num_classes: int = 1000,
    options: Mapping[str, Any] | None = None,
    stems: tuple[str, ...] = (),
    paper: tuple[str, ...] | None = None,
    paper_options: Mapping[str, Any] | None = None,
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
            input_size=input_size,
            num_classes=num_classes,
            source=source,
            options={**({"stem": "auto"} if stems else {}), **(options or {})},
            stems=stems,
            paper=paper,
            paper_options=paper_options or {},
            note=note,
        )
        return factory

    return add


def model_names() -> list[str]:
    """All names that `create_model` knows, in the registry's order (family by family, then by size)."""
    return list(_ENTRIES)


def model_info(name: str) -> ModelEntry:
    """The registry's record of a name; UsageError with the nearest names when there is none."""
    if name not in _ENTRIES:
        raise unknown_name("model", name, _ENTRIES)
    return _ENTRIES[name]
