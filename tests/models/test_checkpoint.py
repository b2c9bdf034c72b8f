"""Checkpoints: strict, safe, atomic, and readable in other people's formats."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from lst_robust.errors import CheckpointError
from lst_robust.models import (
    create_model,
    load_checkpoint,
    model_names,
    read_checkpoint,
    save_checkpoint,
)
from lst_robust.models.checkpoint import checkpoint_sha256

torch.set_num_threads(1)
SMALL = [n for n in model_names() if re.fullmatch(r"[a-z]+(20)(-i)?|shiftnet-[bc]|lst-[bc]|lst-mobilenetv2", n)]


class Payload:
    """Would run a command when unpickled."""

    def __reduce__(self) -> tuple:
        return os.system, ("true",)


@pytest.mark.parametrize("name", SMALL)
def test_every_small_model_runs_and_survives_the_file(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = create_model(name, num_classes=3, image_size=32)
    images = torch.randn(2, 3, 32, 32)
    model(images)  # moves the running statistics
    path = save_checkpoint(model, tmp_path / "weights.safetensors")
    again = create_model(name, checkpoint=path)
    with torch.no_grad():
        torch.testing.assert_close(again.eval()(images), model.eval()(images), rtol=0, atol=0)
    assert os.listdir(tmp_path) == ["weights.safetensors"]


def refusal(action, *arguments, **options) -> str:
    with pytest.raises(CheckpointError) as caught:
        action(*arguments, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_pickle_with_code_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": torch.ones(1)}, "extra": Payload()}, tmp_path / "bad.pth")
    assert "code could run" in refusal(read_checkpoint, tmp_path / "bad.pth")
    torch.save(nn.Linear(2, 2), tmp_path / "module.pt")
    assert "code could run" in refusal(read_checkpoint, tmp_path / "module.pt")


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth", "weights"])
def test_damaged_and_missing_files_are_named(tmp_path: Path, name: str) -> None:
    assert "no checkpoint at" in refusal(read_checkpoint, tmp_path / name)
    (tmp_path / name).write_bytes(b"not a checkpoint at all")
    assert "damaged" in refusal(read_checkpoint, tmp_path / name)


def test_what_holds_no_state_dict_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pt")
    assert "holds a list" in refusal(read_checkpoint, tmp_path / "list.pt")
    torch.save({"a": 1}, tmp_path / "dict.pt")
    assert "no state dict" in refusal(read_checkpoint, tmp_path / "dict.pt")


def test_a_truncated_safetensors_file_is_refused(tmp_path: Path) -> None:
    path = save_checkpoint(create_model("lst20"), tmp_path / "whole.safetensors")
    path.write_bytes(path.read_bytes()[:-1000])
    assert "damaged" in refusal(create_model, "lst20", checkpoint=path)


def test_another_number_of_classes_has_its_own_line(tmp_path: Path) -> None:
    path = save_checkpoint(create_model("lst20", num_classes=10), tmp_path / "ten.safetensors")
    text = refusal(create_model, "lst20", num_classes=3, checkpoint=path)
    assert "has 10 classes, the suite has 3" in text


def test_everything_unmatched_is_listed(tmp_path: Path) -> None:
    model = create_model("lst20")
    state = model.state_dict()
    state["fc.scale"] = torch.ones(1)
    del state["conv1.weight"]
    torch.save(state, tmp_path / "state.pth")
    text = refusal(load_checkpoint, model, tmp_path / "state.pth")
    assert "1 missing (conv1.weight)" in text
    assert "1 unexpected (fc.scale)" in text


def test_another_networks_checkpoint_is_refused(tmp_path: Path) -> None:
    path = save_checkpoint(create_model("lst20"), tmp_path / "lst20.safetensors")
    assert "holds lst20, not resnet20" in refusal(create_model, "resnet20", checkpoint=path)


def test_half_precision_is_cast_up(tmp_path: Path) -> None:
    model = create_model("lst20").half()
    path = save_checkpoint(model, tmp_path / "half.safetensors")
    loaded = create_model("lst20", checkpoint=path)
    assert loaded.fc.weight.dtype is torch.float32
    torch.testing.assert_close(loaded.fc.weight, model.fc.weight.float())


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "writable folder" in refusal(save_checkpoint, create_model("lst20"), tmp_path / "file" / "w.safetensors")


def test_equal_weights_are_equal_files(tmp_path: Path) -> None:
    model = create_model("lst20")
    files = [save_checkpoint(model, tmp_path / f"{i}.safetensors", source="here", epoch=3) for i in range(4)]
    assert len({file.read_bytes() for file in files}) == 1


def test_tied_weights_are_kept_twice(tmp_path: Path) -> None:
    model = create_model("lst20")
    blocks = [block for block in model.modules() if isinstance(block, nn.Conv2d)]
    blocks[2].weight = blocks[1].weight
    loaded = create_model("lst20", checkpoint=save_checkpoint(model, tmp_path / "tied.safetensors"))
    for key, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key


def test_sha256_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert checkpoint_sha256(tmp_path / "empty").startswith("e3b0c44298fc1c14")
