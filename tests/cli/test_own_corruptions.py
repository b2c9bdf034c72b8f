"""Corruptions from outside on the command line: those of an installed plugin, and those of this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.corruptions import corruption_digest, register_corruption
from lst_robust.records.store import Store
from tests.fixtures.commands import PUBLISHED, parsed

ALEXNET = ("--model", "alexnet", "--checkpoint", str(PUBLISHED / "alexnet.safetensors"))
TWO = ("--corruptions", "contrast,darken", "--severities", "1,5")


@pytest.fixture(autouse=True)
def plain_kernels(run, monkeypatch):  # run clears the variables, and goes to a temporary folder
    monkeypatch.setenv("LST_ROBUST_CORRUPTION_KERNELS", "plain")


def measured(results: str) -> list[Cell]:
    """The cells of the one run in a results folder."""
    [(_, records)] = Store(results).scan("tiny")
    return list(records)


def test_an_evaluation_measures_it_when_it_is_named_and_no_mean_counts_it(run, tiny, darken):
    asked = ("eval", *ALEXNET, "-s", str(tiny), "--json")
    papers = parsed(run(*asked))
    with_own = parsed(run(*asked, "--corruptions", "all,own", "--results-dir", "r"))
    assert "darken" not in papers["errors"]
    assert [cell.severity for cell in measured("r") if cell.corruption == "darken"] == [1, 2, 3, 4, 5]
    for key in ("mce15", "mce19", "mean_corruption_error"):
        assert with_own[key] == papers[key] is not None, key
    assert with_own["relative_mce"] == papers["relative_mce"]


def test_a_suite_may_name_it(run, tiny, darken):
    suite = yaml.safe_load(tiny.read_text())
    tiny.write_text(yaml.safe_dump(suite | {"corruptions": ["contrast", "darken"], "severities": [2]}))
    assert run("eval", *ALEXNET, "-s", str(tiny), "--json").exit_code == 0
    assert measured("results") == [CLEAN_CELL, Cell("contrast", 2), Cell("darken", 2)]


@pytest.mark.usefixtures("no_plugins")
def test_a_suite_that_names_one_that_is_not_installed_is_refused(run, tiny):
    tiny.write_text(yaml.safe_dump(yaml.safe_load(tiny.read_text()) | {"corruptions": ["contrast", "darken"]}))
    result = run("eval", *ALEXNET, "-s", str(tiny))
    assert result.exit_code == 2 and "unknown corruption 'darken'" in result.stderr


@pytest.mark.parametrize("format", ["tree", "npy"])
def test_a_set_of_it(run, tiny, darken, format):
    asked = ("corrupt", "--suite", str(tiny), "out", *TWO, "--format", format, "--json")
    assert parsed(run(*asked))["cells"] == 4
    assert parsed(run("corrupt", "--verify", "out", "--json"))["ok"]
    manifest = json.loads(Path("out/MANIFEST.json").read_text())
    assert manifest["own"] == {"darken": corruption_digest("darken")}
    if format == "npy":
        assert np.load("out/darken.npy").shape == (40, 32, 32, 3)
    else:
        assert len(list(Path("out/darken").rglob("*.JPEG"))) == 40
    assert parsed(run(*asked))["written"] == 0

    def changed(image: np.ndarray, levels: int, rng: np.random.Generator) -> np.ndarray:
        return image

    changed.__module__ = darken.__module__
    register_corruption("darken", constants=[10, 20, 30, 40, 50])(changed)
    result = run(*asked)
    assert result.exit_code == 2 and "made when darken had other code, constants or another version" in result.stderr


def test_a_set_of_the_papers_corruptions_says_nothing_of_others(run, tiny, darken):
    assert run("corrupt", "--suite", str(tiny), "out", "--corruptions", "contrast", "--severities", "1").exit_code == 0
    assert "own" not in json.loads(Path("out/MANIFEST.json").read_text())


def test_two_networks_that_were_measured_on_it_alone_are_compared_without_a_verdict(run, tiny, darken):
    lst18 = ("--model", "lst18", "--checkpoint", str(PUBLISHED / "lst18.safetensors"))
    for network in (ALEXNET, lst18):
        assert run("eval", *network, "-s", str(tiny), "--corruptions", "darken").exit_code == 0
    done = run("compare", "alexnet", "lst18", "-s", str(tiny))
    assert done.exit_code == 0, done.stderr
    assert "darken" in done.stdout and "no verdict" in done.stdout
    assert "mean top-1 errors" in done.stdout and "CE against" not in done.stdout


def test_a_sheet_of_chosen_corruptions(run, darken, photographs):
    Image.fromarray(photographs[0]).save("a.png")
    heights = []
    for chosen in (("--corruptions", "darken"), ("--corruptions", "darken,fog"), ()):
        assert run("corrupt", "--sheet", "own.png", "a.png", "--preset", "cifar", *chosen).exit_code == 0
        heights.append(Image.open("own.png").height)
    assert heights[0] < heights[1] < heights[2]
    done = run("corrupt", "--sheet", "own.png", "a.png", "--corruptions", "darke")
    assert done.exit_code == 2 and "did you mean darken" in done.stderr


def test_a_table_and_a_sheet(run, tiny, darken, photographs):
    assert run("eval", *ALEXNET, "-s", str(tiny), *TWO).exit_code == 0
    assert run("table", "-s", str(tiny)).exit_code == 0
    Image.fromarray(photographs[0]).save("a.png")
    assert run("corrupt", "--sheet", "own.png", "a.png", "--preset", "tiny-imagenet").exit_code == 0
    assert np.asarray(Image.open("own.png")).size > 0


@pytest.mark.usefixtures("no_plugins")
def test_the_word_own_without_any_is_refused(run, tiny):
    result = run("eval", *ALEXNET, "-s", str(tiny), "--corruptions", "own")
    assert result.exit_code == 2 and "unknown corruption 'own'" in result.stderr


PLUGIN = """
import lst_robust

