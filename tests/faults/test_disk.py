"""Disks that are full or read-only, folders that are files, caches that cannot be used, readers that have gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.faults.conftest import CELLS, refusal, refused
from tests.faults.tally import Snapshot, lost
from tests.fixtures.commands import command, parsed
from tests.fixtures.files import contents
from tests.fixtures.processes import ALEXNET


def enlarge(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)


def unfinished(folder: Path) -> list[Path]:
    return list(folder.rglob(".tmp-*"))


def test_an_evaluation_that_fills_the_disk_keeps_its_cells_and_goes_on_from_there(run, tiny, mount):
    cheap = "gaussian_noise,shot_noise,speckle_noise,brightness,contrast,pixelate,saturate"  # 36 cells
    asked = ("eval", *ALEXNET, "-s", str(tiny), "--corruptions", cheap, "--json", "--results-dir")
    folder = mount("size=64k")
    line = refused(run(*asked, str(folder)), 3, "cannot be written (No space left on device)", "make room")
    finished = Snapshot(folder)
    assert 2 < len(finished) < 36 and not unfinished(folder)
    assert line.split(".json")[0].endswith(("-1", "-2", "-3", "-4", "-5")), "the cell is named"
    assert "No space" in run(*asked, str(folder)).stderr, "as long as it is full"
    enlarge(folder)
    assert parsed(run(*asked, str(folder))) == parsed(run(*asked, "whole"))
    assert not lost(finished)


@pytest.mark.parametrize("format", ["tree", "npy"])
def test_a_set_that_fills_the_disk_goes_on_from_there(run, tiny, mount, format):
    folder = mount("size=128k")
    asked = ("corrupt", "--suite", str(tiny), "--corruptions", "contrast,pixelate", "--format", format, "-j", "2")
    refused(run(*asked, str(folder / "out")), 3, "cannot be written (No space left on device)", "goes on from there")
    enlarge(folder)
    assert run(*asked, str(folder / "out")).exit_code == 0
    assert run(*asked, "whole").exit_code == 0
    assert contents(folder / "out") == contents(Path("whole"))


def test_a_training_that_fills_the_disk_leaves_nothing_half_written(run, tiny, mount):
    folder = mount("size=64k")
    asked = ("train", "-m", "resnet20", "-s", str(tiny), "--json", "--out")
    refused(run(*asked, str(folder / "w.safetensors")), 3, "No space left on device", "make room")
    assert not [path for path in folder.iterdir() if not path.name.endswith(".lock")]
    enlarge(folder)
    assert (
        parsed(run(*asked, str(folder / "w.safetensors")))["sha256"] == parsed(run(*asked, "w.safetensors"))["sha256"]
    )


@pytest.fixture(params=["read-only", "below a file"])
def unwritable(request, mount, tmp_path) -> Path:
    """A folder in which nothing can be written: root may write where the mode forbids it, but not here."""
    if request.param == "read-only":
        return mount("ro")
    (tmp_path / "file").write_text("a file")
    return tmp_path / "file"


WRITING = {
    "eval": ("eval", *ALEXNET, "-s", "tiny.yaml", *CELLS, "--results-dir", "DST"),
    "eval, in a new folder": ("eval", *ALEXNET, "-s", "tiny.yaml", *CELLS, "--results-dir", "DST/new/one"),
    "eval that trains": ("eval", "-m", "resnet20", "-s", "tiny.yaml", *CELLS, "--results-dir", "DST"),
    "train": ("train", "-m", "resnet20", "-s", "tiny.yaml", "--out", "DST/w.safetensors"),
    "train into results": ("train", "-m", "resnet20", "-s", "tiny.yaml", "--results-dir", "DST"),
    "convert": ("convert", ALEXNET[-1], "DST/w.safetensors", "-m", "alexnet"),
    "corrupt to a tree": ("corrupt", "--suite", "tiny.yaml", "DST/out", *CELLS),
    "corrupt to arrays": ("corrupt", "--suite", "tiny.yaml", "DST/out", *CELLS, "--format", "npy"),
    "table": ("table", "-s", "tiny.yaml", "--results-dir", "results", "--out", "DST/table.md"),
}


@pytest.mark.parametrize("name", WRITING)
def test_what_cannot_be_written_is_one_line_with_the_mend(run, tiny, unwritable, name):
    if name == "table":
        assert run("eval", *ALEXNET, "-s", str(tiny), *CELLS).exit_code == 0
    arguments = [word.replace("DST", str(unwritable)) for word in WRITING[name]]
    before_the_work = name in ("train", "convert", "table") and unwritable.is_file()  # looked at, not tried
    line = refused(run(*arguments), 2 if before_the_work else 3, str(unwritable))
    assert any(advice in line for advice in ("choose", "--results-dir", "make room")), line


def test_a_sheet_that_cannot_be_written(run, unwritable, photographs, monkeypatch):
    from PIL import Image

    monkeypatch.setattr("lst_robust.reporting.sheet.corrupt", lambda image, *_, **__: image)
    Image.fromarray(photographs[0]).save("a.png")
    asked = ("corrupt", "--sheet", str(unwritable / "sheet.png"), "a.png", "--preset", "cifar")
    refused(run(*asked), 2 if unwritable.is_file() else 3, "sheet.png")


def test_finished_results_on_a_read_only_disk_can_be_read(run, tiny, tmp_path, mount):
    assert run("eval", *ALEXNET, "-s", str(tiny), *CELLS).exit_code == 0
    folder = mount("size=1m")
    subprocess.run(["cp", "-a", "results/.", folder], check=True)
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    assert run("table", "-s", str(tiny), "--results-dir", str(folder)).exit_code == 0


KERNEL = """
import sys
import numpy as np
from lst_robust.corruptions.kernels.compiling import jit

