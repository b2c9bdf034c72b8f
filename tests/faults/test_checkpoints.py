"""Checkpoints that are damaged, that would run code, whose header lies, or whose weights are of another kind."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from lst_robust.models import create_model
from tests.faults.conftest import CELLS, refused
from tests.fixtures.commands import parsed


class Payload:
    """Would leave a file behind when it is unpickled."""

    def __reduce__(self) -> tuple:
        return Path.touch, (Path("ran"),)


class Module(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.payload = Payload()


def with_code(path: Path, kind: str) -> None:
    content = {"state_dict": {"fc.weight": torch.ones(1)}, "extra": Payload()}
    if kind == "zip":
        torch.save(content, path)
    elif kind == "legacy":
        torch.save(content, path, _use_new_zipfile_serialization=False)
    elif kind == "module":
        torch.save(Module(), path)
    elif kind == "script":
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), path)
    elif kind == "tar":  # as torch wrote them before its release 0.1
        with tarfile.open(path, "w") as tar:
            for member in ("storages", "tensors", "pickle"):
                pickled = pickle.dumps(Payload(), protocol=2)
                entry = tarfile.TarInfo(member)
                entry.size = len(pickled)
                tar.addfile(entry, io.BytesIO(pickled))
    else:
        path.write_bytes(pickle.dumps(Payload(), protocol=int(kind)))


@pytest.fixture
def load_into(run, tiny):
    """load_into(file) -> Result of an evaluation of an AlexNet on digits with that file's weights."""
    asked = ("eval", "-m", "alexnet", "-s", str(tiny), *CELLS, "--json", "--checkpoint")
    return lambda file: run(*asked, str(file))


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, "w.pth") for kind in ("zip", "legacy", "module", "script", "tar", "0", "1", "2", "3", "4", "5")]
    + [("zip", name) for name in ("w.pt", "w.pth.tar", "w.ckpt", "w.bin", "w.safetensors", "w")],
)
def test_a_pickle_that_would_run_code_does_not(load_into, kind, name):
    with_code(Path(name), kind)
    pickled = "." in name and name != "w.safetensors"
    refused(load_into(name), 3, name, "code could run" if pickled else "damaged or no safetensors file", ": ")
    assert not Path("ran").exists()
    assert not list(Path("results").rglob("*.json"))


def test_the_payload_would_have_run():
    """Otherwise the test above could not fail."""
    assert not Path("ran").exists()
    pickle.loads(pickle.dumps(Payload()))
    assert Path("ran").exists()


@pytest.fixture(scope="module")
def plain() -> dict[str, torch.Tensor]:
    """Weights of an AlexNet for ten digits."""
    torch.manual_seed(0)
    return create_model("alexnet", 10, image_size=32, stem="3x3s2-pool").state_dict()


HEADER = {
    "format": "lst-robust/1",
    "model": "alexnet",
    "num_classes": 10,
    "image_size": 32,
    "options": {"stem": "3x3s2-pool"},
    "classes": list("0123456789"),
    "train_seed": 0,
}


def safetensors(weights: dict[str, torch.Tensor], header: dict[str, object]) -> bytes:
    return save(weights, {key: json.dumps(value) for key, value in header.items()})


@pytest.mark.parametrize("share", [0.0, 1e-6, 1e-4, 0.5, 0.999999])
@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w-legacy.pth"])
def test_a_truncated_file_is_damaged(load_into, plain, name, share):
    if name == "w.safetensors":
        Path(name).write_bytes(safetensors(plain, HEADER))
    else:
        torch.save(plain, name, _use_new_zipfile_serialization=name == "w.pth")
    assert load_into(name).exit_code == 0, "whole, it can be used"
    content = Path(name).read_bytes()
    Path(name).write_bytes(content[: int(len(content) * share)])
    line = refused(load_into(name), 3, name, ": ")
    assert "damaged" in line or "code could run" in line


def reheaded(content: bytes, change) -> bytes:
    length = int.from_bytes(content[:8], "little")
    header = change(json.loads(content[8 : 8 + length]))
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + content[8 + length :]


def first(header: dict, **changes: object) -> dict:
    key = next(key for key in header if key != "__metadata__")
    return header | {key: header[key] | changes}


