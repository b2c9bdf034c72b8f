"""Zero-shot classifiers of open_clip, against its own zero-shot classifier."""

from __future__ import annotations

import pytest
import torch

from lst_robust.data.imagenet import wnids
from lst_robust.errors import CheckpointError, UsageError
from lst_robust.models import create_model, describe_models, model_info
from lst_robust.models.external import stated_geometry

open_clip = pytest.importorskip("open_clip", reason="open_clip_torch is an optional extra")
WORDS = ("cat", "aquarium_fish", "oak tree")


@pytest.fixture
def name(tiny_clip):
    return f"open_clip:tiny-clip/{tiny_clip}"


def logits_by_a_plain_script(file, names, templates, images):
    """The documented way: all prompts of a class and their mean, and how near an image is to it."""
    network = open_clip.create_model("tiny-clip", pretrained=str(file)).eval()
    tokenizer = open_clip.get_tokenizer("tiny-clip")
    columns = []
    with torch.inference_mode():
        for one in names:
            texts = network.encode_text(tokenizer([template(one) for template in templates]))
            mean = torch.nn.functional.normalize(texts, dim=-1).mean(0)
            columns.append(mean / mean.norm())
        features = torch.nn.functional.normalize(network.encode_image(images), dim=-1)
        return network.logit_scale.exp() * features @ torch.stack(columns).T


def test_its_logits_are_those_of_a_plain_script(name, tiny_clip):
    images = torch.randn(3, 3, 64, 64)
    names = ["cat", "aquarium fish", "oak tree"]
    theirs = logits_by_a_plain_script(tiny_clip, names, open_clip.SIMPLE_IMAGENET_TEMPLATES, images)
    network = create_model(name, classes=WORDS).eval()
    with torch.inference_mode():
        torch.testing.assert_close(network(images), theirs, rtol=1e-4, atol=1e-4)


def test_wnids_get_the_names_and_the_80_templates_of_imagenet(name, tiny_clip):
    images = torch.randn(3, 3, 64, 64)
    theirs = logits_by_a_plain_script(tiny_clip, ["hen", "tench"], open_clip.OPENAI_IMAGENET_TEMPLATES, images)
    network = create_model(name, classes=("n01514859", "n01440764")).eval()  # a part of ImageNet, in its own order
    with torch.inference_mode():
        torch.testing.assert_close(network(images), theirs, rtol=1e-4, atol=1e-4)
    assert wnids()[:1] == ("n01440764",)


def test_it_holds_the_image_tower_and_a_vector_a_class(name, tiny_clip):
    network = create_model(name, classes=WORDS)
    whole = open_clip.create_model("tiny-clip", pretrained=str(tiny_clip))
    held = sum(value.numel() for value in network.state_dict().values())
    assert held == sum(value.numel() for value in whole.visual.state_dict().values()) + len(WORDS) * 8
    assert held < whole.token_embedding.weight.numel()


def test_the_text_towers_weights_belong_to_what_tells_networks_apart(name, tiny_clip):
    first = create_model(name, classes=WORDS)
    state = torch.load(tiny_clip)
    state["text_projection"] += 1
    torch.save(state, tiny_clip)
    assert create_model(name, classes=WORDS).weights_sha256 != first.weights_sha256
    assert len(first.weights_sha256) == 64


def test_its_record_says_what_open_clip_states(name):
    entry = model_info(name)
    assert (entry.input_size, entry.num_classes, entry.interpolation, entry.crop_pct) == (64, 1000, "bicubic", 1.0)
    assert entry.mean == open_clip.OPENAI_DATASET_MEAN and entry.std == open_clip.OPENAI_DATASET_STD
    assert entry.own_weights and entry.zero_shot and entry.own_pixels
    assert stated_geometry(name).described() == "shorter side to 64 (bicubic), centre 64 x 64"


def test_what_is_stated_for_the_weights_goes_before(name):
    """SigLIP scales both sides; its mean and deviation are 0.5."""
    stated = "open_clip:ViT-B-16-SigLIP/webli"
    assert stated_geometry(stated).described() == "both sides to 224 (bicubic), centre 224 x 224"
    assert model_info(stated).mean == (0.5, 0.5, 0.5)