@lst_robust.register_corruption("cellophane", group="own", label="Cellophane", constants=[2, 3, 4, 5, 6])
def cellophane(image, strength, rng):
    return image // strength * strength
"""


@pytest.fixture
def installed(tmp_path) -> dict[str, str]:
    """The environment of a process in which two packages are installed: a plugin, and one that cannot be imported."""
    site = tmp_path / "site"
    for name, source in {"cellophane_plugin": PLUGIN, "broken_plugin": "import no_such_thing"}.items():
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[lst_robust.corruptions]\n{name} = {name}\n")
        (site / f"{name}.py").write_text(source)
    paths = [str(site), *sys.path]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_a_plugin_is_found_by_its_entry_point(tiny, tmp_path, installed, no_plugins):
    asked = ("corrupt", "--suite", str(tiny), "out", "--corruptions", "own", "--severities", "3", "--format", "npy")
    done = subprocess.run(
        [sys.executable, "-m", "lst_robust", *asked],
        cwd=tmp_path,
        env=installed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if "plugin" in line]
    assert len(warnings) == 1 and "broken_plugin" in warnings[0] and "no_such_thing" in warnings[0]
    made = np.load(tmp_path / "out" / "cellophane.npy")
    assert made.shape == (20, 32, 32, 3) and not (made % 4).any()


@pytest.mark.parametrize("engine", ["cpu", "torch"])
def test_one_that_ends_the_process_is_one_line_about_the_whole_batch(run, tiny, no_plugins, engine):
    def leave(*_):
        raise SystemExit(7)

    register_corruption("leaves", torch=leave)(leave)
    asked = (
        "--suite",
        str(tiny),
        "--corruptions",
        "leaves",
        "--severities",
        "1",
        "--engine",
        engine,
        "--device",
        "cpu",
    )
    line = "error: corruption leaves failed on images of 32x32 pixels (SystemExit: 7): correct its code"
    made = run("corrupt", *asked, "out")
    assert made.exit_code == 2 and made.stderr.splitlines()[-1] == line, "it names no image: the fault is of all"
    measured = run("eval", "-m", "alexnet", "--checkpoint", str(PUBLISHED / "alexnet.safetensors"), *asked)
    assert measured.exit_code == 2 and measured.stderr.splitlines()[-1] == line
