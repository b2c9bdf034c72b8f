"""`lst-robust corrupt --on`: tar shards by tasks, from the command line."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from tests.cli.test_corrupt_shards import small_suite
from tests.fixtures.commands import command, parsed
from tests.fixtures.files import contents
from tests.fixtures.shards import jpeg, parts, write_tar

SET = ("--corruptions", "gaussian_noise,contrast", "--severities", "1,4", "--preset", "cifar", "--size", "17")
LOCAL = ("--on", "local", "--tasks-at-once", "1", "-j", "1")


@pytest.fixture(autouse=True)
def plain_kernels(run, monkeypatch):  # run clears the variables
    monkeypatch.setenv("LST_ROBUST_CORRUPTION_KERNELS", "plain")


@pytest.fixture
def wds(tmp_path) -> Path:
    """wds/val-00.tar ... val-02.tar of four images of ImageNet each."""
    for number, rows in enumerate(parts(range(12), 3)):
        files = [(f"n01440764/ILSVRC2012_val_{image:08d}.JPEG", jpeg(image)) for image in rows]
        write_tar(tmp_path / "wds" / f"val-{number:02d}.tar", files)
    return tmp_path / "wds"


def test_the_bytes_of_one_process_and_json_alone_on_stdout(run, wds):
    parsed(run("corrupt", "wds", "one", *SET, "--json"))
    made = parsed(run("corrupt", "wds", "two", *SET, *LOCAL, "--json"))
    assert contents(Path("two")) == contents(Path("one"))
    assert (made["written"], made["kept"], made["complete"], made["failed"]) == (48, 0, True, {})
    again = run("corrupt", "wds", "two", *SET, *LOCAL)
    assert "two: 4 cells of 12 images in 3 of 3 shards; wrote 0" in again.stdout and again.stderr == ""


def test_a_suite_whose_images_lie_in_shards(run, wds, tmp_path):
    asked = ("corrupt", "--suite", str(small_suite(tmp_path, image_size=17)), "--data-dir", "wds", "--format", "tar")
    parsed(run(*asked, "one", "--json"))
    parsed(run(*asked, "two", *LOCAL, "--json"))
    assert contents(Path("two")) == contents(Path("one"))


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on_and_the_second_call_does(run, wds, tmp_path):
    slow = ("--corruptions", "glass_blur,contrast", "--severities", "1,4", "--size", "224")
    parsed(run("corrupt", "wds", "one", *slow, "--json"))
    asked = ("corrupt", "wds", "two", *slow, *LOCAL)
    ended = command(*asked, folder=tmp_path, start_new_session=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "two").glob("manifest-parts/*.json")):
        assert ended.poll() is None and time.monotonic() < deadline, ended.communicate()
        time.sleep(0.01)
    ended.send_signal(signal.SIGINT)
    said, errors = ended.communicate(timeout=30)
    assert ended.returncode == 130 and said == "", errors
    assert "error: interrupted; what was finished is kept, the same command goes on from there" in errors
    assert "Traceback" not in errors
    done = len(list((tmp_path / "two").glob("manifest-parts/*.json")))
    assert 1 <= done < 3
    made = parsed(run(*asked, "--json"))
    assert (made["kept"], made["written"]) == (16 * done, 48 - 16 * done)
    assert contents(Path("two")) == contents(Path("one"))


def test_a_damaged_shard_is_an_error_by_name_and_the_others_are_there(run, wds):
    path = wds / "val-01.tar"
    path.write_bytes(path.read_bytes()[:700])
    done = run("corrupt", "wds", "out", *SET, *LOCAL, "--json")
    assert done.exit_code == 3 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: val-01.tar: wds/val-01.tar")
    assert '"written": 32' in done.stdout and '"complete": false' in done.stdout
    verified = run("corrupt", "--verify", "out")
    assert verified.exit_code == 3 and "out is not finished: val-01.tar is not there" in verified.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            (".", "out", "--on", "local"),
            "--on local makes tasks of the tar shards that SRC names: leave it out, or give",
        ),
        (("--suite", "digits-c", "out", "--on", "local"), "--on local makes tasks of the tar shards"),
        (("wds", "out", "--tasks-at-once", "2"), "--tasks-at-once is for tasks: give --on local, slurm or ray as well"),
        (("wds", "out", "--slurm", "time=5"), "--slurm is for tasks: give --on local, slurm or ray as well"),
        (
            ("wds", "out", "--on", "local", "--slurm", "time=5"),
            "--slurm gives options to Slurm, and the tasks run on l",
        ),
        (("wds", "out", "--on", "local", "--ray-address", "auto"), "--ray-address is of a Ray cluster, and the tasks"),
        (("wds", "out", "--on", "local", "--tasks-at-once", "0"), "tasks-at-once is 0"),
        (("wds", "out", "--on", "local", "--gpus-per-worker", "1"), "--gpus-per-worker reserves CUDA devices, and the"),
        (("--verify", "out", "--on", "local"), "--on has no meaning with --verify: leave it out"),
        (("--sheet", "s.png", "x.png", "--on", "local"), "--on has no meaning with --sheet: leave it out"),
    ],
)
def test_what_cannot_be_meant_is_one_line(run, wds, arguments, words):
    done = run("corrupt", *arguments)
    assert done.exit_code == 2 and words in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1 and done.stdout == ""


@pytest.mark.parametrize(
    ("engine", "package", "words"),
    [
        ("ray", "ray", "Ray is not installed: pip install 'lst-robust[ray]'"),
        ("slurm", "submitit", "submitit is not installed: pip install 'lst-robust[slurm]'"),
    ],
)
def test_an_extra_that_is_missing_is_one_line(run, wds, monkeypatch, engine, package, words):
    monkeypatch.setitem(sys.modules, package, None)
    done = run("corrupt", "wds", "out", *SET, "--on", engine)
    assert (done.exit_code, done.stderr) == (2, f"error: {words}\n") and not Path("out").exists()
