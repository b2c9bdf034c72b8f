"""`open_clip:MODEL/TAG` and `open_clip:MODEL/FILE`: CLIP and its kin as zero-shot classifiers.

The text tower reads the prompts once, when the network is built. What is evaluated holds the image tower and one
vector a class.
"""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from torch.nn import functional

from lst_robust.data.imagenet import wnids
from lst_robust.errors import CheckpointError, UsageError, message_of, unknown_name
from lst_robust.geometry import Geometry
from lst_robust.models.entry import ModelEntry
from lst_robust.models.external.common import (
    on_meta,
    require_pretrained,
    require_size,
    square_geometry,
    standard_output_for_results,
)
from lst_robust.models.external.hub import quiet_hub
from lst_robust.models.external.prompts import AUTO, Prompts, prompts_for

FILES = (".safetensors", ".bin", ".pt", ".pth")
CROPS = {"shortest": "center", "squash": "squash"}  # open_clip's words for ways to scale, and ours
CLASSES_AT_ONCE = 10  # whose prompts the text tower reads together: 800 sentences

logger = logging.getLogger(__name__)


class ZeroShotNetwork(nn.Module):
    """Normalised float32 (N, 3, H, W) -> logits (N, classes): how well an image fits to each class's prompts.

    prompts: what tells them from others; weights_sha256: of all weights, the text tower's included, because the class
    vectors differ by rounding from device to device.
    """

    class_vectors: torch.Tensor

    def __init__(
        self, visual: nn.Module, class_vectors: torch.Tensor, scale: float, prompts: str, weights_sha256: str
    ) -> None:
        super().__init__()
        self.visual, self.scale, self.prompts, self.weights_sha256 = visual, scale, prompts, weights_sha256
        self.register_buffer("class_vectors", class_vectors)  # (classes, features), each of length 1

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.visual(images)
        features = features[0] if isinstance(features, tuple) else features  # CoCa's tower also gives tokens
        return self.scale * functional.normalize(features, dim=-1) @ self.class_vectors.T


def entry(name: str, model: str) -> ModelEntry:
    """The record of a model with its weights; UsageError for names that open_clip has not, or without the package."""
    structure, weights_name = _parts(name, model)
    preprocessing = _preprocessing(structure, weights_name)
    import open_clip

    def build(
        num_classes: int, image_size: int, weights: str, prompts: str, classes: Sequence[str] | None = None
    ) -> nn.Module:
        require_pretrained(name, weights)
        classes = wnids() if classes is None and num_classes == len(wnids()) else classes
        if classes is None or len(classes) != num_classes:
            raise UsageError(f"{name} must be told its {num_classes} classes: give `classes`, their names")
        chosen = prompts_for(name, classes, prompts)
        if on_meta():
            with _one_line(name):
                return _without_weights(structure, num_classes, chosen.identity)
        place = torch.empty(0).device  # where torch makes its tensors by default: the prompts are many
        logger.info("%s reads %d prompts, once", name, len(chosen.names) * len(chosen.templates))
        with torch.device("cpu"):
            file = _weights_file(name, structure, weights_name)
            with _one_line(name):
                network = _with_weights(structure, file, chosen, place)
            require_size(network, name, image_size)
            return network

    return ModelEntry(
        name=name,
        family="open_clip",
        factory=build,
        input_size=_side(preprocessing["size"]),
        num_classes=len(wnids()),
        source=f"open_clip {open_clip.__version__}, {structure}, weights of {weights_name}",
        options={"weights": "pretrained", "prompts": AUTO},
        own_weights=True,
        zero_shot=True,
        own_pixels=True,
        mean=tuple(preprocessing["mean"]),
        std=tuple(preprocessing["std"]),
        interpolation=preprocessing["interpolation"],
        crop_pct=1.0,
    )


def geometry(name: str, model: str, weights: str) -> Geometry:
    """What open_clip states for the weights; for those of a file, what it takes when nothing is stated."""
    stated = _preprocessing(*_parts(name, model))
    size = stated["size"]
    height, width = (size, size) if isinstance(size, int) else size
    crop = CROPS.get(stated["resize_mode"], stated["resize_mode"])
    return square_geometry(name, (height, width), height, stated["interpolation"], crop)


def _parts(name: str, model: str) -> tuple[str, str]:
    """The structure, and the tag or file of its weights."""
    try:
        import open_clip
    except ImportError:
        raise UsageError(f"{name} needs the package open_clip_torch: pip install 'lst-robust[open_clip]'") from None

    structure, slash, weights = model.partition("/")
    if structure not in open_clip.list_models():
        raise unknown_name("open_clip model", structure, open_clip.list_models())
    if slash and Path(weights).is_file():
        if not weights.endswith(FILES):
            raise UsageError(f"{name}: {weights} is no file of weights: its name must end in {', '.join(FILES)}")
        return structure, weights
    tags = open_clip.list_pretrained_tags_by_model(structure)
    if weights not in tags:
        known = f"one of its weights ({', '.join(tags)}) or a file" if tags else "a file of its weights"
        raise UsageError(f"{name}: {weights!r} is neither a tag of {structure} nor a file: give {known}")
    _require_fitting_activation(name, structure, weights)
    return structure, weights


