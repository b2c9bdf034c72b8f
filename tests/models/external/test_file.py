"""Functions in files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from lst_robust.errors import CheckpointError, UsageError
from lst_robust.models import create_model, model_info, save_checkpoint
from lst_robust.models.profile import count_named

OWN_CODE = """
from torch import nn

def tiny(num_classes, image_size, width="4"):
    return nn.Sequential(nn.Conv2d(3, int(width), 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, num_classes))

def number(**options):
    return 3
"""


def test_a_function_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(OWN_CODE)
    model = create_model(f"{path}:tiny", num_classes=5, image_size=16, width=4)
    assert model(torch.randn(2, 3, 16, 16)).shape == (2, 5)
    for function, words in (("number", "must return an nn.Module"), ("absent", "AttributeError")):
        with pytest.raises(UsageError, match=words):
            create_model(f"{path}:{function}")


@pytest.mark.parametrize("function", ["", "*", "tiny\0", "two words"])
def test_what_is_no_name_of_a_function_is_refused_before_any_work(tmp_path, function):
    (tmp_path / "own.py").write_text(OWN_CODE)
    with pytest.raises(UsageError, match=r"after own\.py: stands the name of one function in it"):
        model_info(f"{tmp_path / 'own.py'}:{function}")


def test_a_file_may_hold_a_dataclass(tmp_path):
    path = tmp_path / "net.py"
    head = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    path.write_text(f"{head}@dataclass\nclass Size:\n    width: int = 4\n{OWN_CODE}")
    assert create_model(f"{path}:tiny", num_classes=5, image_size=16)(torch.randn(2, 3, 16, 16)).shape == (2, 5)


def test_classes_of_a_file_have_its_name_and_hide_no_other_module(tmp_path):
    """The name is part of a run's identity: with another one, finished runs would not be found again."""
    code = "from torch import nn\nclass Net(nn.Linear):\n    def forward(self, x):\n"
    code += "        return super().forward(x[:, :, 0, 0])\n"
    code += "def build(num_classes, image_size):\n    return Net(3, num_classes)\n"
    for stem in ("my_network", "json"):
        (tmp_path / f"{stem}.py").write_text(code)
        model = create_model(f"{tmp_path}/{stem}.py:build", num_classes=5, image_size=16)
        assert type(model).__module__ == stem
    assert "my_network" not in sys.modules and sys.modules["json"] is json


def test_a_file_beside_it_cannot_be_imported(tmp_path):
    (tmp_path / "helper.py").write_text("width = 4\n")
    for module, words in (("helper", "put into this file what it imports"), ("no_such_module", "correct its code")):
        (tmp_path / "net.py").write_text(f"import {module}\n{OWN_CODE}")
        with pytest.raises(UsageError, match=words):
            create_model(f"{tmp_path}/net.py:tiny", num_classes=5, image_size=16)


def test_code_that_needs_the_values_of_tensors_is_counted_as_well(tmp_path):
    path = tmp_path / "net.py"
    code = "    width = int(torch.linspace(0, 4, 2)[1].item())\n    return tiny(num_classes, image_size, width)\n"
    path.write_text(f"import torch\n{OWN_CODE}\n\ndef drop(num_classes, image_size):\n{code}")
    assert count_named(f"{path}:drop") == count_named(f"{path}:tiny")


def test_a_checkpoint_fits_wherever_the_file_lies(tmp_path, monkeypatch):
    path = tmp_path / "sub" / "net.py"
    path.parent.mkdir()
    path.write_text(OWN_CODE)
    options = {"num_classes": 5, "image_size": 16, "width": "4"}
    checkpoint = save_checkpoint(create_model(f"{path}:tiny", **options), tmp_path / "w.safetensors")
    monkeypatch.chdir(path.parent)
    loaded = create_model("net.py:tiny", checkpoint=checkpoint)
    assert (loaded.config.num_classes, loaded.config.options) == (5, {"width": "4"})
    with pytest.raises(CheckpointError, match=r"holds .*net\.py:tiny, not other\.py:tiny"):
        path.rename("other.py")
        create_model("other.py:tiny", checkpoint=checkpoint, **options)


def test_what_a_file_prints_is_no_result(tmp_path, capsys):
    path = tmp_path / "net.py"
    path.write_text(f"{OWN_CODE}\n\ndef loud(**options):\n    print('hello')\n    return tiny(**options)\n")
    create_model(f"{path}:loud", num_classes=5, image_size=16)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "hello\n")
