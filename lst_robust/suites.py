"""Suites: one validated YAML file says what is evaluated, how, and against which normaliser.

A suite is found by name (the files that ship with the package) or by path. Reading checks everything before anything
runs and reports all mistakes at once, each with file and key. The part of a suite that decides its numbers has a hash,
which goes into every record; what only decides how fast they come does not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lst_robust.corruptions.presets import CORRUPTIONS, SEVERITIES, STYLES
from lst_robust.errors import UsageError, unknown_name

MAX_BYTES = 1_000_000  # a suite with the 95 errors of a normaliser has 8 kB


class _Config(BaseModel):
    """Unknown keys are errors: a misspelt option must not be ignored. `strict` keeps "32" from passing as 32."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


# YAML and JSON have lists where the code wants tuples, and whole numbers where it wants floats.
_Tuple3 = Annotated[tuple[float, float, float], Field(strict=False)]


class DigitsDataset(_Config):
    """scikit-learn's bundled digits: 1,797 images, 500 of them for testing."""

    kind: Literal["digits"]


class ImageFolderDataset(_Config):
    """`train/<class>/*` and `test|val/<class>/*` below `--data-dir`; `resize`: shorter side before the centre crop."""

    kind: Literal["image_folder"]
    resize: int | None = Field(default=None, ge=1)


Dataset = Annotated[DigitsDataset | ImageFolderDataset, Field(discriminator="kind")]


class PixelStatistics(_Config):
    """Per-channel mean and standard deviation of pixel values in [0, 1], used to normalise the network's input."""

    mean: _Tuple3
    std: _Tuple3


class Augmentation(_Config):
    """Random crop after padding by `crop_padding` pixels of zeros, and a random horizontal flip."""

    crop_padding: int = Field(default=0, ge=0)
    flip: bool = False


