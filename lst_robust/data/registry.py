"""All kinds of data sets: those of this package, and those that others register.

A kind that ships with the package is a file of this folder that ends with `KIND = DatasetKind(...)`, and a line in
`MODULES`. From outside, `register_dataset` adds one, or an entry point of the group `lst_robust.datasets`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from threading import RLock
from types import ModuleType
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny, ValidationError

from lst_robust.arguments import choice, instance
from lst_robust.data.kind import DatasetConfig, DatasetKind
from lst_robust.data.subset import Subset
from lst_robust.errors import UsageError, message_of
from lst_robust.schema import first_mistake

logger = logging.getLogger(__name__)

MODULES = (
    "digits",
    "image_folder",
    "cifar",
    "mnist",
    "imagenet",
    "tiny_imagenet",
    "places365",
)
ENTRY_POINTS = "lst_robust.datasets"


def shipped_kinds() -> dict[str, DatasetKind[Any]]:
    """Name -> the record at the bottom of each file in `MODULES`."""
    found = [import_module(f"lst_robust.data.{module}").KIND for module in MODULES]
    return {kind.name: kind for kind in found}


SHIPPED = shipped_kinds()
_registered: dict[str, DatasetKind[Any]] = {}
_loading, _entry_points_loaded = RLock(), False


def register_dataset(kind: DatasetKind[Any]) -> DatasetKind[Any]:
    """Makes a kind of data set known in this process: suites can name it, and it is returned as it is.

    A kind that was registered under the same name before is replaced. UsageError for the name of a kind that ships
    with the package.
    """
    instance("kind", kind, DatasetKind, "give a DatasetKind")
    if kind.name in SHIPPED:
        raise UsageError(f"the dataset kind {kind.name!r} ships with lst-robust: choose another name")
    _registered[kind.name] = kind
    return kind


def dataset_kinds() -> dict[str, DatasetKind[Any]]:
    """Name -> kind, of all that are known: those that ship with the package come first."""
    _register_entry_points()
    return SHIPPED | _registered


def dataset_kind(dataset: str | DatasetConfig) -> DatasetKind[Any]:
    """The kind of that name, or of a dataset section; UsageError with the nearest names when there is none."""
    name = dataset.kind if isinstance(dataset, DatasetConfig) else dataset
    found = SHIPPED.get(name) if isinstance(name, str) else None  # other packages are not looked at without need
    if found is not None:
        return found
    kinds = dataset_kinds()
    return kinds[choice("dataset kind", name, sorted(kinds))]


def dataset_subset(dataset: DatasetConfig, name: object, *, also: str = "") -> Subset:
    """The subset of that name; UsageError with the nearest names when there is none, and when it is one of another
    kind of data set."""
    of_kind = {kind.name: [subset.name for subset in kind.subsets] for kind in dataset_kinds().values()}
    choice("subset", name, sorted({known for names in of_kind.values() for known in names}), also=also)
    own = {subset.name: subset for subset in dataset_kind(dataset).subsets}
    if name not in own:
        owners = " and ".join(kind for kind, names in of_kind.items() if name in names)
        raise UsageError(
            f"subset {name} is a choice of images of {owners}, not of {dataset.dataset_name}: leave it out, or choose "
            f"a suite of {owners}"
        )
    return own[str(name)]


def checked_dataset(value: object) -> DatasetConfig:
    """The dataset section of a suite, checked by the class of its kind.

    Raises UsageError for an unknown kind, and pydantic's ValidationError for wrong options.
    """
    if isinstance(value, DatasetConfig):
        return value
    if not isinstance(value, Mapping):
        raise UsageError("give keys and values, such as {kind: digits}")
    if "kind" not in value:
        raise UsageError(f"the key kind is missing: choose from {', '.join(sorted(dataset_kinds()))}")
    return dataset_kind(value["kind"]).config.model_validate(value)


def dataset_config(dataset: Mapping[str, Any] | DatasetConfig) -> DatasetConfig:
    """The same for Python: UsageError in one line for whatever is wrong."""
    try:
        return checked_dataset(dataset)
    except ValidationError as error:
        raise UsageError(f"dataset: {first_mistake(error)}") from error


Dataset = Annotated[SerializeAsAny[DatasetConfig], BeforeValidator(checked_dataset)]
"""The type of a suite's field: any kind that is known when the suite is read."""


def _register_entry_points() -> None:
    """Registers what installed packages offer, once a process: a record, or a module that registers its own.

    A package that is broken is named in a warning and left out.
    """
    global _entry_points_loaded
    with _loading:  # other threads wait; a package that asks for kinds while it is imported gets those known so far
        if _entry_points_loaded:
            return
        _entry_points_loaded = True
        for entry in entry_points(group=ENTRY_POINTS):
            try:
                offered = entry.load()
                if not isinstance(offered, ModuleType):
                    register_dataset(offered)
            except Exception as error:  # other people's code may raise anything
                reason = message_of(error)
                logger.warning(
                    "the data set %s (%s) is left out, because it cannot be used (%s: %s)",
                    *(entry.name, entry.value, type(error).__name__, reason),
                )
