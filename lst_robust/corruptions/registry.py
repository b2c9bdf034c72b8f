"""Every corruption by its name, and its constants by preset, style and severity."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from lst_robust.arguments import choice, whole_number
from lst_robust.benchmark import CORRUPTIONS, SEVERITIES, corruption_sets, known_corruptions
from lst_robust.corruptions.base import Corruption
from lst_robust.corruptions.own import registered
from lst_robust.corruptions.presets import PRESETS, STYLES, WITH_STYLES
from lst_robust.errors import UsageError

FAMILIES = ("noise", "blur", "weather", "color", "digital", "elastic")
"""The modules that hold the corruptions of the papers, each with a table CORRUPTIONS."""


@cache
def built_in() -> dict[str, Corruption]:
    """The 19 of the papers.

    Their modules, and with them SciPy, OpenCV and scikit-image, are imported at the first call, so that a command that
    only needs names stays quick.
    """
    modules = [import_module(f"lst_robust.corruptions.{family}") for family in FAMILIES]
    return {corruption.name: corruption for module in modules for corruption in module.CORRUPTIONS}


def corruption_named(name: str) -> Corruption:
    """One of the 19, or a corruption from outside. UsageError (a ValueError) where there is none of that name."""
    if isinstance(name, str) and name in built_in():  # without a look at the plugins: `corrupt` may be called often
        return built_in()[name]
    return registered(choice("corruption", name, known_corruptions())).corruption


def corruption_names(group: str | None = None) -> tuple[str, ...]:
    """Names in the order of the paper's Table 4: all 19, "standard" (the 15 of ImageNet-C), or one group of
    them ("noise", "blur", "weather", "digital", "extra"); "own" are those from outside, where there are any.
    UsageError (a ValueError) for another group."""
    if group is None:
        return CORRUPTIONS
    sets = corruption_sets()
    return sets[choice("corruption group", group, sets)]


def constants(corruption: str, severity: int, preset: str, style: str = "hendrycks") -> Any:
    """The constants record of one cell.

    Raises UsageError (a ValueError) for an unknown corruption, preset or style, a severity outside 1..5, and
    for the style `imagecorruptions` with a preset other than `imagenet` (that package has no others).
    """
    entry = corruption_named(corruption)
    severity = whole_number("severity", severity, least=SEVERITIES[0], most=SEVERITIES[-1])
    preset = choice("preset", preset, PRESETS)
    style = choice("style", style, STYLES)
    if style != STYLES[0] and preset != WITH_STYLES:
        raise UsageError(f"style {style!r} has constants for preset {WITH_STYLES!r} only, not {preset!r}")
    if preset not in entry.constants:
        raise UsageError(f"corruption {entry.name} has constants for {', '.join(entry.constants)} only, not {preset!r}")
    if style != STYLES[0] and entry.imagecorruptions is not None:
        return entry.imagecorruptions[severity - 1]
    return entry.constants[preset][severity - 1]