def test_it_is_counted_without_its_weights(name, tiny_clip):
    [record] = describe_models([name])
    whole = open_clip.create_model("tiny-clip")
    assert record["params"] == sum(p.numel() for p in whole.visual.parameters())


def test_it_is_counted_where_a_weight_is_an_argument_of_a_layer():
    [record] = describe_models(["open_clip:ViT-B-16-SigLIP/webli"])
    assert record["params"] > 90e6 and record["macs"] > 1e9


def test_every_tag_is_taken_by_one_of_its_structures():
    """Where a tag says another form of GELU than its structure has, the name in the refusal is one that is taken."""
    refused = []
    for structure, tag in open_clip.list_pretrained():
        try:
            model_info(f"open_clip:{structure}/{tag}")
        except UsageError as error:
            refused.append(str(error).rpartition("give ")[2])
    assert len(refused) > 20
    for name in refused:
        assert model_info(name).own_weights


@pytest.mark.parametrize(
    ("model", "kind", "words"),
    [
        ("ViT-B-33/laion2b_s34b_b79k", UsageError, "did you mean ViT-B-32"),
        (
            "ViT-B-32/laion3b",
            UsageError,
            "neither a tag of ViT-B-32 nor a file: give one of its weights .*laion2b_s34b_b79k",
        ),
        ("ViT-B-32", UsageError, "'' is neither a tag of ViT-B-32 nor a file"),
        ("tiny-clip", UsageError, "give a file of its weights"),
        ("ViT-B-32/openai", UsageError, "with QuickGELU: give open_clip:ViT-B-32-quickgelu/openai"),
        ("ViT-B-32/laion2b_s34b_b79k", CheckpointError, "hf download laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
    ],
)
def test_what_is_not_there_is_one_line(tiny_clip, model, kind, words):
    with pytest.raises(kind, match=words) as error:
        create_model(f"open_clip:{model}", classes=WORDS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"nothing", None])
def test_files_that_are_no_weights_are_one_line(tiny_clip, name, content):
    if content is None:
        torch.save({"other": torch.zeros(1)}, tiny_clip)
    else:
        tiny_clip.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"the weights of open_clip:tiny-clip/.* cannot be loaded") as error:
        create_model(name, classes=WORDS)
    assert "\n" not in str(error.value)


def test_a_pickle_that_holds_code_is_refused(tiny_clip, name, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"state_dict": Evil()}, tiny_clip)
    with pytest.raises(CheckpointError, match="code could run"):
        create_model(name, classes=WORDS)
    assert not (tmp_path / "ran").exists()


def test_a_file_of_another_kind_is_refused(tmp_path, tiny_clip):
    (tmp_path / "w.npz").write_bytes(b"")
    with pytest.raises(UsageError, match=r"its name must end in .safetensors"):
        model_info(f"open_clip:tiny-clip/{tmp_path / 'w.npz'}")


def test_options_that_contradict_the_name_are_refused(name):
    create_model(name, classes=WORDS, weights="pretrained")
    for options, words in (
        ({"weights": "openai", "classes": WORDS}, "the name says which weights are meant"),
        ({"num_classes": 3}, "must be told its 3 classes"),
        ({"num_classes": 2, "classes": WORDS}, "must be told its 2 classes"),
        ({"checkpoint": "w.safetensors"}, "open_clip:MODEL/FILE"),
        ({"prompts": "many", "classes": WORDS}, "choose from auto, imagenet-80, simple"),
        ({"classes": ("0", "1")}, "'0' is no word"),
    ):
        with pytest.raises(UsageError, match=words):
            create_model(name, **options)


def test_without_the_package_a_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "open_clip", None)
    with pytest.raises(UsageError, match=r"needs the package open_clip_torch: pip install 'lst-robust\[open_clip\]'"):
        model_info("open_clip:ViT-B-32/openai")
