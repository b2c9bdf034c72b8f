"""From a name with a colon to its source."""

from __future__ import annotations

import subprocess
import sys

import pytest
from torch import nn

from lst_robust.errors import UsageError
from lst_robust.models import create_model
from lst_robust.models.external import stated_geometry


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("torchvision:resnet1", "did you mean resnet18"),
        ("keras:resnet50", "torchvision:NAME, timm:NAME, hf:OWNER/NAME, hf:FOLDER, open_clip:MODEL/TAG or"),
        ("keras:hf:resnet50", "unknown model"),
        ("absent.py:f", "there is no file"),
    ],
)
def test_unknown_names(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        create_model(name)


def test_what_has_no_source_states_nothing():
    for name in ("lst18", "some/file.py:build", nn.Linear(1, 1)):
        assert stated_geometry(name) is None


def test_no_library_is_imported_before_its_networks_are_asked_for():
    script = (
        "import sys, lst_robust.models\nprint([n for n in ('timm', 'transformers', 'open_clip') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
