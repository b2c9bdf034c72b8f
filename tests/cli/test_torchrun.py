"""Two processes of torchrun: the same records as one, the same training as one, one voice."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch
import yaml

from lst_robust.models import read_checkpoint
from lst_robust.suites import suites_folder
from tests.fixtures.commands import parsed, records

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def together(*arguments: str, folder: Path, program: tuple[str, ...] = ("-m", "lst_robust")) -> CompletedProcess:
    """`torchrun --nproc-per-node 2 <program> <arguments>`, each process on one thread."""
    return subprocess.run(
        [sys.executable, *TORCHRUN, *program, *arguments],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def outcomes(folder: Path) -> dict[str, str]:
    """Correctness bits by cell; timings differ from run to run."""
    return {cell: record.correct for (_, cell), record in records(folder).items()}


@pytest.fixture
def plain(tmp_path) -> Path:
    """Digits with a few steps of plain SGD, which does not blow up differences in the order of sums."""
    data = yaml.safe_load((suites_folder() / "digits-c.yaml").read_text())
    data |= {"name": "plain", "limit": 20, "batch_size": 20}
    recipe = {"epochs": 2, "max_steps": 6, "batch_size": 33, "optimizer": "sgd", "lr": 0.02, "weight_decay": 0.0005}
    data["training"] = recipe | {"augmentation": {"crop_padding": 3, "flip": True}}
    path = tmp_path / "plain.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


@pytest.mark.slow
def test_two_processes_train_and_measure_what_one_does(run, plain, tmp_path):
    """AlexNet for small images has neither BN nor dropout, so its weights agree up to the order of sums."""
    asked = ("-m", "alexnet", "-s", str(plain), "-j", "1", "--json")
    cells = ("--corruptions", "noise,fog", "--severities", "2,4", "--results-dir")
    done = together("eval", *asked, *cells, "two", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("training it first") == 1, "rank 0 speaks for both"
    assert "share of 2 processes" in done.stderr

    (path,) = (tmp_path / "two").rglob("*.safetensors")
    assert not list((tmp_path / "two").rglob("*.resume"))
    alone = Path(parsed(run("train", *asked, "--results-dir", "one"))["checkpoint"])
    assert path.name == alone.name
    one, two = read_checkpoint(alone)[0], read_checkpoint(path)[0]
    for key, weights in one.items():
        torch.testing.assert_close(two[key], weights, rtol=1e-3, atol=1e-5, msg=key)
    losses = [
        [row["loss"] for row in csv.DictReader(file.with_suffix(".csv").read_text().splitlines())]
        for file in (alone, path)
    ]
    assert [float(loss) for loss in losses[1]] == pytest.approx([float(loss) for loss in losses[0]], rel=1e-4)

    shared = json.loads(done.stdout)  # one document, with the cells of both
    assert parsed(run("eval", *asked, "--checkpoint", str(path), *cells, "again")) == shared
    assert outcomes(tmp_path / "two") == outcomes(tmp_path / "again")
    assert len(outcomes(tmp_path / "two")) == 9


@pytest.mark.slow
def test_an_error_of_one_process_is_one_line_and_ends_the_other(plain, tmp_path):
    """The second process cannot read its images; the first says only that it is not to blame."""
    script = (
        "import os, sys; from lst_robust.cli import main; from lst_robust.data import digits\n"
        "def fails(*_): raise ValueError('cut short')\n"
        "if os.environ['RANK'] == '1': digits.DigitsSource._enlarged = fails\n"
        "main()\n"
    )
    (tmp_path / "script.py").write_text(script)
    asked = ("train", "-m", "alexnet", "-s", str(plain), "-j", "1", "--results-dir", "r")
    done = together(*asked, folder=tmp_path, program=("script.py",))
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert done.returncode != 0
    assert sum("1297 of 1297 images" in line and "cut short" in line for line in errors) == 1
    assert all("1297 images" in line or "another of the 2 processes has gone" in line for line in errors)
    assert not list((tmp_path / "r").rglob("*.safetensors"))
