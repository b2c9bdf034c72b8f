"""The words of the benchmark: corruptions and their groups, severities, cells.

Everything that counts, names or sorts corruptions takes them from here.
"""

from __future__ import annotations

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
        if not corruption or not severity.isdecimal():
            raise ValueError(f"no such cell: {name!r}")
        return cls(corruption, int(severity))


CLEAN_CELL = Cell(CLEAN, 0)


def checked_corruptions(name: str, value: object, *, also: str = "") -> tuple[str, ...]:
    """Names of corruptions, each once, from an argument of that name; UsageError for others, and for none."""
    return choices(name, value, CORRUPTIONS, kind="corruption", also=also)


def checked_severities(name: str, value: object, *, also: str = "") -> tuple[int, ...]:
    """Severities in ascending order, each once, from an argument of that name; UsageError for others, and for none."""
    return tuple(sorted(set(whole_numbers(name, value, least=SEVERITIES[0], most=SEVERITIES[-1], also=also))))
