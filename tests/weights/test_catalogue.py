"""The catalogue says what the repository holds."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lst_robust.errors import UsageError
from lst_robust.weights import published_weights, weights_named
from tools import weights as tool

RESULTS = Path(__file__).parents[2] / "results"


def test_it_is_what_the_committed_files_give():
    assert tool.FILE.read_text() == tool.catalogue(RESULTS), "run python tools/weights.py"


def test_it_names_every_committed_file_of_published_weights():
    files = {path.relative_to(RESULTS).as_posix() for path in (RESULTS / "published").rglob("*.safetensors")}
    ignored = subprocess.run(
        ["git", "check-ignore", *(f"results/{file}" for file in sorted(files))],
        cwd=RESULTS.parent,
        capture_output=True,
        text=True,
    )
    files -= {line.removeprefix("results/") for line in ignored.stdout.splitlines()}
    assert {weights.file for weights in published_weights()} == files


def test_names_say_network_suite_and_seed():
    found = weights_named("lst20-relu-cifar10-jpeg-seed2")
    assert (found.model, found.suite, found.seed, found.bytes) == ("lst20-relu", "cifar10-jpeg", 2, 780_864)
    assert weights_named("alexnet-digits-c").file == "published/digits-c/alexnet.safetensors"


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(UsageError, match=r"did you mean lst18-digits-c.*`lst-robust weights` lists all"):
        weights_named("lst18-digit-c")


def test_the_script_writes_and_checks(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "FILE", tmp_path / "catalogue.csv")
    folder = tmp_path / "results" / "published" / "digits-c"
    folder.mkdir(parents=True)
    (folder / "alexnet.safetensors").write_bytes((RESULTS / "published/digits-c/alexnet.safetensors").read_bytes())
    assert tool.main([]) == 0 and tool.main(["--check"]) == 0
    assert (tmp_path / "catalogue.csv").read_text().count("\n") == 2
    (tmp_path / "catalogue.csv").write_text("name\n")
    assert tool.main(["--check"]) == 1
    assert capsys.readouterr().err == "catalogue.csv is not what results/ holds: run python tools/weights.py\n"
