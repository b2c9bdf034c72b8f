"""What an image processor of transformers does, in words of this package: a geometry, and a mean and deviation.

Each class of processors scales images in a way of its own, which its attributes do not tell. So the classes are named
here, and one that is not is never guessed at. The tests hold each against the processor itself.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from PIL import Image

from lst_robust.errors import UsageError
from lst_robust.geometry import Geometry
from lst_robust.models.external import timm
from lst_robust.models.external.common import not_applicable, square_geometry

SIMPLE = {"ViT", "DeiT", "Beit", "Bit", "CLIP", "Siglip", "Pvt", "Segformer", "EfficientNet"}
SIMPLE |= {"MobileNetV1", "MobileNetV2", "MobileViT"}
WARPED = 384  # pixels from which on ConvNext's scales both sides and cuts nothing
CROPS = {False: "center", True: "squash"}
LEVIT = 256 / 224  # of the shorter side that is stated, to the one that Levit's scales to


class Pixels(NamedTuple):
    """The network's input is (x / 255 - mean) / std, with blue before red where `blue_first`."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    blue_first: bool = False


def kind_of(processor: Any) -> str:
    """The class of a processor without what says how it computes: ViTImageProcessorFast -> ViT."""
    name = type(processor).__name__
    for end in ("Fast", "Pil", "ImageProcessor"):
        name = name.removesuffix(end)
    return name


def geometry_of_processor(name: str, processor: Any) -> Geometry:
    """UsageError for what cannot be applied here; `name` is the network's."""
    kind = kind_of(processor)
    if kind == "TimmWrapper":
        return timm.geometry_of_data(name, processor.data_config)
    try:
        cut, scaled_by = _cuts(kind, processor), _filter(processor.resample)
    except (TypeError, ValueError, KeyError, AttributeError):  # of what somebody has written into the file
        cut, scaled_by = None, ""
    if cut is None:
        raise not_applicable(name, f"{type(processor).__name__} with size {getattr(processor, 'size', None)}")
    size, resize, crop = cut
    return square_geometry(name, size, resize, scaled_by, crop)


def pixels_of_processor(name: str, processor: Any) -> Pixels:
    """How a processor makes the network's input of pixels in 0..1, as one subtraction and one division. UsageError for
    statistics that are not of three colours."""
    try:
        pixels = _pixels(processor)
    except (TypeError, ValueError, AttributeError, ZeroDivisionError):  # as for the geometry
        pixels = Pixels((), ())
    numbers = (*pixels.mean, *pixels.std)
    if not len(pixels.mean) == len(pixels.std) == 3 or min(pixels.std) <= 0 or not all(map(math.isfinite, numbers)):
        stated = {key: getattr(processor, key, None) for key in ("image_mean", "image_std", "rescale_factor")}
        raise UsageError(f"{name} does not state how to normalise three colours ({stated}): choose another model")
    return pixels


def _pixels(processor: Any) -> Pixels:
    kind = kind_of(processor)
    if kind == "TimmWrapper":
        return Pixels(tuple(processor.data_config["mean"]), tuple(processor.data_config["std"]))
    factor = round(255 * (processor.rescale_factor if processor.do_rescale else 1.0), 9)
    offset = 1.0 if kind == "EfficientNet" and getattr(processor, "rescale_offset", False) else 0.0
    normalised = processor.do_normalize and kind != "MobileViT"  # which ignores it
    mean = _three(processor.image_mean) if normalised else (0.0,) * 3
    std = _three(processor.image_std) if normalised else (1.0,) * 3
    again = _three(processor.image_std) if kind == "EfficientNet" and processor.include_top else (1.0,) * 3
    return Pixels(
        tuple((one + offset) / factor for one in mean),
        tuple(one * more / factor for one, more in zip(std, again, strict=True)),
        bool(getattr(processor, "do_flip_channel_order", False)),
    )


def _cuts(kind: str, processor: Any) -> tuple[tuple[int, int], int, str] | None:
    """Height and width of the input, the side that is scaled to, and the crop; None where these do not say it."""
    size = {key: value for key, value in dict(processor.size or {}).items() if value is not None}
    if not processor.do_resize or getattr(processor, "do_pad", None):
        return None
    if set(size) == {"height", "width"} and size["height"] == size["width"] and kind in SIMPLE:
        return _crop(processor) or (size["height"], size["width"]), size["height"], "squash"
    if set(size) != {"shortest_edge"}:
        return None
    shorter = size["shortest_edge"]
    if kind == "ConvNext":
        warped = shorter >= WARPED
        return (shorter, shorter), shorter if warped else int(shorter / processor.crop_pct), CROPS[warped]
    scaled = {"Levit": int(LEVIT * shorter), "PoolFormer": int(shorter / (getattr(processor, "crop_pct", 0) or 1))}
    crop = _crop(processor)
    if crop is None or kind not in SIMPLE | set(scaled):
        return None
    return crop, scaled.get(kind, shorter), "center"


def _crop(processor: Any) -> tuple[int, int] | None:
    """Height and width of the centre that is cut out, if one is."""
    if not getattr(processor, "do_center_crop", None):
        return None
    crop = dict(processor.crop_size)
    return crop["height"], crop["width"]


def _filter(resample: Any) -> str:
    return "bilinear" if resample is None else Image.Resampling(int(resample)).name.lower()


def _three(value: Any) -> tuple[float, ...]:
    return (float(value),) * 3 if isinstance(value, (int, float)) else tuple(map(float, value))