def _require_fitting_activation(name: str, structure: str, tag: str) -> None:
    """UsageError where the weights were trained with the other form of GELU than the structure has, and there is a
    structure that has it: open_clip only warns, and the network answers a little wrong."""
    import open_clip

    trained = bool(open_clip.get_pretrained_cfg(structure, tag).get("quick_gelu", False))
    if trained != bool(open_clip.get_model_config(structure).get("quick_gelu", False)):
        other = f"{structure}-quickgelu" if trained else structure.removesuffix("-quickgelu")
        if other != structure and other in open_clip.list_models():
            raise UsageError(
                f"{name}: these weights were trained {'with' if trained else 'without'} QuickGELU: give "
                f"open_clip:{other}/{tag}"
            )


def _preprocessing(structure: str, weights: str) -> dict[str, Any]:
    """open_clip's own defaults, with what is stated for the weights laid over them."""
    import open_clip
    from open_clip.transform import PreprocessCfg, merge_preprocess_dict

    stated = merge_preprocess_dict(PreprocessCfg(), open_clip.get_pretrained_cfg(structure, weights) or {})
    size = open_clip.get_model_config(structure)["vision_cfg"].get("image_size", stated["size"])
    return stated | {"size": size}


def _side(size: int | Sequence[int]) -> int:
    return size if isinstance(size, int) else size[0]


def _weights_file(name: str, structure: str, weights: str) -> str:
    """Where the weights lie on this machine, after they were fetched where need be."""
    import open_clip

    stated = open_clip.get_pretrained_cfg(structure, weights)
    if not stated:
        return weights
    try:
        with quiet_hub():
            return open_clip.download_pretrained(stated)
    except Exception as error:  # of clients for HTTP, which change from release to release
        repository = str(stated.get("hf_hub", "")).rpartition("/")[0]
        how = f"run `hf download {repository}` and copy the folder of HF_HOME here" if repository else "fetch them"
        raise CheckpointError(
            f"{name} is not in the cache and cannot be fetched ({message_of(error)}): where there is a network, {how}, "
            f"or give the file of its weights, open_clip:{structure}/FILE"
        ) from error


def _with_weights(structure: str, file: str, prompts: Prompts, place: torch.device) -> ZeroShotNetwork:
    """The zero-shot network on the CPU, whose prompts were read in `place`."""
    import open_clip

    network = open_clip.create_model(structure, pretrained=file, precision="fp32", device="cpu", weights_only=True)
    digest, scale = _sha256(network.state_dict()), float(network.logit_scale.exp())
    tokenizer = open_clip.get_tokenizer(structure)
    vectors = open_clip.build_zero_shot_classifier(
        network.eval().to(place), tokenizer, prompts.names, prompts.templates, CLASSES_AT_ONCE, place
    )
    visual = network.visual.cpu()
    return ZeroShotNetwork(visual, vectors.T.contiguous().cpu(), scale, prompts.identity, digest)


def _without_weights(structure: str, num_classes: int, prompts: str) -> ZeroShotNetwork:
    """The image tower with class vectors, to be counted."""
    import open_clip

    network = open_clip.create_model(structure, device="meta", pretrained_text=False)
    features = open_clip.get_model_config(structure)["embed_dim"]
    return ZeroShotNetwork(network.visual, torch.zeros(num_classes, features), 1.0, prompts, "")


def _sha256(tensors: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for key, value in sorted(tensors.items()):
        content = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        digest.update(f"{key} {value.dtype} {tuple(value.shape)} {hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()


@contextmanager
def _one_line(name: str) -> Iterator[None]:
    """Within it open_clip says nothing, and each of its errors becomes one of ours."""
    root = logging.getLogger()  # which open_clip writes to
    before, handler = root.level, logging.NullHandler()
    root.setLevel(logging.CRITICAL)
    root.addHandler(handler)  # without any, its first word would add one that prints for good
    try:
        with standard_output_for_results(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (CheckpointError, UsageError):
        raise
    except OSError as error:
        raise CheckpointError(
            f"{name} needs files that are not in the cache ({message_of(error)}): fetch them where there is a network, "
            "and copy the folder of HF_HOME here"
        ) from error
    except UnpicklingError as error:
        raise CheckpointError(
            f"the weights of {name} cannot be loaded: their file is damaged or holds more than tensors (code could run)"
        ) from error
    except (SafetensorError, RuntimeError, KeyError, ValueError, TypeError, EOFError) as error:
        raise CheckpointError(f"the weights of {name} cannot be loaded ({message_of(error)}): give others") from error
    finally:
        root.setLevel(before)
        root.removeHandler(handler)
