"""`lst-robust corrupt` as a person uses it: in processes that are killed, that share the work, that run out of disk."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lst_robust.benchmark import CORRUPTIONS
from tests.fixtures.commands import command, parsed
from tests.fixtures.files import contents

CHEAP = ("--corruptions", "gaussian_noise,contrast")


@pytest.fixture(autouse=True)
def plain_kernels(monkeypatch):
    monkeypatch.setenv("LST_ROBUST_CORRUPTION_KERNELS", "plain")


@pytest.fixture
def photo(tmp_path, photographs) -> Path:
    Image.fromarray(photographs[1]).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_a_suites_images_become_a_set_that_can_be_checked(run, tiny):
    made = parsed(
        run("corrupt", "--suite", str(tiny), "out", *CHEAP, "--severities", "1,3", "--format", "npy", "--json")
    )
    assert (made["folder"], made["images"], made["cells"], made["written"], made["kept"]) == ("out", 20, 4, 80, 0)
    assert np.load("out/contrast.npy").shape == (40, 32, 32, 3)
    again = run("corrupt", "--suite", str(tiny), "out", *CHEAP, "--severities", "1,3", "--format", "npy")
    assert again.exit_code == 0 and "4 cells of 20 images; wrote 0" in again.stdout and "80 were there" in again.stdout
    assert parsed(run("corrupt", "--verify", "out", "--json")) == {
        "folder": "out",
        "ok": True,
        "cells": 4,
        "images": 20,
    }
    Path("out/contrast.npy").write_bytes(Path("out/contrast.npy").read_bytes()[:-1] + b"?")
    broken = run("corrupt", "--verify", "out")
    assert broken.exit_code == 3 and "contrast/3 has changed" in broken.stderr and len(broken.stderr.splitlines()) == 2


@pytest.mark.parametrize("format", [pytest.param("tree", marks=pytest.mark.slow), "npy"])
def test_a_killed_run_goes_on_and_gives_the_same_bytes(run, tmp_path, format):
    """SIGKILL as soon as something is finished: 500 digits are four chunks of work."""
    asked = ("corrupt", "--suite", "digits-c", *CHEAP, "--format", format, "-j", "1", "--json")
    killed = command(*asked, "out", folder=tmp_path)
    finished = "*/*/*/*.JPEG" if format == "tree" else ".unfinished/done-*"
    deadline = time.monotonic() + 60
    while not any((tmp_path / "out").glob(finished)):
        assert killed.poll() is None and time.monotonic() < deadline, killed.communicate()
        time.sleep(0.002)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert "cells" not in json.loads((tmp_path / "out" / "MANIFEST.json").read_text())
    assert parsed(run(*asked, "out"))["kept"] > 0
    assert parsed(run(*asked, "whole"))["kept"] == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("format", ["npy", "tree"])
def test_two_ranks_give_the_same_bytes(run, tmp_path, format):
    asked = ("corrupt", "--suite", "digits-c", *CHEAP, "--format", format, "-j", "1", "--json")
    parsed(run(*asked, "one"))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, "-m", "lst_robust", *asked, "two"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)  # one of them speaks, for both
    assert (summary["written"], summary["kept"]) == (5000, 0)
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


def test_arrays_that_do_not_fit_on_the_disk_leave_nothing_half_written(run, tmp_path, tiny):
    """A limit on the size of files stands for the full disk."""
    asked = ("corrupt", "--suite", str(tiny), "out", *CHEAP, "--format", "npy", "-j", "1")
    limit = (100_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    full = command(*asked, folder=tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    error = full.communicate()[1]
    assert full.returncode == 3 and "cannot be written (File too large); what was finished is kept" in error
    assert [path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")] == ["MANIFEST.json"]
    assert run(*asked).exit_code == 0
    assert np.load(tmp_path / "out" / "gaussian_noise.npy").any(axis=(1, 2, 3)).all()


def test_a_sheet_has_every_corruption_in_its_place(run, photo, monkeypatch):
    """The place in the sheet is painted into each tile: the corruption's number is red, the severity green."""

    def painted(image, corruption, severity, *, preset, style, seed):
        assert image.shape == (64, 64, 3) and (preset, style, seed) == ("tiny-imagenet", "hendrycks", 2)
        return np.full_like(image, (10 * CORRUPTIONS.index(corruption), 50 * severity, 7))

    monkeypatch.setattr("lst_robust.reporting.sheet.corrupt", painted)
    done = run("corrupt", "--sheet", "sheet.png", str(photo), "--preset", "tiny-imagenet", "--seed", "2")
    assert done.exit_code == 0, done.stderr
    pixels = np.asarray(Image.open("sheet.png"))
    tops, lefts = np.zeros((2, 19, 5), int)
    for row in range(19):
        for severity in range(1, 6):
            places = np.argwhere((pixels == (10 * row, 50 * severity, 7)).all(axis=2))
            tops[row, severity - 1], lefts[row, severity - 1] = places.min(axis=0)
            assert len(places) == 76 * 76 and np.ptp(places, axis=0).tolist() == [75, 75]
    assert (np.diff(tops, axis=0) > 76).all() and (np.diff(lefts, axis=1) > 76).all()
    assert not np.diff(tops, axis=1).any() and not np.diff(lefts, axis=0).any()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["only-one"], 2, "1 paths given: the call is lst-robust corrupt SRC DST"),
        (["--verify", "a", "b"], 2, "--verify DST"),
        (["--suite", "digits-c", "a", "b"], 2, "--suite NAME DST"),
        (["--suite", "digit-c", "out"], 2, "did you mean digits-c"),
        (["--suite", "digits-c", "out", "--size", "64"], 2, "leave out --size"),
        (["--suite", "imagefolder", "out"], 2, "--data-dir"),
        (["nowhere", "out"], 3, "no image folder nowhere"),
        (["", "out"], 2, "it is empty: give a folder"),
        ([".", ""], 2, "it is empty: give a folder"),
        ([".", "out", "--data-dir", "."], 2, "--data-dir is where the images of a suite lie"),
        (["--suite", "digits-c", "out", "--shard", "0/8"], 2, "--shard takes some of the tar shards"),
        ([".", "out"], 3, "has no class folders"),
        ([".", "out", "--size", "large"], 2, "'keep' or a number of pixels"),
        ([".", "out", "--size", "8"], 2, "from 16"),
        ([".", "out", "--preset", "mnist"], 2, "choose from cifar"),
        ([".", "out", "--corruptions", ""], 2, "corruptions is empty"),
        ([".", "out", "-j", "0"], 2, "workers is 0"),
        (["--verify", "nowhere", "--engine", "torch"], 2, "--engine has no meaning with --verify: leave it out"),
        (["--verify", "nowhere", "--device", "cpu"], 2, "--device has no meaning with --verify: leave it out"),
        (["--sheet", "x.png", "photo.png", "--engine", "torch"], 2, "--engine has no meaning with --sheet"),
        (["--sheet", "x.png", "photo.png", "--device", "foo"], 2, "--device has no meaning with --sheet"),
        (["--sheet", "x.png", "photo.png", "--severities", "2"], 2, "--severities has no meaning with --sheet"),
        (["--suite", "digits-c", "out", "--engine", "cpu", "--device", "foo"], 2, "unknown device 'foo'"),
        (["--suite", "digits-c", "out", "--device", "cuda:99"], 2, "device 'cuda:99' is not here"),
        (["--verify", "nowhere"], 3, "MANIFEST.json cannot be read"),
        (["--sheet", "x.png", "nowhere.jpg"], 3, "nowhere.jpg cannot be read as an image"),
        (["--sheet", "x.png", "photo.png", "--preset", "mnist"], 2, "unknown preset"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_its_code(run, photo, arguments, code, words):
    done = run("corrupt", *arguments)
    assert done.exit_code == code and words in done.stderr
    assert [line for line in done.stderr.splitlines() if "error" in line] == done.stderr.splitlines()
    assert not Path("out").exists()


def test_the_engine_is_chosen_by_a_flag_or_the_environment(run, tiny):
    asked = ("corrupt", "--suite", str(tiny), "--severities", "2", "--corruptions", "gaussian_noise", "--format", "npy")
    assert run(*asked, "torch", "--engine", "torch", "--device", "cpu").exit_code == 0
    assert run(*asked, "cpu", LST_ROBUST_ENGINE="cpu").exit_code == 0
    engines = [json.loads(Path(name, "MANIFEST.json").read_text())["engine"] for name in ("torch", "cpu")]
    assert engines == ["lst-robust-torch 1", "lst-robust 1"]
    refused = run(*asked, "cpu", LST_ROBUST_ENGINE="torch", LST_ROBUST_DEVICE="cpu")
    assert refused.exit_code == 2 and "engine lst-robust 1, not lst-robust-torch 1" in refused.stderr
    assert run(*asked, "out", "--engine", "gpu").exit_code == 2


def test_the_same_call_goes_on_with_the_engine_that_has_begun(run, tiny):
    """auto takes another engine once the engines have been measured, and would refuse the folder."""
    asked = ("corrupt", "--suite", str(tiny), "--severities", "2", "--corruptions", "fog", "--format", "npy", "out")
    assert run(*asked, "--engine", "torch", "--device", "cpu").exit_code == 0
    again = run(*asked)
    assert again.exit_code == 0 and "20 were there" in again.stdout, again.stderr
    refused = run(*asked, "--engine", "cpu")
    assert refused.exit_code == 2 and refused.stderr.rstrip().endswith(
        "(engine lst-robust-torch 1, not lst-robust 1): choose another folder, or remove it, or give --engine torch"
    )
    other = run(*asked, "--engine", "cpu", "--seed", "3")
    assert other.exit_code == 2 and "give --engine" not in other.stderr, "the engine alone would not make it this set"


def test_a_sheet_as_json_is_its_path(run, photo):
    asked = ("corrupt", "--sheet", "s.png", "photo.png", "--preset", "cifar", "--corruptions", "contrast", "--json")
    assert parsed(run(*asked)) == {"sheet": "s.png"} and Path("s.png").is_file()


def test_what_the_environment_says_is_for_all_commands(run, tiny):
    asked = ("corrupt", "--suite", str(tiny), "--severities", "2", "--corruptions", "fog", "--format", "npy", "out")
    assert run(*asked).exit_code == 0
    assert run("corrupt", "--verify", "out", LST_ROBUST_ENGINE="torch", LST_ROBUST_SEED="1").exit_code == 0
    others = {"SIZE": "64", "SHARD": "0/8", "ON": "local", "TASKS_AT_ONCE": "4", "RAY_ADDRESS": "auto"}
    again = run(*asked, **{f"LST_ROBUST_{name}": value for name, value in others.items()})
    assert again.exit_code == 0 and "20 were there" in again.stdout, again.stderr
