"""Other people's checkpoints load by their own names of the weights."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from lst_robust.models import create_model
from lst_robust.models.formats import adapt_state_dict

torch.set_num_threads(1)


def test_cbam_release_naming(tmp_path: Path) -> None:
    model = create_model("cbam18", num_classes=4, image_size=32)
    names = {
        "attention.mlp.0": "cbam.ChannelGate.mlp.1",
        "attention.mlp.2": "cbam.ChannelGate.mlp.3",
        "attention.spatial_bn": "cbam.SpatialGate.spatial.bn",
        "attention.spatial": "cbam.SpatialGate.spatial.conv",
    }
    state = {}
    for key, value in model.state_dict().items():
        for ours, theirs in names.items():
            key = re.sub(re.escape(ours) + r"(?=\.)", theirs, key)
        state[f"module.{key}"] = value
    torch.save({"epoch": 3, "state_dict": state, "best_prec1": torch.tensor(70.0)}, tmp_path / "release.pth")
    loaded = create_model("cbam18", num_classes=4, image_size=32, checkpoint=tmp_path / "release.pth")
    assert all(torch.equal(v, loaded.state_dict()[k]) for k, v in model.state_dict().items())


def test_timm_seresnet_naming(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    reference = timm.create_model("seresnet50", num_classes=3)
    torch.save(reference.state_dict(), tmp_path / "timm.pth")
    model = create_model("senet50", num_classes=3, checkpoint=tmp_path / "timm.pth")
    images = torch.randn(1, 3, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(images), reference.eval()(images), rtol=1e-4, atol=1e-5)


def test_names_that_are_the_networks_own_stay() -> None:
    """Some networks of timm call a layer `se`, which would be renamed in a checkpoint of an SE-ResNet."""
    model = torch.nn.ModuleDict({"block": torch.nn.ModuleDict({"se": torch.nn.Linear(2, 2)})})
    state = model.state_dict()
    assert adapt_state_dict(model, state) is state
    assert set(adapt_state_dict(torch.nn.Linear(2, 2), state)) == {"block.attention.weight", "block.attention.bias"}


def test_the_authors_order_of_channels_is_undone(released_checkpoint) -> None:
    """T_s numbers its channels filter by filter here, and channel by channel in the authors' code."""
    theirs = torch.load(released_checkpoint("lst20"), weights_only=True)["state_dict"]
    ours = create_model("lst20", num_classes=10, checkpoint=released_checkpoint("lst20")).state_dict()
    scale = theirs["module.layer1.0.bn3.weight"].reshape(-1, 4).T.reshape(-1)
    assert torch.equal(ours["stages.0.0.bn_s.weight"], scale)
    assert torch.equal(ours["stages.0.0.bn_c.weight"], theirs["module.layer1.0.bn2.weight"])
    assert len(ours) == len(theirs)
