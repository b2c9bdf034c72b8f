"""Suites: one validated YAML file says what is evaluated, how, and against which normaliser.

A suite is found by name (the files that ship with the package) or by path, and may extend another one. Reading checks
everything before anything runs and reports all mistakes at once, each with file and key. The part of a suite that
decides its numbers has a hash, which goes into every record. What only decides the speed is not part of the hash.
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
from lst_robust.data.registry import Dataset, dataset_kind, dataset_subset
from lst_robust.errors import UsageError
from lst_robust.schema import Config, Floats3, Integers
from lst_robust.suites.config import (
    YAML_SUFFIXES,
    read_extended,
    shipped_file,
    shipped_names,
    suites_folder,
    validated,
)
from lst_robust.suites.normaliser import NAMED, Normaliser, require_corruption, require_own_name
from lst_robust.suites.recipe import Recipe, load_recipe

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

    `dataset`: `kind` is one of the kinds of data sets that are known, see `lst_robust.register_dataset`; the other keys
    are the options of that kind.

    `protocol`: `generated` corrupts the clean images on the fly, by `preset`, `style` and `seed`. `generated-jpeg` does
    the same and lets each corrupted image go through JPEG, as the official files of ImageNet-C went; the clean images
    don't. `official` reads the files of a corrupted set that was made once (with the constants of `preset`), which are
    taken as they are.
    `preprocess`: `suite` gives all networks the same pixels, resized and cropped as `dataset` and `image_size` say;
    `model` gives each network its own resize, interpolation, crop and size. With the other protocols than `generated`
    the suite's squares are only scaled to that size.
    `subset`: the name of a published choice of the test images, in place of all. `limit`: so many of them, stratified.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)  # a folder of the results
    version: int = Field(ge=1)
    description: str
    dataset: Dataset
    image_size: int = Field(ge=8, le=4096)
    protocol: Literal["generated", "generated-jpeg", "official"] = "generated"
    preprocess: Preprocessing = "suite"
    preset: Literal["imagenet", "tiny-imagenet", "cifar"]
    style: Literal["hendrycks", "imagecorruptions"] = "hendrycks"
    corruptions: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] = CORRUPTIONS
    severities: Annotated[Integers, Field(min_length=1)] = SEVERITIES
    seed: int = Field(default=0, ge=0)
    subset: str | None = None
    limit: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=256, ge=1)
    pixels: PixelStatistics
    model_options: dict[str, str | int | float | bool] = Field(default={})
    training: Recipe | None = None
    normaliser: Normaliser | None = None

    @field_validator("model_options", mode="before")
    @classmethod
    def _none_is_none_of_them(cls, value: object) -> object:
        return {} if value is None else value

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
        if isinstance(value, str) and value not in NAMED:
            known = ", ".join(NAMED)
            raise ValueError(f"{value!r} is no published normaliser: give {known}, or name, clean_error and errors")
        return NAMED[value]() if isinstance(value, str) else value

    @field_validator("normaliser")
    @classmethod
    def _normaliser_called_as_it_is(cls, normaliser: Normaliser | None) -> Normaliser | None:
        if normaliser is not None:
            require_own_name(normaliser)
        return normaliser

    @model_validator(mode="after")
    def _fits_together(self) -> Suite:
        if self.style != STYLES[0] and self.preset != "imagenet":
            raise ValueError(f"style {self.style!r} exists for the preset 'imagenet' only")
        if self.protocol == "official" and not dataset_kind(self.dataset).has_official:
            raise ValueError(f"there are no official files of {self.dataset.kind}: set protocol to generated")
        if self.protocol == "official" and (self.style, self.seed) != (STYLES[0], 0):
            raise ValueError("official files are what they are: leave out style and seed")
        if self.subset is not None:
            dataset_subset(self.dataset, self.subset)
        return self

    @property
    def keeps_squares(self) -> bool:
        """Whether a network's own preprocessing only scales the suite's squares. Official files were cut once, and what
        stands for such files is cut in the same way."""
        return self.protocol != "generated"

    def digest(self) -> str:
        """Short hash of what decides the numbers: a record of another hash belongs to another protocol."""
        deciding = {"name", "version", "dataset", "image_size", "protocol", "preset", "style", "pixels"}
        fields = self.model_dump(mode="json", include=deciding)
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]


def load_suite(name_or_path: str | Path) -> Suite:
    """The suite of that name (one that ships with the package, see `suite_names`) or in that YAML file.

    A file that `extends` another suite has the other's keys as well, except `name` and `description`. A key that both
    have counts as the file itself states it, as a whole: nothing inside is merged. `null` takes an optional key away.

    Raises UsageError with one line a mistake, each with file and key, when the suite is unknown or not valid.
    """
    name = os.fspath(name_or_path) if isinstance(name_or_path, (str, os.PathLike)) else None
    if not isinstance(name, str):
        raise wrong("suite", name_or_path, "give the name of a suite, or its YAML file as text or Path")
    path = suite_file(plain(name))
    data, file_of_key = read_extended(path, suite_file, own=("name", "description"))
    if isinstance(data, dict):
        data |= _with_recipes_file(data.get("training"), file_of_key)
    suite = validated(data, Suite, path, file_of_key)
    _require_own_normaliser(suite, file_of_key, path)
    return suite


def _require_own_normaliser(suite: Suite, file_of_key: Mapping[str, Path], path: Path) -> None:
    """UsageError where a file changes what the normaliser that it inherits was measured on: CEs would be percent of
    errors on other images. Other sizes of the same images are usual beside one AlexNet."""
    if suite.normaliser is None or file_of_key["normaliser"] == path:
        return
    measured = load_suite(file_of_key["normaliser"])
    changed = [key for key in ("protocol", "preset", "style") if getattr(suite, key) != getattr(measured, key)]
    if suite.dataset.dataset_name != measured.dataset.dataset_name:
        changed.insert(0, "dataset")
    if changed:
        raise UsageError(
            f"{file_of_key[changed[0]]}: {changed[0]} is another than where the inherited normaliser was measured "
            f"({file_of_key['normaliser'].name}): add normaliser: null, or one that fits"
        )


def _with_recipes_file(training: object, file_of_key: Mapping[str, Path]) -> dict[str, object]:
    """The key `training`, where the YAML file of a recipe is looked for beside the suite's file first."""
    recipe = training.get("recipe") if isinstance(training, Mapping) else training
    if not isinstance(recipe, str) or Path(recipe).suffix not in YAML_SUFFIXES:
        return {}
    beside = file_of_key["training"].parent / recipe
    if not beside.is_file():
        return {}
    return {"training": {**training, "recipe": str(beside)} if isinstance(training, Mapping) else str(beside)}


def suite_file(name: str, folder: Path = Path()) -> Path:
    """The YAML file of a suite: one that ships with the package, by its name, or a path relative to `folder`."""
    return folder / name if Path(name).suffix in YAML_SUFFIXES else shipped_file("suite", name, suites_folder())


def resolve_suite(suite: str | Path | Suite) -> Suite:
    """A suite itself, or the one that `load_suite` finds."""
    return suite if isinstance(suite, Suite) else load_suite(suite)


def suite_names() -> list[str]:
    """Names of the suites that ship with the package, sorted."""
    return shipped_names(suites_folder())
