"""`lst-robust corrupt` over tar shards: processes that share the work, that are ended, and sets that are read again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lst_robust.suites import load_suite
from tests.fixtures.commands import command, parsed
from tests.fixtures.files import contents
from tests.fixtures.shards import jpeg, parts, write_tar
from tests.generation.shards import members

CHEAP = ("--corruptions", "gaussian_noise,contrast", "--preset", "cifar", "--size", "32")
WNIDS = ("n01440764", "n01443537")


@pytest.fixture(autouse=True)
def plain_kernels(monkeypatch):
    monkeypatch.setenv("LST_ROBUST_CORRUPTION_KERNELS", "plain")


@pytest.fixture
def wds(tmp_path) -> Path:
    """wds/val-00.tar ... val-02.tar of four images of ImageNet each, with labels."""
    for number, rows in enumerate(parts(range(12), 3)):
        files = []
        for image in rows:
            key = f"ILSVRC2012_val_{image:08d}"
            files += [
                (f"{WNIDS[image % 2]}/{key}.JPEG", jpeg(image)),
                (f"{WNIDS[image % 2]}/{key}.cls", b"01"[image % 2 :][:1]),
            ]
        write_tar(tmp_path / "wds" / f"val-{number:02d}.tar", files)
    return tmp_path / "wds"


def test_machines_share_the_shards_and_each_checks_its_own(run, wds):
    for number in ("1/2", "0/2"):
        made = run("corrupt", "wds/val-{00..02}.tar", "out", *CHEAP, "--shard", number)
        assert made.exit_code == 0, made.stderr
        first = number == "1/2"
        assert f"10 cells of {4 if first else 8} images in {1 if first else 2} of 3 shards; wrote" in made.stdout
        assert ("lacks shards that are not of this call" in made.stderr) == first
        assert run("corrupt", "--verify", "out", "--shard", number).exit_code == 0
        whole = run("corrupt", "--verify", "out")
        assert whole.exit_code == (3 if first else 0), whole.stderr
        assert first == ("out is not finished: val-00.tar is not there; val-02.tar is not there" in whole.stderr)
    assert "all 10 cells of 12 images in 3 shards are as they were made" in whole.stdout
    again = parsed(run("corrupt", "wds", "out", *CHEAP, "--json"))
    assert (again["written"], again["kept"], again["shards"], again["all_shards"]) == (0, 120, 3, 3)
    assert again["complete"] is True
    checked = parsed(run("corrupt", "--verify", "out", "--json"))
    assert checked == {"folder": "out", "ok": True, "cells": 10, "images": 12, "shards": 3, "complete": True}


def test_a_suites_shards_have_the_ids_of_its_evaluation(run, wds, tmp_path):
    asked = ("corrupt", "--suite", str(small_suite(tmp_path)), "--data-dir", "wds")
    assert run(*asked, "tars", "--format", "tar", "--image-format", "png").exit_code == 0
    assert run(*asked, "tree", "--image-format", "png").exit_code == 0

    in_tars = {name: c for tar in Path("tars").glob("contrast/1/*.tar") for name, c in members(tar).items()}
    in_tree = {str(p.relative_to("tree/contrast/1")): p.read_bytes() for p in Path("tree").glob("contrast/1/*/*.png")}
    assert len(in_tree) == 12 and {n: c for n, c in in_tars.items() if n.endswith(".png")} == in_tree
    nowhere = run("corrupt", "--suite", str(small_suite(tmp_path)), "tars", "--format", "tar")
    assert nowhere.exit_code == 2 and "give them with --data-dir" in nowhere.stderr


def small_suite(folder: Path, **changes: object) -> Path:
    suite = load_suite("imagenet-c-generated").model_dump(mode="json")
    small = {"image_size": 32, "dataset": {"kind": "imagenet", "resize": 32}, "corruptions": ["contrast"]}
    path = folder / "small.yaml"
    path.write_text(json.dumps(suite | small | {"severities": [1]} | changes))
    return path


NETWORK = """
import torch

class Sum(torch.nn.Module):
    def forward(self, x):
        levels = (x.double() * 100).round().sum(dim=(1, 2, 3)).long()
        return torch.nn.functional.one_hot(levels % 2, 1000).float()

