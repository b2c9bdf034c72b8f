"""What `evaluate` is asked for, checked as a whole before any work: no mistake may cost the time of a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import nn

from lst_robust.analysis.normalisers import resolve_normaliser
from lst_robust.arguments import (
    OR_NONE,
    choice,
    finite_number,
    optional,
    path,
    plain,
    text,
    whole_number,
    wrong,
    yes_or_no,
)
from lst_robust.benchmark import checked_corruptions, checked_severities
from lst_robust.errors import UsageError
from lst_robust.evaluation.model_under_test import MAX_NAME, Options
from lst_robust.models import model_info, require_options
from lst_robust.runtime.cores import worker_count
from lst_robust.runtime.devices import resolve_device
from lst_robust.runtime.progress import Observer, Silent, checked_observer
from lst_robust.suites import Preprocessing, Suite, resolve_suite
from lst_robust.suites.normaliser import Normaliser

MAX_MODEL = 200  # characters of a model's name, which may be a file's path: it names a folder and a checkpoint
MOST_TRAIN_SEED = 2**32 - 1  # as of recipes


@dataclass(frozen=True)
class EvalRequest:
    """The arguments of `evaluate`, each of its own plain type and all fitting together; see there."""

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
    limit: int | None
    seed: int | None
    normaliser: Normaliser | None
    batch_size: int
    workers: int
    device: torch.device
    amp: bool
    train: bool
    train_seed: int | None
    skip_unreadable: bool
    results_dir: Path
    overwrite: bool
    observer: Observer


def checked_request(given: Mapping[str, Any]) -> EvalRequest:
    """The request in the arguments of `evaluate`, by their names. Raises UsageError for the first that cannot be meant,
    and for arguments that contradict each other."""
    suite = resolve_suite(given["suite"])
    request = EvalRequest(
        model=_model(given["model"]),
        suite=suite,
        checkpoint=optional(path, "checkpoint", given["checkpoint"]),
        model_options=optional(_options, "model_options", given["model_options"]),
        name=optional(text, "name", given["name"], longest=MAX_NAME),
        data_dir=optional(path, "data_dir", given["data_dir"]),
        corrupted_dir=optional(path, "corrupted_dir", given["corrupted_dir"]),
        corruptions=optional(checked_corruptions, "corruptions", given["corruptions"]),
        severities=optional(checked_severities, "severities", given["severities"]),
        preprocess=_preprocess(given["preprocess"], suite),
        limit=optional(whole_number, "limit", given["limit"], least=1),
        seed=optional(whole_number, "seed", given["seed"], least=0),
        normaliser=resolve_normaliser(given["normaliser"], suite),
        batch_size=optional(whole_number, "batch_size", given["batch_size"], least=1) or suite.batch_size,
        workers=worker_count(given["workers"]),
        device=resolve_device(given["device"]),
        amp=yes_or_no("amp", given["amp"]),
        train=yes_or_no("train", given["train"]),
        train_seed=optional(whole_number, "train_seed", given["train_seed"], least=0, most=MOST_TRAIN_SEED),
        skip_unreadable=yes_or_no("skip_unreadable", given["skip_unreadable"]),
        results_dir=path("results_dir", given["results_dir"]),
        overwrite=yes_or_no("overwrite", given["overwrite"]),
        observer=optional(checked_observer, "observer", given["observer"]) or Silent(),
    )
    _require_fitting(request)
    return request


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
        options = request.suite.model_options if request.model_options is None else request.model_options
        trained = request.checkpoint is not None or options.get("weights")
        if trained and request.train_seed is not None:
            raise wrong("train_seed", request.train_seed, "leave it out, for the weights that are given are trained")
    if request.seed and request.suite.protocol == "official":
        suite = request.suite.name
        raise UsageError(f"suite {suite!r} takes official files, in which no noise is drawn: leave out the seed")


def _model(value: object) -> str | nn.Module:
    if isinstance(value, nn.Module):
        return value
    if not isinstance(value, str):
        raise wrong("model", value, "give a name (see model_names) or a network, an nn.Module")
    model_info(value)  # which knows the names
    if len(value) > MAX_MODEL:
        raise wrong("model", value, f"give a path of at most {MAX_MODEL} characters, such as a relative one")
    file, colon, function = plain(value).rpartition(":")
    return f"{Path(file)}:{function}" if colon and file.endswith(".py") else plain(value)  # ./net.py:f is net.py:f


def _preprocess(value: object, suite: Suite) -> Preprocessing:
    """The suite's choice, where none is given."""
    if value is None:
        return suite.preprocess
    choice("preprocess", value, get_args(Preprocessing), also=OR_NONE)
    return "model" if value == "model" else "suite"


def _options(name: str, value: object, *, also: str = "") -> Options:
    if not isinstance(value, Mapping):
        raise wrong(name, value, f"give a dict, such as {{'stem': '3x3s1'}}{also}")
    for key in value:
        text(f"a key of {name}", key)
    return {plain(key): _option(f"{name}[{plain(key)!r}]", one) for key, one in value.items()}


def _option(name: str, value: object) -> str | int | float | bool:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, Integral):
        return whole_number(name, value)
    return finite_number(name, value, also=", a text, True or False")