@jit
def twice(x):
    return 2 * x

print(twice(np.arange(3)).tolist())
"""


def compiled(folder: Path, **environment: str) -> subprocess.CompletedProcess:
    """A process that compiles and caches a kernel."""
    (folder / "kernel.py").write_text(KERNEL)
    return subprocess.run(
        [sys.executable, "kernel.py"],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("cache", ["a file", "full", "damaged"])
def test_a_kernels_cache_that_cannot_be_used_only_costs_time(tmp_path, mount, cache):
    place = tmp_path / "cache"
    if cache == "a file":
        place.write_text("")
    elif cache == "full":
        place = mount("size=4k")
    else:
        assert compiled(tmp_path, LST_ROBUST_CACHE_DIR=str(place)).stdout == "[0, 2, 4]\n"
        cached = [path for path in place.rglob("*") if path.is_file()]
        assert len(cached) == 2, "an index and the code"
        for path in cached:
            path.write_bytes(path.read_bytes()[:20])
    done = compiled(tmp_path, LST_ROBUST_CACHE_DIR=str(place))
    assert (done.returncode, done.stdout) == (0, "[0, 2, 4]\n"), done.stderr
    assert "Traceback" not in done.stderr
    if cache == "damaged":
        assert [path.stat().st_size > 20 for path in cached] == [True, True], "it is made anew"


def test_without_a_folder_for_it_the_lst_kernel_is_left_out_with_a_note(tmp_path):
    place = tmp_path / "cache"
    place.write_text("")
    code = "from lst_robust.models.lst.kernels.library import kernels_ready; print(kernels_ready())"
    environment = {key: value for key, value in os.environ.items() if key != "LST_ROBUST_LST_KERNELS"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"LST_ROBUST_CACHE_DIR": str(place)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "False\n") and "Traceback" not in done.stderr
    assert "plain torch is used" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_an_evaluation_without_any_cache(run, tiny, tmp_path, monkeypatch):
    """Neither numba's kernels nor the compiled LST kernel can be kept."""
    (tmp_path / "cache").write_text("")
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("LST_ROBUST_CORRUPTION_KERNELS")
    monkeypatch.delenv("LST_ROBUST_LST_KERNELS")
    asked = ("eval", "-m", "lst20", "-s", str(tiny), "--corruptions", "contrast", "--severities", "1")
    process = command(*asked, "--results-dir", "r", folder=tmp_path)
    stdout, stderr = process.communicate(timeout=200)
    assert process.returncode == 0, stderr
    assert "contrast" in stdout and "Traceback" not in stderr
    assert len(Snapshot(tmp_path / "r")) == 2


def test_a_temporary_folder_that_is_full_only_costs_time(run, tiny, mount, monkeypatch):
    folder = mount("size=4k")
    (folder / "full").write_bytes(bytes(4096))
    monkeypatch.setenv("TMPDIR", str(folder))
    assert parsed(run("eval", *ALEXNET, "-s", str(tiny), *CELLS, "--json"))["n"] == 20


@pytest.mark.parametrize("command", ["suites --json", "suites"])
@pytest.mark.parametrize(
    ("redirection", "code", "words"),
    [
        ("> /dev/full", 3, "error: No space left on device: make room where"),
        (">&-", 0, ""),  # closed by the caller: there is nobody to tell
        ("| true", 141, ""),  # as of a program that SIGPIPE ends
    ],
)
def test_an_output_that_takes_nothing_is_no_traceback(tmp_path, command, redirection, code, words):
    shell = f"sleep 1 | {sys.executable} -m lst_robust {command} {redirection}; exit ${{PIPESTATUS[1]}}"
    done = subprocess.run(["bash", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert words in done.stderr and len(done.stderr.splitlines()) <= 1


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_terminal_without_unicode_and_a_name_without_utf8_end_no_command(tmp_path, encoding):
    path = tmp_path / os.fsdecode(b"\xff\xe9 " + "猫".encode() + b".yaml")
    process = subprocess.run(
        [sys.executable, "-m", "lst_robust", "suites", path],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    refusal(process.returncode, process.stdout.decode(), process.stderr.decode(encoding), 2, "cannot be read")


def test_a_terminal_of_ascii_gets_a_table(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "lst_robust", "suites"],
        env=os.environ | {"PYTHONIOENCODING": "ascii", "COLUMNS": "40"},  # so narrow that names end in an ellipsis
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "digits-c" in done.stdout, done.stderr


def test_arrays_are_whole_or_not_there(run, tiny, mount):
    """After the disk was full no array stands at its place, and what is unfinished is not read as finished."""
    folder = mount("size=64k")
    asked = ("corrupt", "--suite", str(tiny), "--corruptions", "contrast", "--format", "npy")
    refused(run(*asked, str(folder / "out")), 3, "No space left on device")
    assert not (folder / "out" / "contrast.npy").exists()
    refused(run("corrupt", "--verify", str(folder / "out")), 3, "is not finished: run the command")
    enlarge(folder)
    assert run(*asked, str(folder / "out")).exit_code == 0
    assert np.load(folder / "out" / "contrast.npy").any(axis=(1, 2, 3)).all()