STRUCTURE = {
    "a length beyond the file": lambda content: struct.pack("<Q", 2**40) + content[8:],
    "an impossible length": lambda content: struct.pack("<Q", 2**64 - 1) + content[8:],
    "no header": lambda content: reheaded(content, lambda header: b""),
    "a list for a header": lambda content: reheaded(content, lambda header: []),
    "bytes for a header": lambda content: reheaded(content, lambda header: b"\xff" * 64),
    "an unknown type": lambda content: reheaded(content, lambda header: first(header, dtype="F7")),
    "an impossible shape": lambda content: reheaded(content, lambda header: first(header, shape=[10**18, 10**18])),
    "a negative shape": lambda content: reheaded(content, lambda header: first(header, shape=[-1, 3])),
    "offsets outside": lambda content: reheaded(content, lambda header: first(header, data_offsets=[0, 2**62])),
    "offsets backwards": lambda content: reheaded(content, lambda header: first(header, data_offsets=[9, 1])),
}


@pytest.mark.parametrize("name", STRUCTURE)
def test_a_file_whose_structure_lies_is_damaged(load_into, plain, name):
    Path("w.safetensors").write_bytes(STRUCTURE[name](safetensors(plain, HEADER)))
    refused(load_into("w.safetensors"), 3, "w.safetensors is damaged or no safetensors file", "copy it again")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", 5), ("model", None), ("num_classes", "ten"), ("num_classes", 0), ("num_classes", 2.5),
        ("image_size", [32]), ("image_size", None), ("options", None), ("options", [1]), ("options", "stem"),
        ("options", {"stem": ["a"]}), ("classes", 10), ("classes", "0123456789"), ("classes", list(range(10))),
        ("classes", {"a": 1}), ("classes", [["0"]] * 10), ("train_seed", "0"), ("train_seed", [0]),
        ("train_seed", float("nan")),
    ],
)  # fmt: skip
def test_a_header_with_wrong_values_is_damaged(load_into, plain, key, value):
    Path("w.safetensors").write_bytes(safetensors(plain, HEADER | {key: value}))
    refused(load_into("w.safetensors"), 3, f"its header is damaged ({key}", "convert or train it again")


