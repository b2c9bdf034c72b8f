"""Running the command line in this process or in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from lst_robust.cli import app
from lst_robust.suites import suites_folder

KEPT = {"LST_ROBUST_SHARED", "LST_ROBUST_CACHE_DIR"}
PUBLISHED = Path(__file__).parents[2] / "results" / "published" / "digits-c"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """run("eval", ...) -> Result with exit_code, stdout, stderr; works in a temporary folder."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("LST_ROBUST_") and name not in KEPT]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(app, arguments, env=environment)

    return call


@pytest.fixture
def tiny(tmp_path) -> Path:
    """digits-c on 20 images, with a recipe of a few steps."""
    data = yaml.safe_load((suites_folder() / "digits-c.yaml").read_text())
    data |= {"name": "tiny", "limit": 20, "batch_size": 20}
    data["training"] |= {"epochs": 1, "max_steps": 2, "batch_size": 16}
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def command(*arguments: str, folder: Path, **options: object) -> subprocess.Popen:
    """`python -m lst_robust ...` in a process of its own, on one thread so that tests do not fight for cores."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "lst_robust", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def parsed(result: Result) -> dict:
    """The one JSON document on stdout of a successful call."""
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)
