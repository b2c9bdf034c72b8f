"""Recipes: how a model is trained. A suite has its own, or names one of the files in suites/recipes/."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from lst_robust.schema import Config, Integers
from lst_robust.suites.config import YAML_SUFFIXES, read_yaml, shipped_file, shipped_names, suites_folder, validated


class Augmentation(Config):
    """What is drawn anew for each image in each epoch.

    `random_resized_crop`: a random part of the whole image, of at least this share of its area and with sides of
    3:4 to 4:3, scaled to the image size (Szegedy et al. 2015). `crop_padding`: a crop of the original size after
    padding by so many pixels of zeros. `flip`: mirrored with probability 1/2.
    """

    random_resized_crop: float | None = Field(default=None, gt=0, le=1)
    crop_padding: int = Field(default=0, ge=0)
    flip: bool = False

    @model_validator(mode="after")
    def _one_crop(self) -> Augmentation:
        if self.random_resized_crop is not None and self.crop_padding:
            raise ValueError("crop_padding and random_resized_crop exclude each other: leave one out")
        return self


class Recipe(Config):
    """How a model without a checkpoint is trained.

    `lr` is the peak of the schedule. `one_cycle` warms up for 30 % of the steps and anneals to zero (Smith & Topin
    2019); `multistep` multiplies by `gamma` once as many epochs are done as each of the `milestones` says. `max_steps`
    bounds the work on data of unknown size: the schedule then fits into that many steps.

    `batch_size` counts the images of one update of the weights, over all processes. `accumulate` sends them through
    the network in that many parts, for less memory: gradients add up to the same, but BN sees the parts. With
    `drop_last` the images that are left over at the end of an epoch wait for the next one; without, an epoch covers
    every image once, in even batches of at most `batch_size`. (Of an odd number in batches of two, one has three.)

    `evaluate_every` so many epochs (and at the end) the error on the test images goes to the log. `keep: best` takes
    the weights of the epoch with the lowest test error: an optimistic choice, because test images took part in it.
    """

    epochs: int = Field(ge=1)
    max_steps: int | None = Field(default=None, ge=1)
    batch_size: int = Field(ge=2)
    accumulate: int = Field(default=1, ge=1)
    drop_last: bool = True
    optimizer: Literal["adamw", "sgd"]
    lr: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    schedule: Literal["one_cycle", "multistep"] = "one_cycle"
    milestones: Integers = ()
    gamma: float = Field(default=0.1, gt=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    augmentation: Augmentation = Augmentation()
    evaluate_every: int | None = Field(default=None, ge=1)
    keep: Literal["last", "best"] = "last"
    seed: int = Field(default=0, ge=0, lt=2**32)  # each epoch has seeds of its own, and torch's have 64 bits

    @model_validator(mode="after")
    def _fits_together(self) -> Recipe:
        if self.keep == "best" and self.evaluate_every is None:
            raise ValueError("keep: best needs evaluate_every (--evaluate-every), which measures what is best")
        if self.accumulate * 2 > self.batch_size:
            raise ValueError(f"a batch of {self.batch_size} cannot be cut into {self.accumulate} parts of two images")
        return self

    def changed(self, changes: Mapping[str, Any]) -> Recipe:
        """A copy with some fields replaced, checked like a recipe from a file; UsageError when one is not valid."""
        return validated(self.model_dump() | dict(changes), Recipe, "recipe")

    def deciding(self) -> dict[str, Any]:
        """The fields that decide the weights, as JSON. Fields of later releases are left out where they have no
        effect, so that a checkpoint that was trained before keeps its name and its bytes."""
        fields = self.model_dump(mode="json")
        if fields["augmentation"]["random_resized_crop"] is None:
            del fields["augmentation"]["random_resized_crop"]
        for name in ("accumulate", "drop_last", "keep"):
            if fields[name] == Recipe.model_fields[name].default:
                del fields[name]
        if self.keep == "last":  # looking does not change the weights
            del fields["evaluate_every"]
        return fields


def load_recipe(name_or_path: str | Path) -> Recipe:
    """The recipe of that name (see `recipe_names`) or in that YAML file; UsageError, one line a mistake."""
    path = Path(name_or_path)
    if path.suffix not in YAML_SUFFIXES:
        path = shipped_file("recipe", str(name_or_path), recipes_folder())
    return validated(read_yaml(path), Recipe, path)


def recipe_names() -> list[str]:
    """Names of the recipes that ship with the package, sorted."""
    return shipped_names(recipes_folder())


def recipes_folder() -> Path:
    """The folder of the recipes that ship with the package."""
    return suites_folder() / "recipes"
