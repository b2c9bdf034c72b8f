"""Every registered model builds, runs, and keeps its weights through a file."""

from __future__ import annotations

import pytest
import torch

from lst_robust.errors import UsageError
from lst_robust.models import create_model, load_checkpoint, model_names, save_checkpoint

torch.set_num_threads(1)
SMALL = ("lst18", "lst18-relu", "resnet18", "senet18", "cbam18", "alexnet")


@pytest.mark.parametrize("stem", ["3x3s1-pool", "3x3s2-pool"])
@pytest.mark.parametrize("name", SMALL)
def test_small_images_learn(name: str, stem: str) -> None:
    """A few AdamW steps on three plain colours bring the loss down."""
    torch.manual_seed(0)
    model = create_model(name, num_classes=3, image_size=32, stem=stem)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    labels = torch.arange(6) % 3
    images = torch.randn(6, 3, 32, 32) + 2 * torch.eye(3)[labels][:, :, None, None]
    losses = []
    for _ in range(6):
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_default_stem_depends_on_the_image_size() -> None:
    assert create_model("resnet18", num_classes=2, image_size=32).config.options["stem"] == "3x3s1"
    config = create_model("resnet18", num_classes=2).config
    assert (config.options["stem"], config.input_size) == ("7x7s2-pool", 224)
    assert "7x7" in config.adaptation


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("lst81", {}, "lst18"),
        ("lst18", {"colour": 1}, "bottleneck"),
        ("lst18", {"tau": "much"}, "0.0001"),
        ("lst18", {"tau": -1}, "threshold"),
        ("lst18", {"a": 1.5}, "'a'"),
        ("lst18", {"activation": "tanh"}, "st-relu, relu"),
        ("lst18", {"stem": "5x5"}, "3x3s2"),
        ("lst18", {"image_size": 4}, "image_size is 4: give a whole number from 8"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(name: str, options: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        create_model(name, num_classes=2, **options)
    assert "\n" not in str(caught.value)


def test_options_may_be_text() -> None:
    model = create_model("lst18", num_classes=2, image_size="32", tau="0.01", a="2")
    assert model.config.options["tau"] == 0.01
    assert model.config.input_size == 32


def test_a_checkpoint_brings_its_options(tmp_path) -> None:
    model = create_model("lst18", num_classes=3, image_size=32, stem="3x3s2")
    path = save_checkpoint(model, tmp_path / "lst18.safetensors", classes=["a", "b", "c"])
    again = create_model("lst18", checkpoint=path)
    assert again.config == model.config
    for key, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[key])
    assert load_checkpoint(again, path)["classes"] == ["a", "b", "c"]
    assert model_names()