def build(num_classes, image_size, weights):
    return Sum()
"""


def test_the_set_is_evaluated_and_verified_as_official_images(run, wds, tmp_path):
    generated = small_suite(tmp_path)
    assert run("corrupt", "-s", str(generated), "--data-dir", "wds", "tars", "--format", "tar").exit_code == 0
    assert run("corrupt", "-s", str(generated), "--data-dir", "wds", "tree").exit_code == 0
    official = small_suite(tmp_path, protocol="official", name="small-official")
    (tmp_path / "net.py").write_text(NETWORK)
    answers = [
        parsed(
            run(
                *("eval", "-m", "net.py:build", "--set", "weights=own", "-s", str(official), "--data-dir", "wds"),
                *("--corrupted-dir", folder, "--results-dir", f"results-{folder}", "--json"),
            )
        )
        for folder in ("tars", "tree")
    ]
    assert answers[0]["n"] == 12 and answers[0]["errors"] == answers[1]["errors"]
    assert parsed(run("corrupt", "--verify", "tars", "--json"))["complete"]


def test_ctrl_c_keeps_the_shards_that_are_done(run, wds, tmp_path):
    asked = ("corrupt", "wds", "out", "--corruptions", "gaussian_noise,contrast", "--size", "448", "-j", "1")
    ended = command(*asked, folder=tmp_path, start_new_session=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob("manifest-parts/*.json")):
        assert ended.poll() is None and time.monotonic() < deadline, ended.communicate()
        time.sleep(0.01)
    time.sleep(0.1)
    ended.send_signal(signal.SIGINT)
    error = ended.communicate(timeout=30)[1]
    assert ended.returncode == 130 and "interrupted; what was finished is kept, the same command goes on" in error
    done = list((tmp_path / "out").glob("manifest-parts/*.json"))
    assert 1 <= len(done) < 3
    assert len(list((tmp_path / "out").glob("*/*/*.tar"))) == 10 * len(done)
    assert not list((tmp_path / "out").glob(".unfinished*"))
    verified = run("corrupt", "--verify", "out", "--shard", "0/3")
    assert verified.exit_code == 0, verified.stderr


@pytest.mark.slow
def test_two_ranks_and_a_call_beside_them_give_the_same_bytes(run, wds, tmp_path):
    asked = ("corrupt", "wds", *CHEAP, "-j", "1", "--json")
    parsed(run(*asked, "one"))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    beside = command(*asked, "two", folder=tmp_path)
    done = subprocess.run(
        [*torchrun, "-m", "lst_robust", *asked, "two"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    other = json.loads(beside.communicate(timeout=60)[0])
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)  # one of them speaks, for both
    assert summary["written"] + other["written"] == 120 and summary["shards"] == 3 and summary["images"] == 12
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["wds", "out", "--shard", "3/3"], 2, "--shard '3/3': give I/N with I from 0 to N - 1, such as 0/8"),
        (["wds", "out", "--shard", "1"], 2, "give I/N"),
        (["wds", "out", "--shard", "-1/2"], 2, "give I/N"),
        (["wds", "out", "--format", "npy"], 2, "leave out --format npy"),
        ([".", "out", "--format", "tar"], 2, "--format tar makes shards of shards"),
        (["wds", "wds"], 2, "wds holds the shards that are to be corrupted (val-00.tar)"),
        (
            ["none-*.tar", "out"],
            3,
            "no file matches none-*.tar: give a folder, or a pattern that matches files, as SRC",
        ),
        (["none.tar", "out"], 3, "there is no file none.tar"),
        (["wds/val-{00..09}.tar", "out"], 3, "7 of the 10 files of wds/val-{00..09}.tar are not there"),
        (["--suite", "digits-c", "out", "--shard", "0/2"], 2, "--shard takes some of the tar shards that SRC names"),
        (["--suite", "digits-c", "out", "--format", "tar"], 2, "do not lie in shards"),
        (["--verify", "nowhere", "--shard", "0/2"], 2, "nowhere holds no set of tar shards"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_its_code(run, wds, arguments, code, words):
    done = run("corrupt", *arguments)
    assert done.exit_code == code and words in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1 and not Path("out").exists()
