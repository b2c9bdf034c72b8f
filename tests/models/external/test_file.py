"""Functions in files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lst_robust.errors import UsageError
from lst_robust.models import create_model, model_info

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


def test_what_a_file_prints_is_no_result(tmp_path, capsys):
    path = tmp_path / "net.py"
    path.write_text(f"{OWN_CODE}\n\ndef loud(**options):\n    print('hello')\n    return tiny(**options)\n")
    create_model(f"{path}:loud", num_classes=5, image_size=16)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "hello\n")
