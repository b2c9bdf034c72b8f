"""What a person chooses about a corrupted set, and what else decides its bytes: engine, code, versions of packages."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import cv2
import numpy as np
import PIL
from pydantic import BaseModel, ConfigDict

from lst_robust._version import __version__
from lst_robust.arguments import choice, optional, whole_number
from lst_robust.benchmark import CORRUPTIONS, SEVERITIES, checked_corruptions, checked_severities
from lst_robust.corruptions import ENGINE, ENGINE_VERSION, corruption_digest
from lst_robust.corruptions.engine import MIN_SIDE
from lst_robust.corruptions.presets import PRESETS, STYLES
from lst_robust.corruptions.registry import constants
from lst_robust.errors import UsageError
from lst_robust.generation.inputs import MAX_SIDE
from lst_robust.generation.tree import SUFFIXES

logger = logging.getLogger(__name__)
CPU_ENGINE = f"{ENGINE} {ENGINE_VERSION}"
OWN_PACKAGE = "lst_robust"  # whose releases give the same bytes as long as the engine's version is the same


class FrozenModel(BaseModel):
    """A part of a manifest: read strictly, and never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Settings(FrozenModel):
    """What a person chooses. image_format: of a tree and of tar shards; size: "keep", or the side of the squares in
    pixels."""

    format: Literal["tree", "npy", "tar"]
    image_format: Literal["jpeg", "png"] | None = None
    preset: str
    style: str
    seed: int
    size: str
    corruptions: tuple[str, ...]
    severities: tuple[int, ...]


def settings_for(
    *,
    format: Literal["tree", "npy", "tar"] = "tree",
    image_format: Literal["jpeg", "png"] | None = None,
    preset: str = "imagenet",
    style: str = "hendrycks",
    seed: int = 0,
    size: int | None = 224,
    corruptions: Sequence[str] | None = None,
    severities: Sequence[int] | None = None,
) -> Settings:
    """Checked settings; by default the 19 corruptions at all severities, and JPEG but in arrays. size None keeps sizes.

    Raises UsageError for names, severities and combinations that do not exist.
    """
    choice("format", format, ("tree", "npy", "tar"))
    optional(choice, "image_format", image_format, known=tuple(SUFFIXES))
    if format == "npy" and image_format is not None:
        raise UsageError("arrays have no image format: leave out --image-format, or choose --format tree")
    names = optional(checked_corruptions, "corruptions", corruptions) or CORRUPTIONS
    levels = optional(checked_severities, "severities", severities) or SEVERITIES
    side = optional(whole_number, "size", size, least=MIN_SIDE, most=MAX_SIDE)
    seed = whole_number("seed", seed, least=0)
    for name in names:
        for severity in levels:
            constants(name, severity, preset, style)
    return Settings(
        format=format,
        image_format=None if format == "npy" else image_format or "jpeg",
        preset=choice("preset", preset, PRESETS),
        style=choice("style", style, STYLES),
        seed=seed,
        size="keep" if side is None else str(side),
        corruptions=names,
        severities=levels,
    )


def own_digests(names: Sequence[str], engine: str) -> dict[str, str] | None:
    """Of the corruptions from outside; None where there are none."""
    by_torch = engine != CPU_ENGINE
    return {name: digest for name in names if (digest := corruption_digest(name, by_torch=by_torch))} or None


def used_versions(others: Mapping[str, str]) -> dict[str, str]:
    """Of the packages that take part in a set."""
    return {
        "lst_robust": __version__,
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "opencv": cv2.__version__,
        **others,
    }


def _short(value: object) -> str:
    """For messages."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def different_settings(earlier: Settings, settings: Settings) -> list[str]:
    """A line about each setting that another set has."""
    return [
        f"{key} {_short(old)}, not {_short(new)}"
        for (key, old), (_, new) in zip(earlier, settings, strict=True)
        if old != new
    ]


class Made(Protocol):
    """What is known about a set that is made: its settings, and the digests of the corruptions from outside."""

    @property
    def settings(self) -> Settings: ...

    @property
    def own(self) -> dict[str, str] | None: ...


def different_code(earlier: Made, plan: Made) -> list[str]:
    """A line where corruptions from outside are not what they were, in two sets of the same corruptions."""
    if earlier.settings.corruptions != plan.settings.corruptions or earlier.own == plan.own:
        return []
    digests = plan.own or {}
    changed = [name for name, digest in (earlier.own or {}).items() if digests.get(name) != digest]
    return [f"made when {', '.join(changed)} had other code, constants or another version"]


def warn_of_other_versions(folder: Path, earlier: Mapping[str, str], now: Mapping[str, str]) -> None:
    """A warning where the set in `folder` was begun with other versions of packages, or goes on with more than one:
    they may give other bytes."""
    changed = [
        f"{package} {earlier[package]}, now {version}"
        for package, version in now.items()
        if package != OWN_PACKAGE and earlier.get(package, version) != version
    ]
    if changed:
        logger.warning(
            "%s was begun with other versions (%s): some bytes may differ from those that are there; to have all from "
            "one version, install it again or begin in another folder",
            folder,
            "; ".join(changed),
        )


def all_versions(parts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Of the packages that took part in any part of a set; several versions of one stand side by side."""
    packages = dict.fromkeys(package for part in parts for package in part)
    return {
        package: ", ".join(dict.fromkeys(one for part in parts for one in part.get(package, "").split(", ") if one))
        for package in packages
    }