@pytest.mark.parametrize("text", ["{", "", "[" * 100_000])
def test_a_header_that_is_no_json_is_damaged(load_into, plain, text):
    header = {key: json.dumps(value) for key, value in HEADER.items()} | {"options": text}
    Path("w.safetensors").write_bytes(save(plain, header))
    refused(load_into("w.safetensors"), 3, "its header is damaged (not JSON)", "convert or train it again")


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"format": "lst-robust/2"}, 3, "this release reads 'lst-robust/1': upgrade"),
        ({"model": "resnet18"}, 3, "holds resnet18, not alexnet: choose --model accordingly"),
        ({"classes": ["cat", "dog"]}, 3, "trained for 2 classes (cat, dog)"),
        ({"classes": []}, 3, "trained for 0 classes"),
        ({"classes": list("9876543210")}, 3, "give the data it was trained for, or another checkpoint"),
        ({"options": {"stem": "11x11s4"}}, 3, "of another shape"),
        ({"options": {"stem": "none"}}, 2, "choose from auto"),
        ({"options": {"name": "x"}}, 2, "no option 'name'"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused_with_the_mend(load_into, plain, changes, code, words):
    Path("w.safetensors").write_bytes(safetensors(plain, HEADER | changes))
    refused(load_into("w.safetensors"), code, words)


@pytest.mark.parametrize(
    "header", [{}, {"format": "pt"}, {"format": "pt", "classes": "7", "options": "x", "model": "y"}]
)
def test_a_safetensors_file_of_other_software_is_taken_for_its_weights(load_into, plain, header):
    Path("w.safetensors").write_bytes(save(plain, header or None))
    assert parsed(load_into("w.safetensors"))["n"] == 20


KINDS = {
    "integers": lambda w: w.to(torch.int64),
    "booleans": lambda w: w > 0,
    "complex": lambda w: w.to(torch.complex64),
    "sparse": lambda w: w.to_sparse(),
    "quantised": lambda w: torch.quantize_per_tensor(w, 0.1, 0, torch.qint8),
    "without values": lambda w: w.to("meta"),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_another_kind_are_refused(load_into, plain, kind):
    torch.save({key: KINDS[kind](value) for key, value in plain.items()}, "w.pth")
    refused(load_into("w.pth"), 3, "cannot become torch.float32", "save plain floating-point weights")


CONTENTS = {
    "nothing": {},
    "a list": [1, 2],
    "a number": 7,
    "a text": "weights",
    "a tensor": torch.ones(3),
    "other values": {"a": 1, "b": torch.ones(1)},
    "an empty state dict": {"state_dict": {}},
    "other names": {"state_dict": {"a\nb": torch.ones(2)}},
    "numbers for names": {1: torch.ones(2)},
    "another format": {"state_dict": {"w": torch.ones(2)}, "format": "lst-robust/1", "model": 5, "classes": 4},
}


@pytest.mark.parametrize("name", CONTENTS)
def test_what_holds_other_things_than_these_weights_is_refused(load_into, name):
    torch.save(CONTENTS[name], "w.pth")
    refused(load_into("w.pth"), 3, "w.pth")


def test_a_zip_bomb_is_not_unpacked(load_into, plain):
    """A compressed archive whose first tensor unfolds to a gigabyte."""
    torch.save(plain, "whole.pth")
    with zipfile.ZipFile("whole.pth") as whole, zipfile.ZipFile("bomb.pth", "w", zipfile.ZIP_DEFLATED) as bomb:
        for item in whole.namelist():
            if item.endswith("data/0"):
                with bomb.open(item, "w", force_zip64=True) as file:
                    for _ in range(2**6):
                        file.write(bytes(2**20))
            else:
                bomb.writestr(item, whole.read(item))
    assert Path("bomb.pth").stat().st_size < Path("whole.pth").stat().st_size
    refused(load_into("bomb.pth"), 3, "bomb.pth is damaged", "copy or save it again")


@pytest.mark.parametrize("path", ["nowhere.safetensors", ".", "", "/dev/null", "loop.pth", "pipe.pth"])
def test_what_is_no_file_is_refused(load_into, path):
    Path("loop.pth").symlink_to("loop.pth")
    os.mkfifo("pipe.pth")
    refused(load_into(path), 3, "no checkpoint at", "check the path")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_fail_every_cell_by_name_and_lose_none(run, load_into, tiny, plain, value):
    Path("good.safetensors").write_bytes(safetensors(plain, HEADER))
    whole = parsed(load_into("good.safetensors"))
    broken = plain | {"classifier.0.bias": torch.full((10,), value)}
    assert set(broken) == set(plain)
    Path("w.safetensors").write_bytes(safetensors(broken, HEADER))
    result = load_into("w.safetensors")
    assert result.exit_code == 3
    assert "warning: clean: " in result.stderr and "warning: contrast-1: " in result.stderr
    assert result.stderr.splitlines()[-1] == "error: 2 cells failed: clean, contrast-1"
    assert json.loads(result.stdout)["clean_error"] is None
    assert parsed(load_into("good.safetensors")) == whole


@pytest.mark.parametrize("command", ["convert", "eval"])
def test_all_commands_that_read_checkpoints_refuse_code(run, tiny, command):
    with_code(Path("w.pth"), "zip")
    asked = ("convert", "w.pth", "out.safetensors") if command == "convert" else ("eval", "--checkpoint", "w.pth")
    refused(run(*asked, "-m", "alexnet"), 3, "code could run")
    assert not Path("ran").exists() and not Path("out.safetensors").exists()


def test_the_state_of_an_interrupted_training_that_would_run_code_does_not(run, tiny):
    torch.save({"model": Payload()}, "w.resume")
    refused(run("train", "-m", "alexnet", "-s", str(tiny), "--out", "w.safetensors"), 3, "delete the file")
    assert not Path("ran").exists()


def test_loading_leaves_the_weights_as_they_were(load_into, plain):
    """The files above differ from this one in nothing but their fault."""
    Path("w.safetensors").write_bytes(safetensors(plain, HEADER))
    assert parsed(load_into("w.safetensors"))["n"] == 20
    assert all(torch.equal(load(Path("w.safetensors").read_bytes())[key], plain[key]) for key in plain)
