"""What all sources of networks share: a geometry in their words, a first answer, and one line for each failure."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import get_args

import torch
from torch import nn

from lst_robust.errors import CheckpointError, UsageError, message_of
from lst_robust.geometry import Geometry, Interpolation

ON_META = "meta"  # torch's device of tensors without values


def square_geometry(name: str, size: tuple[int, int], resize: int, interpolation: str, crop: str) -> Geometry:
    """The geometry that a library states for `name`; UsageError for one that cannot be applied here."""
    known = interpolation in get_args(Interpolation) and crop in ("center", "squash")
    if size[0] != size[1] or resize < size[0] or not known:
        raise not_applicable(name, f"{size[0]} x {size[1]} pixels of {resize}, {interpolation}, crop {crop}")
    fields = {"size": size[0], "resize": resize, "interpolation": interpolation, "crop": crop}
    return Geometry.model_validate(fields)


def not_applicable(name: str, stated: str) -> UsageError:
    return UsageError(f"{name} states a preprocessing that cannot be applied here ({stated}): give --preprocess suite")


@contextmanager
def standard_output_for_results() -> Iterator[None]:
    """Within it, what libraries print (such as the progress of a download) goes to standard error."""
    with redirect_stdout(sys.stderr):
        yield


def not_downloaded(name: str, error: BaseException) -> CheckpointError:
    return CheckpointError(
        f"the weights of {name} cannot be downloaded ({message_of(error)}): fetch them where there is a network, or "
        "give their file with --checkpoint"
    )


def require_pretrained(name: str, weights: str) -> None:
    """UsageError for another value of the option `weights` than the one that such names have."""
    if weights != "pretrained":
        raise UsageError(
            f"option 'weights' of {name} is {weights!r}: the name says which weights are meant, so leave the option out"
        )


def on_meta() -> bool:
    """Whether a network is only to be counted: tensors are made without values then."""
    return torch.empty(0).device.type == ON_META


def require_size(model: nn.Module, name: str, image_size: int) -> None:
    """UsageError where the model cannot take images of that size, as some have one size or a smallest."""
    try:
        output(model, image_size)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise UsageError(
            f"{name} cannot take images of {image_size} pixels ({message_of(error)}): choose a suite of "
            "another size, --preprocess model, or another model"
        ) from error


def output(model: nn.Module, image_size: int) -> str:
    """What a network makes of two black images, in words: its shape, if that is a tensor."""
    images = torch.zeros(2, 3, image_size, image_size)
    if images.device.type == ON_META:
        return ON_META
    training = model.training
    with torch.inference_mode():
        logits = model.eval()(images)
    model.train(training)
    return str(tuple(logits.shape)) if isinstance(logits, torch.Tensor) else f"a {type(logits).__name__}"
