"""`hf:OWNER/NAME` and `hf:FOLDER`: image classifiers of transformers, with their own weights.

Code of a repository is never run, and weights are only read from safetensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from lst_robust.errors import CheckpointError, UsageError, message_of, some_names
from lst_robust.geometry import Geometry
from lst_robust.models.entry import ModelEntry
from lst_robust.models.external.common import (
    on_meta,
    require_pretrained,
    require_size,
)
from lst_robust.models.external.hub import (
    Place,
    folder_place,
    not_fetched,
    quiet_hub,
    repository_place,
    require_safetensors,
)
from lst_robust.models.external.processor import geometry_of_processor, pixels_of_processor

PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")


class Description(NamedTuple):
    """What a place says of its network, without the weights. processor: None, where it states no preprocessing."""

    place: Place
    config: Any
    processor: Any


class Classifier(nn.Module):
    """A classifier of transformers as a network of ours: normalised float32 (N, 3, H, W) -> logits (N, classes)."""

    def __init__(self, network: nn.Module, blue_first: bool) -> None:
        super().__init__()
        self.network, self.blue_first = network, blue_first

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(pixel_values=images.flip(1) if self.blue_first else images).logits


def entry(name: str, model: str) -> ModelEntry:
    """The record of a classifier in a repository or folder. UsageError for what is none, and without the package;
    CheckpointError for what is neither in the cache nor to be had."""
    place, config, processor = _description(name, model)
    pixels = None if processor is None else pixels_of_processor(name, processor)
    count = int(getattr(config, "num_labels", 0))
    labels = (
        tuple(str(config.id2label.get(number, f"LABEL_{number}")) for number in range(count))
        if config.id2label
        else None
    )
    preprocessing: dict[str, Any] = {"input_size": _size(config)}
    if pixels is not None:
        preprocessing |= {"own_pixels": True, "mean": pixels.mean, "std": pixels.std} | _shown(name, processor)

    def build(num_classes: int, image_size: int, weights: str) -> nn.Module:
        require_pretrained(name, weights)
        if num_classes != count:
            raise UsageError(f"{name} has {count} outputs, not {num_classes}: leave num_classes out")
        network = _structure(name, place, config) if on_meta() else _loaded(name, place)
        classifier = Classifier(network, pixels is not None and pixels.blue_first)
        try:
            require_size(classifier, name, image_size)
            return classifier
        except (AttributeError, TypeError, IndexError, KeyError) as error:
            raise UsageError(
                f"{name} does not make logits of images alone ({message_of(error)}): choose another model"
            ) from error

    import transformers

    return ModelEntry(
        name=name,
        family="hf",
        factory=build,
        num_classes=count,
        source=f"transformers {transformers.__version__}, {config.model_type}, weights of {place.where}",
        options={"weights": "pretrained"},
        own_weights=True,
        labels=labels,
        **preprocessing,
    )


def geometry(name: str, model: str, weights: str) -> Geometry | None:
    """What the image processor beside the weights states."""
    processor = _description(name, model).processor
    return None if processor is None else geometry_of_processor(name, processor)


def _shown(name: str, processor: Any) -> dict[str, Any]:
    """The geometry as a record has it, where it can be applied."""
    try:
        stated = geometry_of_processor(name, processor)
    except UsageError:
        return {}
    return {
        "input_size": stated.size,
        "interpolation": stated.interpolation,
        "crop_pct": stated.size / (stated.resize or stated.size),
    }


def _size(config: Any) -> int:
    size = getattr(config, "image_size", None)
    size = size[0] if isinstance(size, (list, tuple)) and size else size
    return size if isinstance(size, int) and size > 0 else 224


def _description(name: str, model: str) -> Description:
    if model and Path(model).is_dir():
        return _described(name, folder_place(name, model))  # which may change
    return _described_once(name, repository_place(name, model))


def _described(name: str, place: Place) -> Description:
    try:
        from transformers import AutoConfig, AutoImageProcessor
    except ImportError:
        raise UsageError(f"{name} needs the package transformers: pip install 'lst-robust[hf]'") from None

    with _one_line(name, place):
        config = AutoConfig.from_pretrained(place.where, revision=place.revision, trust_remote_code=False)
    if not hasattr(config, "id2label"):
        raise UsageError(f"{name} is a {config.model_type}, which is no image classifier: choose another model")
    if place.folder and config.model_type != "timm_wrapper" and not _states_preprocessing(place):
        return Description(place, config, None)
    with _one_line(name, place):
        processor = AutoImageProcessor.from_pretrained(place.where, revision=place.revision, trust_remote_code=False)
    return Description(place, config, processor)


_described_once = cache(_described)  # each look at a repository asks the hub for its newest commit


def _states_preprocessing(place: Place) -> bool:
    return any((Path(place.where) / file).is_file() for file in PROCESSOR_FILES)


def _structure(name: str, place: Place, config: Any) -> nn.Module:
    from transformers import AutoModelForImageClassification

    with _one_line(name, place):
        return AutoModelForImageClassification.from_config(config, trust_remote_code=False)


def _loaded(name: str, place: Place) -> nn.Module:
    """The network with all of its weights as float32; CheckpointError where some are missing or of another shape."""
    from transformers import AutoModelForImageClassification

    require_safetensors(name, place)
    with _one_line(name, place):
        network, loading = AutoModelForImageClassification.from_pretrained(
            place.where,
            revision=place.revision,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # which are then told of, as missing weights are
            output_loading_info=True,
        )
    wrong = sorted({*loading["missing_keys"], *(key for key, *_ in loading["mismatched_keys"])})
    if wrong:
        raise CheckpointError(
            f"{name} has no weights for {some_names(wrong)}: it was not trained as a classifier, so "
            "choose a variant that was fine-tuned"
        )
    return network


@contextmanager
def _one_line(name: str, place: Place) -> Iterator[None]:
    """Within it transformers only speaks of errors, and each becomes one of ours."""
    from safetensors import SafetensorError
    from transformers.utils import logging

    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()  # of reading, as the weights were fetched before
    try:
        with quiet_hub():
            yield
    except OSError as error:
        if place.folder:
            raise CheckpointError(f"{name} cannot be read ({message_of(error)}): copy its files again") from error
        raise not_fetched(name, place, error) from error
    except SafetensorError as error:
        raise CheckpointError(f"{name} has damaged weights ({message_of(error)}): copy its files again") from error
    except Exception as error:  # of a library that meets somebody else's file
        raise UsageError(
            f"transformers cannot build an image classifier of {name} ({message_of(error)}), and code of a repository "
            "is never run: choose another model"
        ) from error
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()
