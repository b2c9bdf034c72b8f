"""Names lead to one network each, and the networks learn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lst_robust import models
from lst_robust.errors import UsageError
from lst_robust.models import create_model, model_info, model_names
from lst_robust.models.registry import register

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


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="'lst18' is registered twice"):
        register("lst18", family="lst", source="here")(lambda **_: torch.nn.Identity())
    assert model_info("lst18").source != "here"


def test_names_are_unique_and_lead_to_their_entries() -> None:
    names = model_names()
    assert len(set(names)) == len(names) > 90
    assert all(model_info(name).name == name for name in names)


@pytest.mark.parametrize(("name", "words"), [("lst81", "did you mean lst18"), (3, "see model_names()")])
def test_what_is_no_name_is_refused(name, words) -> None:
    with pytest.raises(UsageError, match=words):
        model_info(name)


def test_a_search_for_a_name_finds_its_definition() -> None:
    sources = "".join(path.read_text() for path in Path(models.__file__).parent.rglob("*.py"))
    assert [name for name in model_names() if f'"{name}"' not in sources] == []
