"""Each image processor of transformers against the processor itself: the same network's input from the same file."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from lst_robust.data.decode import decode
from lst_robust.errors import UsageError
from lst_robust.models.external.processor import SIMPLE, geometry_of_processor, kind_of, pixels_of_processor
from lst_robust.models.preprocess import Preprocess

transformers = pytest.importorskip("transformers", reason="transformers is an optional extra")
SQUARE, SHORTER = {"height": 64, "width": 64}, {"shortest_edge": 64}
CUT = {"do_center_crop": True, "crop_size": {"height": 48, "width": 48}}
STATISTICS = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]}
CASES = [
    *((kind, {"size": SQUARE, **STATISTICS}) for kind in ("ViT", "Siglip", "Pvt", "Segformer", "Beit")),
    *((kind, {"size": SQUARE, **CUT, **STATISTICS}) for kind in ("DeiT", "Beit", "EfficientNet")),
    *((kind, {"size": SHORTER, **CUT}) for kind in ("Bit", "CLIP", "MobileNetV1", "MobileNetV2", "MobileViT")),
    ("Levit", {"size": {"shortest_edge": 49}, **CUT}),  # scaled to 56
    ("PoolFormer", {"size": {"shortest_edge": 51}, **CUT}),  # scaled to 56
    ("PoolFormer", {"size": SHORTER, **CUT, "crop_pct": 0.8}),
    ("ConvNext", {"size": SHORTER, "crop_pct": 0.8}),
    ("ConvNext", {"size": {"shortest_edge": 384}}),
    ("ViT", {"size": SQUARE, "resample": 3, "do_normalize": False}),
    ("ViT", {"size": SQUARE, "rescale_factor": 1 / 127.5}),
    ("ViT", {"size": SQUARE, "do_rescale": False}),
    ("EfficientNet", {"size": SQUARE, "rescale_factor": 1 / 127.5, "rescale_offset": True, "include_top": False}),
    ("EfficientNet", {"size": SQUARE, "include_top": True, **STATISTICS}),
    ("EfficientNet", {"size": SQUARE, "include_top": False, "resample": 0}),
    ("MobileViT", {"size": SHORTER, **CUT, "do_flip_channel_order": False}),
]


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    """A part of a photograph whose sides leave even borders around each crop: of an odd border transformers always
    leaves the smaller half on the left, and torchvision, as this package, not always."""
    path = tmp_path_factory.mktemp("image") / "photograph.png"
    Image.fromarray(load_sample_images().images[0][:200, :300]).save(path)
    return path


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_the_networks_input_is_that_of_the_processor(kind, options, photograph):
    processor = getattr(transformers, f"{kind}ImageProcessorPil")(**options)
    theirs = processor(Image.open(photograph), return_tensors="pt")["pixel_values"]
    pixels = pixels_of_processor("net", processor)
    image = decode(photograph, geometry_of_processor("net", processor))[None]
    ours = Preprocess(pixels.mean, pixels.std, torch.device("cpu"))(image)
    ours = ours.flip(1) if pixels.blue_first else ours
    assert ours.shape == theirs.shape
    scale = float(theirs.max() - theirs.min())
    assert float((ours - theirs).abs().max()) < 1e-4 * scale


def test_every_simple_kind_is_among_the_cases():
    assert {kind for kind, _ in CASES} >= SIMPLE


def test_both_ways_to_compute_are_one_kind():
    for end in ("ImageProcessor", "ImageProcessorPil", "ImageProcessorFast"):
        assert kind_of(type(f"ViT{end}", (), {})()) == "ViT"


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("Perceiver", {}, "PerceiverImageProcessor with size"),
        ("TextNet", {}, "TextNetImageProcessor with size"),
        ("ViT", {"size": {"height": 64, "width": 48}}, "with size"),
        ("ViT", {"size": SHORTER}, "with size"),  # no square
        ("ViT", {"do_resize": False}, "with size"),
        ("MobileViT", {"size": SHORTER, "crop_size": {"height": 96, "width": 96}}, "96 x 96 pixels of 64"),  # a border
    ],
)
def test_what_cannot_be_applied_is_refused(kind, options, words):
    processor = getattr(transformers, f"{kind}ImageProcessor")(**options)
    with pytest.raises(UsageError, match=rf"net states a preprocessing that cannot be applied here \(.*{words}.*suite"):
        geometry_of_processor("net", processor)


@pytest.mark.parametrize(
    "options",
    [
        {"image_mean": [0.5], "image_std": [0.5]},
        {"image_mean": [0.5] * 3, "image_std": [0.5, 0.5, 0.0]},
        {"image_mean": [0.5] * 3, "image_std": None},
        {"rescale_factor": 0.0},
        {"rescale_factor": float("nan")},
    ],
)
def test_statistics_of_other_than_three_colours_are_refused(options):
    with pytest.raises(UsageError, match="net does not state how to normalise three colours"):
        pixels_of_processor("net", transformers.ViTImageProcessor(**options))


def test_a_wrapper_of_timm_is_as_timm_says():
    data = {"input_size": (3, 160, 160), "crop_pct": 0.95, "interpolation": "bicubic", "crop_mode": "center"}
    data |= {"mean": (0.1, 0.2, 0.3), "std": (1, 2, 3)}
    processor = type("TimmWrapperImageProcessor", (SimpleNamespace,), {})(data_config=data)
    assert geometry_of_processor("net", processor).described() == "shorter side to 168 (bicubic), centre 160 x 160"
    assert np.allclose(pixels_of_processor("net", processor).mean, (0.1, 0.2, 0.3))
