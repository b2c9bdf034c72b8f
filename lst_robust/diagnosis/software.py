"""Versions: Python, this package, what it needs, and what it can use."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lst_robust._version import __version__
from lst_robust.diagnosis.finding import Finding
from lst_robust.diagnosis.variables import PREFIX, misspelt
from lst_robust.errors import reason_of

LEAST_PYTHON = (3, 10)
SHOWN = ("torch", "torchvision", "numpy")
"""Packages with a line of their own. They are imported, because builds that do not fit together fail only then."""
REQUIRED: Mapping[str, str] = {
    "torch": "2.4",
    "torchvision": "0.19",
    "numpy": "1.26",
    "scipy": "1.11.1",
    "pillow": "10.1",
    "imagecorruptions": "1.1.2",
    "scikit-image": "0.22",
    "scikit-learn": "1.3",
    "threadpoolctl": "3.1",
    "numba": "0.60",
    "ninja": "1.11.1",
    "setuptools": "70",
    "safetensors": "0.4.3",
    "platformdirs": "4",
    "filelock": "4",
    "pydantic": "2.10",
    "pyyaml": "6",
    "pandas": "2.1",
    "pyarrow": "18",
    "jinja2": "3.1",
    "tabulate": "0.9",
    "typer": "0.19",
    "rich": "13.7",
    "typing_extensions": "4.12.2",
    "lazy_loader": "0.6",
}
"""The dependencies in pyproject.toml with their least versions. A test holds the two together."""
EXTRAS: Mapping[str, tuple[Sequence[str], str]] = {
    "report": (("matplotlib",), "figures of reports"),
    "timm": (("timm",), "--model timm:NAME"),
    "hf": (("transformers", "timm"), "--model hf:OWNER/NAME"),
    "open_clip": (("open_clip_torch",), "--model open_clip:MODEL/TAG"),
    "slurm": (("submitit",), "eval --on slurm"),
    "ray": (("ray",), "eval --on ray"),
}
"""Extra -> the packages that it installs, and what they are for."""


def python() -> Iterator[Finding]:
    text = f"{platform.python_version()} ({platform.system()} {platform.machine()}), {sys.executable}"
    if sys.version_info >= LEAST_PYTHON:
        yield Finding("Python", "ok", text)
    else:
        yield Finding("Python", "fault", text, f"take Python {LEAST_PYTHON[0]}.{LEAST_PYTHON[1]} or newer")


def own_version() -> Iterator[Finding]:
    yield Finding("lst-robust", "ok", f"{__version__}, in {Path(__file__).parents[1]}")


def packages() -> Iterator[Finding]:
    """A line for each package in SHOWN, and one for all others."""
    for name in SHOWN:
        yield _shown(name)
    others = [name for name in REQUIRED if name not in SHOWN]
    wrong = [name for name in others if not is_new_enough(installed(name), REQUIRED[name])]
    if wrong:
        named = ", ".join(f"{name} {installed(name) or 'is missing'}" for name in wrong)
        yield Finding("other packages", "fault", named, _pip(wrong))
    else:
        yield Finding("other packages", "ok", f"all {len(others)} are here")


def _shown(name: str) -> Finding:
    found = installed(name)
    if found is None:
        return Finding(name, "fault", "not installed", _pip([name]))
    if not is_new_enough(found, REQUIRED[name]):
        return Finding(name, "fault", f"{found} is older than {REQUIRED[name]}", _pip([name]))
    try:
        import_module(name)
    except Exception as error:  # a library that is missing, or one that was built for another torch
        again = f"install it anew, together with what it was built for: pip install --force-reinstall {' '.join(SHOWN)}"
        return Finding(name, "fault", f"{found} cannot be imported ({reason_of(error)})", again)
    return Finding(name, "ok", found)


def extras() -> Iterator[Finding]:
    for extra, (needed, purpose) in EXTRAS.items():
        if all(installed(name) for name in needed):
            text = ", ".join(f"{name} {installed(name)}" for name in needed)
            yield Finding(f"extra {extra}", "ok", f"{text} ({purpose})")
        else:
            yield Finding(
                f"extra {extra}", "note", f"not installed ({purpose})", f"pip install 'lst-robust[{extra}]' if wanted"
            )


def settings() -> Iterator[Finding]:
    """The variables of the environment that this program may read, and those that only look so."""
    found = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith(PREFIX)]
    if strange := misspelt(os.environ):
        nearest = [near for near in strange.values() if near]
        mend = f"did you mean {' and '.join(nearest)}?" if nearest else "unset what is not meant for another program"
        yield Finding("settings", "note", f"nobody reads {', '.join(strange)}; set: {', '.join(found)}", mend)
        return
    yield Finding("settings", "ok", ", ".join(found) or "no variable LST_ROBUST_... is set")


def installed(name: str) -> str | None:
    """A package's version; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def is_new_enough(found: str | None, least: str) -> bool:
    """Whether a version such as 2.4.0+cpu is at least another one. A version that says nothing is taken as it is."""
    if found is None:
        return False
    numbers = _numbers(found)
    return not numbers or numbers >= _numbers(least)


def _numbers(text: str) -> tuple[int, ...]:
    """The numbers of a release without zeros at its end: 2.4.0rc1+cpu -> (2, 4)."""
    release = re.match(r"\d+(\.\d+)*", text)
    numbers = [int(part) for part in release.group().split(".")] if release else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _pip(names: Sequence[str]) -> str:
    wanted = " ".join(f"'{name}>={REQUIRED[name]}'" for name in names)
    return f"pip install {wanted}"
