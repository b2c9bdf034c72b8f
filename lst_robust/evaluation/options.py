"""The options of an evaluation: what they mean, what they are when they are left out, and the check of each alone.

`EvalRequest` checks whether they fit together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from typing_extensions import TypedDict

from lst_robust.analysis.normalisers import Choice, resolve_normaliser
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
from lst_robust.data.registry import dataset_subset
from lst_robust.errors import UsageError
from lst_robust.runtime.compiler import COMPILE_MODES, NOT_COMPILED
from lst_robust.runtime.cores import worker_count
from lst_robust.runtime.devices import checked_amp, resolve_device
from lst_robust.runtime.progress import Observer, Silent, checked_observer
from lst_robust.suites import Preprocessing, Suite
from lst_robust.torch_engine.choice import ENGINES, resolve_engine
from lst_robust.weights import checkpoint_path

Options = Mapping[str, str | int | float | bool]
MAX_NAME = 100  # characters of a network's name, which names a folder
MOST_TRAIN_SEED = 2**32 - 1  # as of recipes


class EvalOptions(TypedDict, total=False):
    """The options of an evaluation, all of which may be left out. Where one is None, the suite decides.

    checkpoint: weights of a named model, a file or "published:NAME" (see `lst_robust.weights`); without it an earlier
        training on this suite is used, or one is made.
    model_options: options for `create_model` in place of the suite's `model_options`.
    name: what to call a network that is passed as a module.
    data_dir: folder of the images, for suites that need one; or a pattern of shards, such as "val-{00..63}.tar".
    corrupted_dir: folder of a suite's official corrupted images; default: `data_dir`, or a folder in it that has their
        usual name, such as ImageNet-C.
    corruptions, severities: restrict the cells; all others are left alone.
    preprocess: "suite" gives all networks the same pixels; "model" gives a network of another library or a hub the
        resize, interpolation, crop and size that are stated there, before the corruption. With the suite's protocols
        "official" and "generated-jpeg" the suite's squares are only scaled to that size.
    subset: the name of a published choice of the test images, such as "robustbench-5k", in place of all of them.
    limit: a fixed stratified subset of so many test images.
    seed: decides the corruptions' noise, together with corruption, severity and image id.
    normaliser: a `Normaliser`, "suite", None or "none" for none, another name (see NAMED in
        lst_robust.suites.normaliser), or a YAML file.
    engine: what corrupts the images: "cpu", "torch" (on the device), or "auto": torch's where `lst-robust engines` has
        measured that it is faster on this machine's CUDA device, else the CPU's. It is a part of the protocol.
    batch_size, workers, device, amp, compile: decide how fast the result comes, not what it is (amp, compile: to
        rounding). amp: "no", "bf16", "fp16", "auto" (what the device is made for), True or False. compile: "no", or a
        mode of torch.compile: "default", "reduce-overhead" (with CUDA graphs) or "max-autotune".
    train, train_seed: train a model that has no checkpoint for the suite; the recipe's seed, if another is wanted.
    skip_unreadable: leave out images that cannot be decoded, instead of refusing.
    results_dir: where records and trained checkpoints are kept and found again.
    overwrite: measure again what has been measured.
    observer: receives progress; default: none.
    """

    checkpoint: str | Path | None
    model_options: Options | None
    name: str | None
    data_dir: str | Path | None
    corrupted_dir: str | Path | None
    corruptions: Sequence[str] | None
    severities: Sequence[int] | None
    preprocess: Literal["suite", "model"] | None
    subset: str | None
    limit: int | None
    seed: int | None
    normaliser: Choice
    batch_size: int | None
    workers: int | None
    device: str | torch.device
    engine: Literal["auto", "cpu", "torch"]
    amp: bool | str
    compile: Literal["no", "default", "reduce-overhead", "max-autotune"]
    train: bool
    train_seed: int | None
    skip_unreadable: bool
    results_dir: str | Path
    overwrite: bool
    observer: Observer | None


DEFAULTS: dict[str, Any] = {
    "normaliser": "suite",
    "device": "auto",
    "engine": "auto",
    "amp": "no",
    "compile": NOT_COMPILED,
    "train": True,
    "skip_unreadable": False,
    "results_dir": "results",
    "overwrite": False,
}
"""Of the options whose default is not None."""


def checked_values(given: Mapping[str, Any], suite: Suite) -> dict[str, Any]:
    """Each option as a plain value; UsageError for the first that cannot be meant."""
    get, device = given.get, resolve_device(given["device"])
    return {
        "checkpoint": optional(checkpoint_path, "checkpoint", get("checkpoint")),
        "model_options": optional(checked_options, "model_options", get("model_options")),
        "name": optional(text, "name", get("name"), longest=MAX_NAME),
        "data_dir": optional(path, "data_dir", get("data_dir")),
        "corrupted_dir": optional(path, "corrupted_dir", get("corrupted_dir")),
        "corruptions": optional(checked_corruptions, "corruptions", get("corruptions")),
        "severities": optional(checked_severities, "severities", get("severities")),
        "preprocess": _preprocess(get("preprocess"), suite),
        "subset": _subset(get("subset"), suite),
        "limit": optional(whole_number, "limit", get("limit"), least=1),
        "seed": optional(whole_number, "seed", get("seed"), least=0),
        "normaliser": resolve_normaliser(given["normaliser"], suite),
        "batch_size": optional(whole_number, "batch_size", get("batch_size"), least=1) or suite.batch_size,
        "workers": worker_count(get("workers")),
        "device": device,
        "engine": _engine(given["engine"], suite, device),
        "amp": checked_amp(given["amp"]),
        "compile": choice("compile", given["compile"], COMPILE_MODES),
        "train": yes_or_no("train", given["train"]),
        "train_seed": optional(whole_number, "train_seed", get("train_seed"), least=0, most=MOST_TRAIN_SEED),
        "skip_unreadable": yes_or_no("skip_unreadable", given["skip_unreadable"]),
        "results_dir": path("results_dir", given["results_dir"]),
        "overwrite": yes_or_no("overwrite", given["overwrite"]),
        "observer": optional(checked_observer, "observer", get("observer")) or Silent(),
    }


def _engine(value: object, suite: Suite, device: torch.device) -> Literal["cpu", "torch"]:
    """Which engine corrupts the images. Official files need none."""
    name = choice("engine", value, ENGINES)
    if suite.protocol != "official":
        return resolve_engine(name, device, suite.image_size, suite.preset)
    if name == "torch":
        advice = f"suite {suite.name!r} takes official files, which nothing makes: leave it out"
        raise UsageError(f"engine is {name!r}, and {advice} (--engine, or LST_ROBUST_ENGINE)")
    return "cpu"


def _preprocess(value: object, suite: Suite) -> Preprocessing:
    """The suite's choice, where none is given."""
    if value is None:
        return suite.preprocess
    choice("preprocess", value, get_args(Preprocessing), also=OR_NONE)
    return "model" if value == "model" else "suite"


def _subset(value: object, suite: Suite) -> str | None:
    return None if value is None else dataset_subset(suite.dataset, value, also=OR_NONE).name


def checked_options(name: str, value: object, *, also: str = "") -> Options:
    """Options of a network as plain values; UsageError for anything else."""
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
