"""The words of the benchmark: corruptions and their groups, severities, cells.

Everything that counts, names or sorts corruptions takes them from here. The sets of the papers (`STANDARD_15`,
`CORRUPTIONS`) never change, so that mCE15 and mCE19 mean the same everywhere. Further corruptions, see
`lst_robust.register_corruption`, come after them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from lst_robust.arguments import choices, whole_numbers

GROUPS: dict[str, tuple[str, ...]] = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    "weather": ("snow", "frost", "fog", "brightness"),
    "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
    "extra": ("saturate", "spatter", "gaussian_blur", "speckle_noise"),
}
"""The groups in the order of the paper's Table 4; `extra` holds ImageNet-C's four validation corruptions."""

CORRUPTIONS: tuple[str, ...] = tuple(name for names in GROUPS.values() for name in names)
STANDARD_15: tuple[str, ...] = tuple(name for g, names in GROUPS.items() if g != "extra" for name in names)
SEVERITIES: tuple[int, ...] = (1, 2, 3, 4, 5)
CLEAN = "clean"
OWN_GROUP = "own"
NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")

LABELS: dict[str, str] = {
    "gaussian_noise": "Gauss.",
    "shot_noise": "Shot",
    "impulse_noise": "Impulse",
    "defocus_blur": "Defocus",
    "glass_blur": "Glass",
    "motion_blur": "Motion",
    "zoom_blur": "Zoom",
    "snow": "Snow",
    "frost": "Frost",
    "fog": "Fog",
    "brightness": "Bright.",
    "contrast": "Contrast",
    "elastic_transform": "Elastic",
    "pixelate": "Pixelate",
    "jpeg_compression": "JPEG",
    "saturate": "Saturate",
    "spatter": "Spatter",
    "gaussian_blur": "Gauss. blur",
    "speckle_noise": "Speckle",
}
_groups, _labels = dict(GROUPS), dict(LABELS)


class Cell(NamedTuple):
    """One corruption at one severity; the clean images are the cell ("clean", 0)."""

    corruption: str
    severity: int

    @property
    def name(self) -> str:
        """Name for people and files: `gaussian_noise-3`, `clean`."""
        return CLEAN if self.corruption == CLEAN else f"{self.corruption}-{self.severity}"

    @property
    def folder(self) -> str:
        """Where the cell lies in a tree of files: `gaussian_noise/3`."""
        return f"{self.corruption}/{self.severity}"

    @classmethod
    def from_name(cls, name: str) -> Cell:
        """The cell of such a name; ValueError for a text that is none."""
        if name == CLEAN:
            return CLEAN_CELL
        corruption, _, severity = name.rpartition("-")
        if corruption == CLEAN or not NAME.fullmatch(corruption) or severity not in map(str, SEVERITIES):
            raise ValueError(f"no such cell: {name!r}")
        return cls(corruption, int(severity))


CLEAN_CELL = Cell(CLEAN, 0)


def add_corruption(name: str, group: str, label: str) -> None:
    """Makes the name of a further corruption known; it comes last in its group, a new group after all others."""
    _groups[group] = (*(known for known in _groups.get(group, ()) if known != name), name)
    _labels[name] = label


def groups() -> dict[str, tuple[str, ...]]:
    """Group -> names, of all corruptions that are known, those of the papers first."""
    return dict(_groups)


def known_corruptions() -> tuple[str, ...]:
    """The 19 of the papers, then the further ones that are known."""
    own = [name for names in _groups.values() for name in names if name not in CORRUPTIONS]
    return (*CORRUPTIONS, *own)


def group_of(name: str) -> str:
    """The group of a corruption; "own" for one that is not known here, such as of a record made elsewhere."""
    return next((group for group, names in _groups.items() if name in names), OWN_GROUP)


def label_of(name: str) -> str:
    """The short name of a corruption, for the head of a column."""
    return _labels.get(name, name.replace("_", " ").capitalize())


def checked_corruptions(name: str, value: object, *, also: str = "") -> tuple[str, ...]:
    """Names of corruptions, each once, from an argument of that name; UsageError for others, and for none."""
    return choices(name, value, known_corruptions(), kind="corruption", also=also)


def checked_severities(name: str, value: object, *, also: str = "") -> tuple[int, ...]:
    """Severities in ascending order, each once, from an argument of that name; UsageError for others, and for none."""
    return tuple(sorted(set(whole_numbers(name, value, least=SEVERITIES[0], most=SEVERITIES[-1], also=also))))
