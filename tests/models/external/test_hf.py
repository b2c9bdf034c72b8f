"""Classifiers of transformers, from folders, and from a hub that is not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from lst_robust.errors import CheckpointError, UsageError
from lst_robust.models import create_model, describe_models, model_info
from lst_robust.models.external import stated_geometry

transformers = pytest.importorskip("transformers", reason="transformers is an optional extra")


def test_a_folder_gives_the_networks_own_logits(saved):
    folder = saved(["cat", "dog", "eel"])
    images = torch.randn(2, 3, 32, 32)
    theirs = transformers.ViTForImageClassification.from_pretrained(folder).eval()
    ours = create_model(f"hf:{folder}").eval()
    with torch.inference_mode():
        assert torch.equal(ours(images), theirs(pixel_values=images).logits)
    assert ours.config.num_classes == 3 and ours.config.input_size == 32


def test_its_record_says_what_the_folder_states(saved):
    processor = transformers.ConvNextImageProcessor(size={"shortest_edge": 32}, crop_pct=0.8)
    name = f"hf:{saved(['cat', 'dog'], processor)}"
    entry = model_info(name)
    assert (entry.labels, entry.num_classes, entry.input_size) == (("cat", "dog"), 2, 32)
    assert entry.own_weights and entry.own_pixels
    assert (entry.mean, entry.std, entry.interpolation, entry.crop_pct) == ((0.5,) * 3, (0.5,) * 3, "bicubic", 0.8)
    assert stated_geometry(name).described() == "shorter side to 40 (bicubic), centre 32 x 32"


def test_without_a_processor_it_states_nothing(saved):
    name = f"hf:{saved(['cat', 'dog'], processor=False)}"
    assert stated_geometry(name) is None and not model_info(name).own_pixels


def test_blue_comes_first_where_the_processor_says_so(saved):
    processor = transformers.MobileViTImageProcessor(
        size={"shortest_edge": 36}, crop_size={"height": 32, "width": 32}, do_flip_channel_order=True
    )
    folder = saved(["cat", "dog"], processor)
    images = torch.randn(2, 3, 32, 32)
    theirs = transformers.ViTForImageClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        assert torch.equal(create_model(f"hf:{folder}").eval()(images), theirs(images[:, [2, 1, 0]]).logits)


def test_networks_of_timm_in_the_format_of_transformers(saved_by_timm):
    name = f"hf:{saved_by_timm(2, ['cat', 'dog'])}"
    assert stated_geometry(name).described() == "shorter side to 168 (bilinear), centre 160 x 160"
    assert model_info(name).labels == ("cat", "dog")
    assert create_model(name, image_size=64)(torch.zeros(2, 3, 64, 64)).shape == (2, 2)


def test_it_is_counted_without_its_weights(saved):
    folder = saved(["cat", "dog"])
    (folder / "model.safetensors").unlink()
    [record] = describe_models([f"hf:{folder}"])
    config = transformers.ViTConfig.from_pretrained(folder)
    expected = sum(p.numel() for p in transformers.ViTForImageClassification(config).parameters())
    assert record["params"] == expected and record["macs"] > 0


def one_line(error: pytest.ExceptionInfo) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_pickles_are_refused(saved):
    folder = saved(["cat", "dog"])
    torch.save({"weights": torch.zeros(1)}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"has only pytorch_model.bin, which may hold code") as error:
        create_model(f"hf:{folder}")
    one_line(error)


def test_code_of_a_repository_is_never_run(saved, tmp_path):
    folder = saved(["cat", "dog"])
    config = json.loads((folder / "config.json").read_text())
    ran = tmp_path / "ran"
    (folder / "own.py").write_text(f"open({str(ran)!r}, 'w').write('')\n")
    auto = {"AutoConfig": "own.Config", "AutoModelForImageClassification": "own.Network"}
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "own", "auto_map": auto}))
    with pytest.raises(UsageError, match="code of a repository is never run") as error:
        create_model(f"hf:{folder}")
    one_line(error)
    assert not ran.exists()


def test_a_head_without_weights_is_refused(saved):
    folder = saved(["cat", "dog"])
    config = transformers.ViTConfig.from_pretrained(folder)
    transformers.ViTModel(config).save_pretrained(folder)
    with pytest.raises(
        CheckpointError, match=r"has no weights for classifier.bias, classifier.weight: it was"
    ) as error:
        create_model(f"hf:{folder}")
    one_line(error)


def test_weights_of_half_precision_are_computed_with_in_full(saved):
    folder = saved(["cat", "dog"])
    network = transformers.ViTForImageClassification.from_pretrained(folder).half()
    network.save_pretrained(folder)
    assert {p.dtype for p in create_model(f"hf:{folder}").parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("hf:owner/name", CheckpointError, "run `hf download owner/name` and copy the folder of HF_HOME here"),
        ("hf:owner/name@v1", CheckpointError, "`hf download owner/name --revision v1`"),
        ("hf:name", UsageError, "give OWNER/NAME, or a folder"),
        ("hf:", UsageError, "give OWNER/NAME, or a folder"),
        ("hf:a/b/c", UsageError, "give OWNER/NAME, or a folder"),
    ],
)
def test_what_is_not_there_is_one_line(name, kind, words):
    with pytest.raises(kind, match=words) as error:
        model_info(name)
    one_line(error)


def test_a_folder_without_a_description_is_one_line(tmp_path):
    with pytest.raises(CheckpointError, match=r"there is no .*config.json") as error:
        model_info(f"hf:{tmp_path}")
    one_line(error)


@pytest.mark.parametrize("content", ["{", "[]", '{"model_type": "no such thing"}', '{"model_type": "gpt2"}', "{}"])
def test_a_description_of_something_else_is_one_line(saved, content):
    folder = saved(["cat", "dog"])
    (folder / "config.json").write_text(content)
    with pytest.raises((CheckpointError, UsageError)) as error:
        create_model(f"hf:{folder}")
    one_line(error)


def test_damaged_weights_are_one_line(saved):
    folder = saved(["cat", "dog"])
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"hf:.* has damaged weights \(.*\): copy its files again") as error:
        create_model(f"hf:{folder}")
    one_line(error)


def test_a_network_that_makes_no_logits_is_one_line(saved, monkeypatch):
    folder = saved(["cat", "dog"])
    monkeypatch.setattr(transformers.ViTForImageClassification, "forward", lambda self, pixel_values: object())
    with pytest.raises(
        UsageError, match=r"does not make logits of images alone \(.*logits.*\): choose another"
    ) as error:
        create_model(f"hf:{folder}")
    one_line(error)


def test_images_of_another_size_are_one_line(saved):
    with pytest.raises(UsageError, match=r"cannot take images of 64 pixels .*32") as error:
        create_model(f"hf:{saved(['cat', 'dog'])}", image_size=64)
    one_line(error)


def test_options_that_contradict_the_name_are_refused(saved):
    name = f"hf:{saved(['cat', 'dog'])}"
    create_model(name, weights="pretrained")  # as for other libraries: one option serves all
    for options, words in (
        ({"weights": "IMAGENET1K_V2"}, "the name says which weights are meant"),
        ({"num_classes": 5}, "has 2 outputs, not 5"),
        ({"checkpoint": "w.safetensors"}, "comes with its weights"),
    ):
        with pytest.raises(UsageError, match=words):
            create_model(name, **options)


def test_a_repository_in_the_cache_needs_no_network(saved, tmp_path):
    """The cache as the hub's client writes it: files of a commit, and a branch that is this commit."""
    folder = saved(["cat", "dog"])
    repository = tmp_path / "hub" / "models--owner--name"
    commit = "0" * 40
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots").mkdir()
    Path(folder).rename(repository / "snapshots" / commit)
    network = create_model("hf:owner/name")
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 2)
    assert model_info("hf:owner/name").labels == ("cat", "dog")


def test_without_the_package_a_line_says_how_to_install_it(saved, monkeypatch):
    folder = saved(["cat", "dog"])
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(UsageError, match=r"needs the package transformers: pip install 'lst-robust\[hf\]'"):
        model_info(f"hf:{folder}")