class Recipe(_Config):
    """How a model without a checkpoint is trained.

    `lr` is the peak of the schedule. `one_cycle` warms up for 30 % of the steps and anneals to zero (Smith & Topin
    2019); `multistep` multiplies by `gamma` from each epoch in `milestones` on. `max_steps` bounds the work on data of
    unknown size: the schedule then fits into that many steps.
    """

    epochs: int = Field(ge=1)
    max_steps: int | None = Field(default=None, ge=1)
    batch_size: int = Field(ge=2)
    optimizer: Literal["adamw", "sgd"]
    lr: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    schedule: Literal["one_cycle", "multistep"] = "one_cycle"
    milestones: Annotated[tuple[int, ...], Field(strict=False)] = ()
    gamma: float = Field(default=0.1, gt=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    augmentation: Augmentation = Augmentation()
    seed: int = Field(default=0, ge=0)

    def changed(self, changes: Mapping[str, Any]) -> Recipe:
        """A copy with some fields replaced, checked like a recipe from a file; UsageError when one is not valid."""
        return _validated(self.model_dump() | dict(changes), Recipe, "recipe")


class Normaliser(_Config):
    """The model whose summed errors divide ours: CE = 100 · Σ_s E(s) / Σ_s E_normaliser(s). All errors in percent."""

    name: str
    clean_error: float = Field(gt=0, le=100)
    errors: dict[str, Annotated[tuple[float, float, float, float, float], Field(strict=False)]]
    made_with: dict[str, str | int | float]

    @field_validator("errors")
    @classmethod
    def _known_and_usable(cls, errors: dict[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
        for corruption, values in errors.items():
            _check_corruption(corruption)
            if any(not 0 <= value <= 100 for value in values):
                raise ValueError(f"{corruption}: errors are percentages between 0 and 100, not {list(values)}")
            if sum(values) == 0:
                raise ValueError(f"{corruption}: all five errors are 0, so no CE can be computed against them")
        return errors


class Suite(_Config):
    """A benchmark: data, corruptions, protocol, normaliser, training recipe. See `load_suite`."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    version: int = Field(ge=1)
    description: str
    dataset: Dataset
    image_size: int = Field(ge=8, le=4096)
    protocol: Literal["generated"] = "generated"
    preset: Literal["imagenet", "tiny-imagenet", "cifar"]
    style: Literal["hendrycks", "imagecorruptions"] = "hendrycks"
    corruptions: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] = CORRUPTIONS
    severities: Annotated[tuple[int, ...], Field(strict=False, min_length=1)] = SEVERITIES
    seed: int = Field(default=0, ge=0)
    limit: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=256, ge=1)
    pixels: PixelStatistics
    model_options: dict[str, str | int | float | bool] = {}
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
            _check_corruption(name)
        if len(set(names)) < len(names):
            raise ValueError("names a corruption twice")
        return names

    @field_validator("severities")
    @classmethod
    def _severities_in_range(cls, severities: tuple[int, ...]) -> tuple[int, ...]:
        if not set(severities) <= set(SEVERITIES) or len(set(severities)) < len(severities):
            raise ValueError(f"severities are 1 to 5, each once, not {list(severities)}")
        return tuple(sorted(severities))

    @model_validator(mode="after")
    def _style_has_preset(self) -> Suite:
        if self.style != STYLES[0] and self.preset != "imagenet":
            raise ValueError(f"style {self.style!r} exists for the preset 'imagenet' only")
        return self

    def digest(self) -> str:
        """Short hash of what decides the numbers: a record of another hash belongs to another protocol."""
        deciding = {"name", "version", "dataset", "image_size", "protocol", "preset", "style", "pixels"}
        return _digest(self.model_dump(mode="json", include=deciding))


def load_suite(name_or_path: str | Path) -> Suite:
    """The suite of that name (one that ships with the package, see `suite_names`) or in that YAML file.

    Raises UsageError with one line a mistake, each with file and key, when the suite is unknown or not valid.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = suites_folder() / f"{name_or_path}.yaml"
        if not path.is_file():
            raise unknown_name("suite", str(name_or_path), suite_names())
    return _validated(_read(path), Suite, path)


def load_normaliser(path: str | Path) -> Normaliser:
    """A normaliser from a YAML file of its own, as `lst-robust eval --write-normaliser FILE` makes it."""
    path = Path(path)
    return _validated(_read(path), Normaliser, path)


def suite_names() -> list[str]:
    """Names of the suites that ship with the package, sorted."""
    return sorted(path.stem for path in suites_folder().glob("*.yaml"))


def suites_folder() -> Path:
    """Where the suites lie: inside an installed package, or at the top of a checkout."""
    package = Path(__file__).parent
    installed = package / "_suites"
    return installed if installed.is_dir() else package.parent / "suites"


def _check_corruption(name: str) -> None:
    if name not in CORRUPTIONS:
        raise ValueError(str(unknown_name("corruption", name, CORRUPTIONS)))


def _digest(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]


class _Loader(yaml.SafeLoader):
    """Plain data only: no aliases (a few lines of them expand to gigabytes), no key twice (one would win silently)."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(
                None, None, "aliases (*name) are not allowed in a suite", self.peek_event().start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be plain text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _read(path: Path) -> Any:
    """The YAML data of a file; UsageError with file and line when it is missing, too large or not YAML."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give a suite's name or a YAML file") from error
    if len(text) > MAX_BYTES:
        raise UsageError(f"{path}: {len(text)} bytes is too large for a suite (at most {MAX_BYTES})")
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise UsageError(f"{path}{where}: {getattr(error, 'problem', None) or error}") from error


def _validated(data: Any, kind: type[Any], where: Path | str) -> Any:
    """`data` as a config of that kind; UsageError with one line a mistake, each with file and key."""
    if not isinstance(data, dict):
        raise UsageError(f"{where}: expected keys and values, found {type(data).__name__}")
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            key = ".".join(str(part) for part in problem["loc"]) or "(whole file)"
            lines.append(f"{where}: {key}: {problem['msg'].removeprefix('Value error, ')}")
        raise UsageError("\n".join(lines)) from error
