"""The words of the benchmark: corruptions and their groups, severities, cells.

Everything that counts, names or sorts corruptions takes them from here. The sets of the papers (`STANDARD_15`,
`CORRUPTIONS`) never change, so that mCE15 and mCE19 mean the same everywhere. Further corruptions, see
`lst_robust.register_corruption`, come after them; no mean over corruptions counts them, so that a number with a plugin
and one without can be compared.
"""

from __future__ import annotations

import logging
import re
from importlib.metadata import entry_points
from threading import RLock
from typing import NamedTuple

from lst_robust.arguments import choices, text, whole_numbers, wrong
from lst_robust.errors import UsageError, message_of

logger = logging.getLogger(__name__)

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
ENGINES: dict[str, str] = {"lst-robust": "cpu", "lst-robust-torch": "torch"}
"""The engines by the names that stand in records and sets, where a version follows; and the option that means each."""
CLEAN = "clean"
OWN_GROUP = "own"
NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
ALL, STANDARD = "all", "standard"
"""Words for the 19 and for the 15 where corruptions are chosen."""
PLUGINS = "lst_robust.corruptions"
"""The entry point group of packages that register corruptions."""

RESERVED = {
    "model", "model_name", "options", "checkpoint_sha256", "train_seed", "run", "suite", "suite_version",
    "suite_digest", "protocol", "data", "images", "n", "image_size", "preset", "style", "engine", "seed", "preprocess",
    "geometry", "pixels", "subset", "normaliser", "normaliser_digest", "ce", "errors", "calibration", "notes",
    "intervals", "over_seeds", "severities", "measure", "source", "published", "trainings", CLEAN,
}  # fmt: skip
"""What the JSON of a summary and the columns of a table are called besides metrics and corruptions, which therefore
cannot have such a name."""
BESIDE = ("_low", "_high", "_sd")  # how the names of columns beside another end

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
_metric_names: set[str] = set()
_plugins_loaded, _loading = False, RLock()


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


def load_plugins() -> None:
    """Imports the installed packages that register corruptions, once a process.

    All functions below that know further corruptions call it first. A plugin that cannot be imported is named in a
    warning and left out.
    """
    global _plugins_loaded
    with _loading:  # other threads wait; a plugin that asks for names while it is imported gets those known so far
        if _plugins_loaded:
            return
        _plugins_loaded = True
        for plugin in entry_points(group=PLUGINS):
            try:
                plugin.load()
            except Exception as error:  # the plugin's own code: anything can happen in it
                reason = message_of(error)
                logger.warning(
                    "the corruptions of the plugin %s (%s) are left out, because it cannot be imported (%s: %s)",
                    *(plugin.name, plugin.value, type(error).__name__, reason),
                )


def add_corruption(name: str, group: str, label: str) -> None:
    """Makes the name of a further corruption known; it comes last in its group, a new group after all others.

    A name that was added before moves there. UsageError for a name of the papers, and for words that cannot be used.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise wrong("the corruption's name", name, "give up to 50 characters of a-z, 0-9 and _, the first of them a-z")
    if name in CORRUPTIONS:
        raise UsageError(f"{name} is a corruption of the papers, which stays what it is: choose another name")
    if is_reserved(name) or name in _metric_names:
        raise UsageError(
            f"{name!r} cannot be the name of a corruption, because tables keep it for another column: choose another"
        )
    if name in {*_groups, *GROUPS, OWN_GROUP, ALL, STANDARD, CLEAN}:
        raise UsageError(f"{name!r} cannot be the name of a corruption, because it has another meaning: choose another")
    if not isinstance(group, str) or not NAME.fullmatch(group):
        raise wrong(f"the group of {name}", group, "give up to 50 characters of a-z, 0-9 and _, the first of them a-z")
    if group in {name, *_labels, ALL, STANDARD, CLEAN}:
        raise UsageError(f"{group!r} cannot be the group of {name}, because it has another meaning: choose another")
    label = text(f"the label of {name}", label, longest=50)
    for other, names in list(_groups.items()):
        kept = tuple(known for known in names if known != name)
        if kept or other in GROUPS:
            _groups[other] = kept
        else:
            del _groups[other]
    _groups[group] = (*_groups.get(group, ()), name)
    _labels[name] = label


def add_metric_name(name: str) -> None:
    """Makes the name of a metric known, so that no corruption is called so: both have columns in one table."""
    _metric_names.add(name)


def is_reserved(name: str) -> bool:
    """Whether no corruption and no metric can have this name, see RESERVED and BESIDE."""
    return name in RESERVED or name.endswith(BESIDE)


def groups() -> dict[str, tuple[str, ...]]:
    """Group -> names, of all corruptions that are known, those of the papers first."""
    load_plugins()
    return dict(_groups)


def known_corruptions() -> tuple[str, ...]:
    """The 19 of the papers, then the further ones that are known."""
    return (*CORRUPTIONS, *own_corruptions())


def own_corruptions() -> tuple[str, ...]:
    """The further corruptions that are known: those of plugins, and those that were registered in this process."""
    return tuple(name for names in groups().values() for name in names if name not in CORRUPTIONS)


def corruption_sets() -> dict[str, tuple[str, ...]]:
    """What a word stands for where corruptions are chosen.

    Words of the papers have the papers' meaning: their groups, "all" (the 19) and "standard" (the 15). Of further
    corruptions there are the groups, and "own" for all of them, if there are any.
    """
    own = own_corruptions()
    sets = {**groups(), **GROUPS, ALL: CORRUPTIONS, STANDARD: STANDARD_15}
    return {**sets, OWN_GROUP: own} if own else sets


def group_of(name: str) -> str:
    """The group of a corruption; "own" for one that is not known here, such as of a record made elsewhere."""
    return next((group for group, names in groups().items() if name in names), OWN_GROUP)


def label_of(name: str) -> str:
    """The short name of a corruption, for the head of a column."""
    load_plugins()
    return _labels.get(name, default_label(name))


def engine_option(engine: str) -> str | None:
    """ "lst-robust-torch 1", an engine with its version -> "torch", the option; None for another engine."""
    return ENGINES.get(engine.partition(" ")[0])


def default_label(name: str) -> str:
    """The label of a corruption that has been given none."""
    return name.replace("_", " ").capitalize()


def checked_corruptions(name: str, value: object, *, also: str = "") -> tuple[str, ...]:
    """Names of corruptions, each once, from an argument of that name; UsageError for others, and for none."""
    return choices(name, value, known_corruptions(), kind="corruption", also=also)


def checked_severities(name: str, value: object, *, also: str = "") -> tuple[int, ...]:
    """Severities in ascending order, each once, from an argument of that name; UsageError for others, and for none."""
    return tuple(sorted(set(whole_numbers(name, value, least=SEVERITIES[0], most=SEVERITIES[-1], also=also))))
