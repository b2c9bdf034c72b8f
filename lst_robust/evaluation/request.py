"""What an evaluation is asked for, checked as a whole before any work: no mistake may cost the time of a measurement.

The same checks serve Python's arguments, the command line's options and a YAML file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import torch
from torch import nn
from typing_extensions import Unpack

from lst_robust.arguments import instance, items, path, plain, wrong
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import NothingToEvaluateError, UsageError
from lst_robust.evaluation.options import DEFAULTS, EvalOptions, Options, checked_values
from lst_robust.models import canonical_options, fitting_options, model_info, require_no_checkpoint, require_options
from lst_robust.runtime.progress import Observer
from lst_robust.suites import Normaliser, Preprocessing, Suite, resolve_suite
from lst_robust.suites.config import read_yaml

MAX_MODEL = 200  # characters of a model's name, which may be a file's path: it names a folder and a checkpoint
OF_FOLDERS = ("hf", "timm:local-dir")  # what stands before a folder in a model's name


@dataclass(frozen=True)
class EvalRequest:
    """One model on one suite: everything that an evaluation is asked for, each field of its own plain type, and all
    fitting together. Make one with `EvalRequest.of`. The fields are those of `EvalOptions`."""

    model: str | nn.Module
    suite: Suite
    checkpoint: Path | None
    model_options: Options | None
    name: str | None
    data_dir: Path | None
    corrupted_dir: Path | None
    corruptions: tuple[str, ...] | None
    severities: tuple[int, ...] | None
    preprocess: Preprocessing
    subset: str | None
    limit: int | None
    seed: int | None
    normaliser: Normaliser | None
    batch_size: int
    workers: int
    device: torch.device
    engine: Literal["cpu", "torch"]
    amp: str
    compile: str
    train: bool
    train_seed: int | None
    skip_unreadable: bool
    results_dir: Path
    overwrite: bool
    observer: Observer

    @classmethod
    def of(
        cls, model: str | nn.Module, suite: str | Path | Suite = "digits-c", **options: Unpack[EvalOptions]
    ) -> EvalRequest:
        """The request in arguments as a person gives them: see `EvalOptions`.

        model: a name (see `model_names`) or a network: float32 (n, 3, H, W), normalised -> logits (n, classes).
        suite: name, YAML file or `Suite`. Raises UsageError for the first argument that cannot be meant, and for
        arguments that contradict each other.
        """
        unknown = sorted(set(options) - set(EvalOptions.__annotations__))
        if unknown:
            raise TypeError(
                f"an evaluation has no option {unknown[0]!r}: it has {', '.join(EvalOptions.__annotations__)}"
            )
        resolved = resolve_suite(suite)
        request = cls(model=_model(model), suite=resolved, **checked_values(DEFAULTS | options, resolved))
        _require_fitting(request)
        return request

    @classmethod
    def from_yaml(cls, file: str | Path) -> EvalRequest:
        """The request in a YAML file: `model`, `suite`, and any of `EvalOptions` but an observer.

        Raises UsageError for a file that cannot be read, an unknown key, and what `of` refuses.
        """
        source = path("file", file)
        given = read_yaml(source)
        known = {field.name for field in fields(cls)} - {"observer"}
        if not isinstance(given, Mapping) or "model" not in given:
            raise UsageError(f"{source}: expected keys and values, one of them model")
        if unknown := sorted(set(given) - known, key=str):
            raise UsageError(f"{source}: {unknown[0]}: unknown key, choose from {', '.join(sorted(known))}")
        return cls.of(**given)

    @property
    def options(self) -> Options:
        """The options that a named model with weights of a library is built with: those of the suite that it has, and
        over them those that are given. Where nobody knows which it has, those that are given alone."""
        assert isinstance(self.model, str)
        of_suite, given = self.suite.model_options, self.model_options
        if model_info(self.model).options is None:
            return canonical_options(self.model, of_suite if given is None else given)
        return canonical_options(self.model, {**fitting_options(self.model, of_suite), **(given or {})})

    @property
    def has_weights(self) -> bool:
        """Whether the request says which weights are meant: those of a network that was built, of a checkpoint, of the
        option `weights`, or of a name that stands for weights. All others are trained on the suite."""
        if isinstance(self.model, nn.Module) or self.checkpoint is not None:
            return True
        return model_info(self.model).own_weights or bool(self.options.get("weights"))

    @property
    def label(self) -> str:
        """What to call the network in a message."""
        return self.model if isinstance(self.model, str) else type(self.model).__name__

    def cells(self) -> list[Cell]:
        """The clean cell and every corruption at every severity, as the suite says or as restricted."""
        names = self.corruptions or self.suite.corruptions
        severities = self.severities or self.suite.severities
        return [CLEAN_CELL, *(Cell(name, severity) for name in names for severity in severities)]


OF_ONE_NETWORK = {
    "model", "checkpoint", "model_options", "name", "normaliser", "train", "train_seed", "observer",
}  # fmt: skip
SHARED = tuple(field.name for field in fields(EvalRequest) if field.name not in OF_ONE_NETWORK)


def checked_requests(requests: Sequence[EvalRequest]) -> list[EvalRequest]:
    """Requests that can be done together; UsageError for what is no request, and where they differ in more than the
    network, because the networks see the same images. NothingToEvaluateError where there is none."""
    found = items("requests", requests, empty=True)
    if not found:
        raise NothingToEvaluateError("there is no network to evaluate: give at least one")
    for place, one in enumerate(found):
        instance(f"requests[{place}]", one, EvalRequest, "make one with lst_robust.requests_of or EvalRequest.of")
        require_alike(f"requests[{place}]", one, found[0])
    return found


def require_alike(name: str, request: EvalRequest, first: EvalRequest) -> None:
    """UsageError where the two differ in more than the network. name: of the request, for the message."""
    for shared in SHARED:
        if getattr(request, shared) != getattr(first, shared):
            raise UsageError(f"{name} has another {shared} than the first one: make one call for each {shared}")


def _require_fitting(request: EvalRequest) -> None:
    """Raises UsageError for arguments of which one would be ignored."""
    if isinstance(request.model, nn.Module):
        ignored = {key: getattr(request, key) for key in ("checkpoint", "model_options", "train_seed")}
        for key, value in ignored.items():
            if value is not None and value != {}:
                raise wrong(key, value, "leave it out, for the model is a network with its weights")
    elif request.name is not None:
        raise wrong("name", request.name, f"leave it out, for the model has the name {request.model!r}")
    else:
        require_options(request.model, request.model_options or {})
        require_no_checkpoint(request.model, request.checkpoint)
        if request.has_weights and request.train_seed is not None:
            raise wrong("train_seed", request.train_seed, "leave it out, for the weights that are given are trained")
    suite = request.suite
    if request.seed and suite.protocol == "official":
        raise UsageError(f"suite {suite.name!r} takes official files, in which no noise is drawn: leave out the seed")
    if request.corrupted_dir is not None and suite.protocol != "official":
        raise wrong(
            "corrupted_dir",
            str(request.corrupted_dir),
            f"leave it out, for suite {suite.name!r} makes its corrupted images, or take a suite of official files, "
            "such as imagenet-c",
        )


def _model(value: object) -> str | nn.Module:
    if isinstance(value, nn.Module):
        return value
    if not isinstance(value, str):
        raise wrong("model", value, "give a name (see model_names) or a network, an nn.Module")
    if len(value) > MAX_MODEL:
        raise wrong("model", value, f"give a path of at most {MAX_MODEL} characters, such as a relative one")
    model_info(value)  # which knows the names
    source, _, place = plain(value).rpartition(":")
    if source.endswith(".py"):
        return f"{Path(source)}:{place}"  # ./net.py:f is net.py:f
    if source in OF_FOLDERS and Path(place).is_dir():
        return f"{source}:{Path(place)}"  # hf:folder/ is hf:folder
    return plain(value)
