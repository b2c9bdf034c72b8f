"""Names of timm, and weights in timm's format from folders and from a hub that is not there."""

from __future__ import annotations

import json
import logging

import pytest
import torch

from lst_robust.errors import CheckpointError, UsageError
from lst_robust.models import create_model, describe_models, model_info
from lst_robust.models.external import stated_geometry, stated_statistics

timm = pytest.importorskip("timm", reason="timm is an optional extra")


def test_timm_with_its_own_preprocessing() -> None:
    pytest.importorskip("timm")
    model = create_model("timm:efficientnet_lite0", num_classes=5, image_size=64)
    assert model.config.interpolation == "bicubic"
    assert model(torch.randn(2, 3, 64, 64)).shape == (2, 5)


def test_a_folder_gives_the_networks_own_logits(saved_by_timm):
    name = f"local-dir:{saved_by_timm(3, ['cat', 'dog', 'eel'])}"
    images = torch.randn(2, 3, 64, 64)
    theirs = timm.create_model(name, pretrained=True).eval()
    ours = create_model(f"timm:{name}", image_size=64).eval()
    with torch.inference_mode():
        assert torch.equal(ours(images), theirs(images))
    entry = model_info(f"timm:{name}")
    assert (entry.num_classes, entry.labels, entry.own_weights) == (3, ("cat", "dog", "eel"), True)
    assert stated_geometry(f"timm:{name}") == stated_geometry(theirs)
    assert (entry.mean, entry.std) == stated_statistics(theirs)


def test_a_folder_without_labels_says_nothing_of_their_order(saved_by_timm):
    assert model_info(f"timm:local-dir:{saved_by_timm(3)}").labels is None


def test_it_is_counted_without_its_weights(saved_by_timm):
    folder = saved_by_timm(3)
    (folder / "model.safetensors").unlink()
    [record] = describe_models([f"timm:local-dir:{folder}"])
    assert record["params"] == sum(p.numel() for p in timm.create_model("test_resnet", num_classes=3).parameters())


def test_pickles_are_refused(saved_by_timm):
    folder = saved_by_timm()
    torch.save({}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"has only pytorch_model.bin, which may hold code"):
        create_model(f"timm:local-dir:{folder}")


def test_weights_of_another_structure_are_one_line(saved_by_timm):
    folder = saved_by_timm()
    stated = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(stated | {"architecture": "test_efficientnet"}))
    with pytest.raises(CheckpointError, match="its weights do not fit test_efficientnet") as error:
        create_model(f"timm:local-dir:{folder}", image_size=64)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("model", "kind", "words"),
    [
        ("hf_hub:owner/name", CheckpointError, "run `hf download owner/name` and copy the folder of HF_HOME here"),
        ("hf-hub:owner/name@v1", CheckpointError, "`hf download owner/name --revision v1`"),
        ("hf_hub:name", UsageError, "give OWNER/NAME"),
        ("local-dir:", CheckpointError, "there is no config.json"),
        ("local-dir:nowhere", CheckpointError, "there is no nowhere/config.json"),
        ("resnet5", UsageError, "did you mean"),
    ],
)
def test_what_is_not_there_is_one_line(model, kind, words):
    with pytest.raises(kind, match=words) as error:
        create_model(f"timm:{model}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [("{}", "not in timm's format"), ('{"architecture": "no_such"}', "unknown timm model"), ("[", "not in timm's")],
)
def test_a_description_of_something_else_is_one_line(tmp_path, content, words):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(UsageError, match=words) as error:
        model_info(f"timm:local-dir:{tmp_path}")
    assert "\n" not in str(error.value)


def test_options_that_contradict_the_name_are_refused(saved_by_timm):
    name = f"timm:local-dir:{saved_by_timm(3)}"
    create_model(name, image_size=64, weights="pretrained")
    for options, words in (({"weights": "a1_in1k"}, "the name says"), ({"num_classes": 5}, "has 3 outputs, not 5")):
        with pytest.raises(UsageError, match=words):
            create_model(name, image_size=64, **options)


def test_a_name_of_timm_is_a_structure_whose_weights_are_an_option():
    assert not model_info("timm:test_resnet").own_weights
    with pytest.raises(UsageError, match="timm knows pretrained"):
        create_model("timm:test_resnet", image_size=64, weights="DEFAULT")
    statement = timm.create_model("test_efficientnet", num_classes=2)
    assert stated_statistics(statement) == (
        tuple(statement.pretrained_cfg["mean"]),
        tuple(statement.pretrained_cfg["std"]),
    )
    assert stated_statistics(torch.nn.Linear(1, 1)) is None


def test_a_download_that_fails_is_one_line_without_those_of_the_hubs_client(monkeypatch, caplog):
    def tried_again(*_, **__):
        logging.getLogger("huggingface_hub.utils._http").warning("Retrying in 4s [Retry 3/5].")
        print("Downloading")
        raise OSError("no network")

    monkeypatch.setattr(timm, "create_model", tried_again)
    with pytest.raises(CheckpointError, match=r"the weights of timm:test_resnet cannot be downloaded \(no network\)"):
        create_model("timm:test_resnet", image_size=64, weights="pretrained")
    assert not caplog.records


def test_without_the_package_a_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    for name in ("timm:resnet18", "timm:hf_hub:owner/name"):
        with pytest.raises(UsageError, match=r"needs the package timm: pip install 'lst-robust\[timm\]'"):
            model_info(name)
