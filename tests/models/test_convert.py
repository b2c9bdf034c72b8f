"""Converted checkpoints keep the weights and say where they come from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lst_robust.errors import UsageError
from lst_robust.models import convert_checkpoint, create_model, read_checkpoint, save_checkpoint
from lst_robust.models.checkpoint import checkpoint_sha256, read_metadata

torch.set_num_threads(1)


def test_conversion_keeps_weights_and_says_where_they_come_from(tmp_path: Path) -> None:
    model = create_model("lst20", num_classes=2)
    torch.save({"state_dict": model.state_dict()}, tmp_path / "theirs.pth")
    path = convert_checkpoint(tmp_path / "theirs.pth", tmp_path / "ours.safetensors", "lst20", classes=["cat", "dog"])
    state, metadata = read_checkpoint(path)
    assert torch.equal(state["fc.weight"], model.fc.weight)
    assert metadata["classes"] == ["cat", "dog"]
    assert (metadata["source"], metadata["source_sha256"]) == ("theirs.pth", checkpoint_sha256(tmp_path / "theirs.pth"))
    with pytest.raises(UsageError, match="2 class names for 3"):
        convert_checkpoint(path, path, "lst20", num_classes=3, classes=["cat", "dog"])


def test_what_a_file_of_ours_says_of_its_training_stays(tmp_path: Path) -> None:
    facts = {"classes": ["cat", "dog"], "train_seed": 3, "recipe": {"epochs": 2}, "pixels": {"mean": [0, 0, 0]}}
    trained = save_checkpoint(create_model("lst20", num_classes=2), tmp_path / "a.safetensors", source="here", **facts)
    path = convert_checkpoint(trained, tmp_path / "b.safetensors", "lst20")
    assert read_metadata(path) == read_metadata(trained) | {
        "source": "a.safetensors",
        "source_sha256": checkpoint_sha256(trained),
    }


def test_what_was_converted_before_keeps_its_origin(tmp_path: Path) -> None:
    torch.save(create_model("lst20", num_classes=2).state_dict(), tmp_path / "theirs.pth")
    once = convert_checkpoint(tmp_path / "theirs.pth", tmp_path / "once.safetensors", "lst20", classes=["cat", "dog"])
    twice = convert_checkpoint(once, tmp_path / "twice.safetensors", "lst20")
    assert twice.read_bytes() == once.read_bytes()


@pytest.mark.parametrize(
    ("destination", "classes", "words"),
    [("ours.pth", None, "must end in .safetensors"), ("ours.safetensors", ["cat", "cat"], "named twice")],
)
def test_what_cannot_be_written_is_refused_before_the_source_is_read(tmp_path, destination, classes, words) -> None:
    with pytest.raises(UsageError, match=words):
        convert_checkpoint(tmp_path / "missing.pth", tmp_path / destination, "lst20", classes=classes)
    assert not list(tmp_path.iterdir())
