"""What the faults are tried on: small folders of images, a suite of them, a network that needs no training."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from typer.testing import Result

from lst_robust.models import create_model, save_checkpoint
from lst_robust.suites import suites_folder
from tests.fixtures.commands import parsed
from tests.fixtures.processes import EVAL, NETWORK

CELLS = ("--corruptions", "contrast", "--severities", "1")  # the clean cell and one that draws no noise


@pytest.fixture(autouse=True)
def plain_kernels(run, monkeypatch):  # run clears the variables, and goes to a temporary folder
    """Nothing is compiled."""
    monkeypatch.setenv("LST_ROBUST_CORRUPTION_KERNELS", "plain")
    monkeypatch.setenv("LST_ROBUST_LST_KERNELS", "plain")


@pytest.fixture
def whole(run, tiny, undisturbed={}) -> dict:  # noqa: B006 - measured once for all tests
    """The numbers of an evaluation that nothing happens to."""
    if not undisturbed:
        undisturbed.update(parsed(run(*EVAL, "whole")))
    return undisturbed


@pytest.fixture
def net(tmp_path) -> None:
    """A network of a few weights, and a suite with room for three epochs of training."""
    (tmp_path / "net.py").write_text(NETWORK.format(value=0))
    suite = tmp_path / "tiny.yaml"
    suite.write_text(
        suite.read_text().replace("max_steps: 2", "max_steps: 200").replace("batch_size: 16", "batch_size: 64")
    )


@pytest.fixture
def pets(tmp_path: Path, photographs: np.ndarray) -> Path:
    """pets.yaml, and data/{train,test}/{cat,dog}/0..1.png of 48 x 64 pixels."""
    for split in ("train", "test"):
        for c, name in enumerate(("cat", "dog")):
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for i in range(2):
                Image.fromarray(photographs[2 * i + c, :48]).save(folder / f"{i}.png")
    data = yaml.safe_load((suites_folder() / "imagefolder.yaml").read_text()) | {"name": "pets", "model_options": {}}
    data["training"] |= {"epochs": 1, "batch_size": 4}
    (tmp_path / "pets.yaml").write_text(yaml.safe_dump(data))
    return tmp_path / "data"


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network for cats and dogs that has learnt nothing."""
    torch.manual_seed(0)
    model = create_model("resnet20", 2, image_size=32)
    return save_checkpoint(model, tmp_path_factory.mktemp("weights") / "w.safetensors", classes=["cat", "dog"])


@pytest.fixture
def evaluate(run, pets, weights) -> Callable[..., Result]:
    """evaluate(options...) -> Result of `lst-robust eval` on the pets."""

    def call(*options: str) -> Result:
        asked = ("eval", "-m", "resnet20", "--checkpoint", str(weights), "-s", "pets.yaml", "--data-dir", "data")
        return run(*asked, *CELLS, "--json", *options)

    return call


def refused(result: Result, code: int, *words: str) -> str:
    """The one line that a refused call says, which has all the words; nothing on stdout, no traceback."""
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    return refusal(result.exit_code, result.stdout, result.stderr, code, *words)


def refusal(exit_code: int | None, stdout: str, stderr: str, code: int, *words: str) -> str:
    """The same of a process of its own."""
    assert exit_code == code, stderr
    assert stdout == "" and "Traceback" not in stderr and "error: unexpected" not in stderr, stderr
    last = stderr.splitlines()[-1]
    assert last.startswith("error: ") and stderr.count("error: ") == 1, stderr
    assert all(word in last for word in words), last
    return last


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """mount("size=64k") -> a file system of its own, in memory; skips where mounting is not permitted."""
    mounted: list[Path] = []

    def make(options: str) -> Path:
        folder = tmp_path / f"mounted{len(mounted)}"
        folder.mkdir()
        try:
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("a file system of its own can be mounted by root only")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)
