"""Suites: one validated YAML file says what is evaluated, how, and against which normaliser.

A suite is found by name (the files that ship with the package) or by path. Reading checks everything before anything
runs and reports all mistakes at once, each with file and key. The part of a suite that decides its numbers has a hash,
which goes into every record; what only decides how fast they come does not.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from lst_robust.arguments import plain, wrong
from lst_robust.benchmark import CORRUPTIONS, SEVERITIES
from lst_robust.corruptions.presets import STYLES
from lst_robust.errors import unknown_name
from lst_robust.schema import Config, Floats3, Integers
from lst_robust.suites.config import read_yaml, suites_folder, validated
from lst_robust.suites.normaliser import (
    PUBLISHED,
    Normaliser,
    published_normaliser,
    require_corruption,
)
from lst_robust.suites.recipe import Recipe, load_recipe


class DigitsDataset(Config):
    """scikit-learn's bundled digits: 1,797 images, 500 of them for testing."""

    kind: Literal["digits"]


class ImageFolderDataset(Config):
    """`train/<class>/*` and `test|val/<class>/*` below `--data-dir`; `resize`: shorter side before the centre crop."""

    kind: Literal["image_folder"]
    resize: int | None = Field(default=None, ge=1)


class CifarDataset(Config):
    """CIFAR-10 or CIFAR-100: the python version's pickles, or class folders; official: CIFAR-10-C, CIFAR-100-C."""

    kind: Literal["cifar"]
    name: Literal["cifar10", "cifar100"]


class ImageNetDataset(Config):
    """ILSVRC 2012: `val/<wnid>/*` (and `train/<wnid>/*`); official: ImageNet-C."""

    kind: Literal["imagenet"]
    resize: int = Field(default=256, ge=1)


class TinyImageNetDataset(Config):
    """`tiny-imagenet-200/`; official: Tiny-ImageNet-C."""

    kind: Literal["tiny_imagenet"]


class Places365Dataset(Config):
    """Places365-Standard's validation images, for testing only."""

    kind: Literal["places365"]
    resize: int = Field(default=256, ge=1)


Dataset = Annotated[
    DigitsDataset | ImageFolderDataset | CifarDataset | ImageNetDataset | TinyImageNetDataset | Places365Dataset,
    Field(discriminator="kind"),
]
WITH_OFFICIAL_FILES = ("cifar", "image_folder", "imagenet", "tiny_imagenet")


Preprocessing = Literal["suite", "model"]


class PixelStatistics(Config):
    """Per-channel mean and standard deviation of pixel values in [0, 1], used to normalise the network's input."""

    mean: Floats3
    std: Floats3

    @field_validator("std")
    @classmethod
    def _divides(cls, std: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(std) <= 0:
            raise ValueError(f"a standard deviation is larger than 0, not {list(std)}")
        return std

    def described(self) -> str:
        """In words, as records note it."""
        mean, std = (", ".join(f"{value:g}" for value in values) for values in (self.mean, self.std))
        return f"minus mean ({mean}), by std ({std})"


class Suite(Config):
    """A benchmark: data, corruptions, protocol, normaliser, training recipe. See `load_suite`.

    `protocol`: `generated` corrupts the clean images on the fly, by `preset`, `style` and `seed`; `official` reads the
    files of a corrupted set that was made once (with the constants of `preset`), which are taken as they are.
    `preprocess`: `suite` gives all networks the same pixels, resized and cropped as `dataset` and `image_size` say;
    `model` gives each network its own resize, interpolation, crop and size.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)  # a folder of the results
    version: int = Field(ge=1)
    description: str
    dataset: Dataset
    image_size: int = Field(ge=8, le=4096)
    protocol: Literal["generated", "official"] = "generated"
    preprocess: Preprocessing = "suite"
    preset: Literal["imagenet", "tiny-imagenet", "cifar"]
    style: Literal["hendrycks", "imagecorruptions"] = "hendrycks"
    corruptions: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] = CORRUPTIONS
    severities: Annotated[Integers, Field(min_length=1)] = SEVERITIES
    seed: int = Field(default=0, ge=0)
    limit: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=256, ge=1)
    pixels: PixelStatistics
    model_options: dict[str, str | int | float | bool] = Field(default={})
    training: Recipe | None = None
    normaliser: Normaliser | None = None

    @field_validator("corruptions", mode="before")
    @classmethod
    def _all_corruptions(cls, value: object) -> object:
        return CORRUPTIONS if value == "all" else value

    @field_validator("corruptions")
    @classmethod
    def _corruptions_known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            require_corruption(name)
        if len(set(names)) < len(names):
            raise ValueError("names a corruption twice")
        return names

    @field_validator("severities")
    @classmethod
    def _severities_in_range(cls, severities: tuple[int, ...]) -> tuple[int, ...]:
        if not set(severities) <= set(SEVERITIES) or len(set(severities)) < len(severities):
            raise ValueError(f"severities are 1 to 5, each once, not {list(severities)}")
        return tuple(sorted(severities))

    @field_validator("training", mode="before")
    @classmethod
    def _named_recipe(cls, value: object) -> object:
        """`paper-cifar` is the recipe of that name; `{recipe: short, epochs: 5}` is one with other values."""
        if isinstance(value, str):
            return load_recipe(value)
        if isinstance(value, Mapping) and isinstance(value.get("recipe"), str):
            changes = {key: value[key] for key in value if key != "recipe"}
            return load_recipe(value["recipe"]).model_dump() | changes
        return value

    @field_validator("normaliser", mode="before")
    @classmethod
    def _published_normaliser(cls, value: object) -> object:
        if isinstance(value, str) and value != PUBLISHED:
            raise ValueError(f"{value!r} is no published normaliser: give {PUBLISHED}, or name, clean_error and errors")
        return published_normaliser() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits_together(self) -> Suite:
        if self.style != STYLES[0] and self.preset != "imagenet":
            raise ValueError(f"style {self.style!r} exists for the preset 'imagenet' only")
        if self.protocol == "official" and self.dataset.kind not in WITH_OFFICIAL_FILES:
            raise ValueError(f"there are no official files of {self.dataset.kind}: set protocol to generated")
        if self.protocol == "official" and (self.style, self.seed) != (STYLES[0], 0):
            raise ValueError("official files are what they are: leave out style and seed")
        return self

    def digest(self) -> str:
        """Short hash of what decides the numbers: a record of another hash belongs to another protocol."""
        deciding = {"name", "version", "dataset", "image_size", "protocol", "preset", "style", "pixels"}
        fields = self.model_dump(mode="json", include=deciding)
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]


def load_suite(name_or_path: str | Path) -> Suite:
    """The suite of that name (one that ships with the package, see `suite_names`) or in that YAML file.

    Raises UsageError with one line a mistake, each with file and key, when the suite is unknown or not valid.
    """
    name = os.fspath(name_or_path) if isinstance(name_or_path, (str, os.PathLike)) else None
    if not isinstance(name, str):
        raise wrong("suite", name_or_path, "give the name of a suite, or its YAML file as text or Path")
    name = plain(name)
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        if name not in suite_names():
            raise unknown_name("suite", name, suite_names())
        path = suites_folder() / f"{name}.yaml"
    return validated(read_yaml(path), Suite, path)


def resolve_suite(suite: str | Path | Suite) -> Suite:
    """A suite itself, or the one that `load_suite` finds."""
    return suite if isinstance(suite, Suite) else load_suite(suite)


def suite_names() -> list[str]:
    """Names of the suites that ship with the package, sorted."""
    return sorted(path.stem for path in suites_folder().glob("*.yaml"))
