"""Where the commands write their documents: to files, links, pipes and devices, which stay, and to standard output."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import Result

from lst_robust import evaluate, make_baseline, write_baseline
from lst_robust.cli.app import app
from lst_robust.suites import suites_folder
from tests.fixtures.commands import PUBLISHED

ALEXNET = ("-m", "alexnet", "--checkpoint", str(PUBLISHED / "alexnet.safetensors"))
DOCUMENTS = {  # a command, with OUT where its document goes, and words that it says to people beside it
    "table": ("table -s small.yaml --format md --out OUT", ""),
    "baseline": ("baseline write -s small.yaml --out OUT", "alexnet"),
    "check": ("check --baseline baseline.json -s small.yaml --github --junit OUT", "passed"),
    "eval": ("eval -m alexnet -s small.yaml --write-normaliser OUT", "mean corruption error"),
    "sheet": ("corrupt --sheet OUT photo.png --preset cifar", ""),
}
CHECKPOINTS = {
    "train": "train -m resnet20 -s small.yaml --out OUT.safetensors",
    "convert": f"convert {ALEXNET[-1]} OUT.safetensors -m alexnet",
}
OPTIONS = {"check": "--junit", "eval": "--write-normaliser", "sheet": "--sheet", "convert": "DST"}  # else --out


@pytest.fixture(scope="module")
def measured(tmp_path_factory, photographs) -> Path:
    """A folder with a suite of 20 digits, all records of a network on it, a baseline of them, and a photograph."""
    folder = tmp_path_factory.mktemp("measured")
    suite = yaml.safe_load((suites_folder() / "digits-c.yaml").read_text()) | {"name": "small", "limit": 20}
    suite["training"] |= {"epochs": 1, "max_steps": 2, "batch_size": 16}
    (folder / "small.yaml").write_text(yaml.safe_dump(suite))
    # Two steps of training: wrong nearly everywhere, as a normaliser must be.
    evaluate("alexnet", folder / "small.yaml", results_dir=folder / "results")
    write_baseline(make_baseline(folder / "results", suite=str(folder / "small.yaml")), folder / "baseline.json")
    Image.fromarray(photographs[0]).save(folder / "photo.png")
    return folder


@pytest.fixture
def document(run, measured, tmp_path, monkeypatch) -> Callable[..., Result]:
    """document("table", "FILE", ...) -> Result of the command that writes it there, in a folder with all it needs."""
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr("lst_robust.reporting.sheet.corrupt", lambda image, *_, **__: np.asarray(image))

    def call(name: str, out: str, *more: str) -> Result:
        asked = DOCUMENTS[name][0] if name in DOCUMENTS else CHECKPOINTS[name]
        return run(*(word.replace("OUT", out) for word in asked.split()), *more)

    return call


def refused(result: Result, *words: str) -> None:
    """A usage error of one line, and no work before it."""
    assert result.exit_code == 2, result.stderr
    assert result.stdout == "" and len(result.stderr.splitlines()) == 1 and result.stderr.startswith("error: ")
    assert all(word in result.stderr for word in words), result.stderr


@pytest.fixture
def written(document) -> Callable[[str], bytes]:
    """written("table") -> the document as a file."""

    def call(name: str) -> bytes:
        result = document(name, "file")
        assert result.exit_code == 0, result.stderr
        return Path("file").read_bytes()

    return call


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_dash_is_standard_output_which_is_exactly_the_document(document, written, name):
    result = document(name, "-")
    assert result.exit_code == 0, result.stderr
    assert result.stdout_bytes == written(name) != b""
    assert DOCUMENTS[name][1] in result.stderr
    assert not Path("-").exists()


@pytest.mark.parametrize("out", ["-", "link"])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_two_documents_on_standard_output_are_refused_before_the_work(run, tmp_path, name, out):
    """`link` is one as /dev/stdout. Nothing is there that the command would work on, which would be its error."""
    Path("link").symlink_to("/proc/self/fd/1")
    asked = DOCUMENTS[name][0].replace("OUT", out)
    refused(run(*asked.split(), "--json"), f"{OPTIONS.get(name, '--out')} {out!r}: --json prints", "give a file")


def test_a_file_may_be_called_a_dash(document):
    assert document("baseline", "./-", "--json").exit_code == 0
    assert Path("-").read_bytes() == Path("baseline.json").read_bytes()


def test_json_and_a_table_in_a_file_are_both_written(document, written):
    table = written("table")
    result = document("table", "other", "--json")
    assert Path("other").read_bytes() == table and result.stdout.startswith("[")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_pipe_gets_the_document_and_stays_a_pipe(document, written, name):
    os.mkfifo("pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(Path("pipe").read_bytes()), daemon=True)
    reader.start()
    assert document(name, "pipe").exit_code == 0
    assert stat.S_ISFIFO(Path("pipe").lstat().st_mode)
    reader.join()
    assert got == [written(name)]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_link_stays_and_its_target_gets_the_document(document, written, name):
    Path("folder").mkdir()
    Path("folder/target").write_bytes(b"old")
    Path("link").symlink_to("folder/target")
    assert document(name, "link").exit_code == 0
    assert Path("link").is_symlink() and Path("folder/target").read_bytes() == written(name)


def make_device(minor: int) -> int:
    """A character device of the test's own, named "device", as a descriptor: 3 takes all, 7 is always full."""
    try:
        os.mknod("device", stat.S_IFCHR | 0o666, os.makedev(1, minor))
        return os.open("device", os.O_WRONLY)
    except PermissionError:
        pytest.skip("device nodes need root, and a file system that is not mounted with nodev")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_device_stays_a_device(document, name):
    os.close(make_device(minor=3))
    result = document(name, "device")
    assert result.exit_code == 0, result.stderr
    assert stat.S_ISCHR(Path("device").lstat().st_mode)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_goes_through_links_to_a_file_or_a_new_one(document, name):
    assert document(name, "plain").exit_code == 0
    Path("link.safetensors").symlink_to("folder/new.safetensors")
    result = document(name, "link")
    assert result.exit_code == 0, result.stderr
    assert Path("link.safetensors").is_symlink()
    assert Path("folder/new.safetensors").read_bytes() == Path("plain.safetensors").read_bytes()


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_does_not_go_to_a_stream(document, name):
    os.mkfifo("pipe.safetensors")
    before = sorted(Path().iterdir())
    refused(document(name, "pipe"), "pipe.safetensors': is no regular file, and what is written there is read again")
    assert sorted(Path().iterdir()) == before
    assert stat.S_ISFIFO(Path("pipe.safetensors").lstat().st_mode)


def make_node(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFBLK | 0o666, os.makedev(60, 0))  # of no driver
    except PermissionError:
        pytest.skip("device nodes need root")


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def make_loop(path: Path) -> None:
    path.symlink_to(path)


REFUSED = {
    "a folder": (Path.mkdir, "it is a folder"),
    "a block device": (make_node, "it is a block device"),
    "a socket": (make_socket, "it is a socket"),
    "a loop": (make_loop, "symbolic links"),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", [*DOCUMENTS, *CHECKPOINTS])
def test_what_cannot_be_written_to_is_refused_before_the_work(document, name, kind):
    """Without the records, the baseline and the photograph, which would be the error of a command that works first."""
    make, words = REFUSED[kind]
    path = Path("there" if name in DOCUMENTS else "there.safetensors")
    make(path)
    for needed in ("results", "baseline.json", "photo.png"):
        shutil.move(needed, f"no-{needed}")
    before = path.lstat()
    refused(document(name, "there"), f"{OPTIONS.get(name, '--out')} '{path}': cannot be written (", words, "choose")
    assert os.path.samestat(path.lstat(), before) and not Path("results").exists()


@pytest.mark.parametrize("name", [*DOCUMENTS, *CHECKPOINTS])
def test_a_folder_on_the_way_that_is_a_file_is_refused_before_the_work(document, name):
    Path("a-file").write_bytes(b"")
    shutil.rmtree("results")
    refused(document(name, "a-file/new"), "cannot be written (Not a directory)")
    assert not Path("results").exists()


def forked(arguments: str, stdout: int | None) -> tuple[int, str]:
    """Exit code and stderr of a command in a fork of this process (a new one would first import for seconds)."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            os.dup2(os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            sys.stdout, sys.stderr = None, os.fdopen(2, "w")
            if stdout is None:
                os.close(1)
            else:
                os.dup2(stdout, 1)
                sys.stdout = os.fdopen(1, "w")
            app(arguments.split())
        except SystemExit as ended:
            code = ended.code
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), Path("said").read_text()


BASELINE = DOCUMENTS["baseline"][0]


def test_a_link_to_standard_output_is_written_to(document):
    """As /dev/stdout: the command's own words to people do not come between."""
    Path("link").symlink_to("/proc/self/fd/1")
    reader, writer = os.pipe()
    code, said = forked(BASELINE.replace("OUT", "link"), stdout=writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as stdout:
        assert stdout.read() == Path("baseline.json").read_bytes()
    assert code == 0 and "96 cells" in said
    assert Path("link").is_symlink()


@pytest.mark.parametrize("out", ["log", "link", "-"])
def test_standard_output_that_is_a_file_is_added_to(document, out):
    with Path("log").open("wb", buffering=0) as log:
        Path("link").symlink_to(f"/proc/self/fd/{log.fileno()}")
        log.write(b"before,")
        code, said = forked(BASELINE.replace("OUT", out), stdout=log.fileno())
        assert code == 0, said
        log.write(b"after")
    words = b"link\n" if out == "link" else b""  # that is an open file, but not standard output
    assert Path("log").read_bytes() == b"before," + Path("baseline.json").read_bytes() + words + b"after"


@pytest.mark.parametrize("out", ["pipe", "-"])
def test_a_reader_that_has_gone_ends_the_command_as_elsewhere(document, tmp_path, out):
    reader, writer = os.pipe()
    os.close(reader)
    Path("pipe").symlink_to(f"/proc/self/fd/{writer}")
    if out == "pipe":
        code, said = forked(BASELINE.replace("OUT", out), stdout=writer)
    else:  # a real process, as there is more to flush when it ends
        asked = [sys.executable, "-m", "lst_robust", *BASELINE.replace("OUT", out).split()]
        done = subprocess.run(asked, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
        code, said = done.returncode, done.stderr
    os.close(writer)
    assert (code, said) == (141, "")
    assert Path("pipe").is_symlink() and not Path("-").exists()


def test_standard_output_that_is_full_is_said_in_one_line(document):
    device = make_device(minor=7)
    answer = "error: standard output cannot be written (No space left on device): give a file\n"
    assert forked(BASELINE.replace("OUT", "-"), stdout=device) == (3, answer)
    os.close(device)


def test_standard_output_that_is_closed_cannot_take_a_document(document):
    answer = "error: --out -: standard output is closed: give a file\n"
    assert forked(BASELINE.replace("OUT", "-"), stdout=None) == (2, answer)


@pytest.mark.parametrize("name", ["table", "baseline write", "check", "eval", "corrupt"])
def test_the_help_tells_of_the_dash(run, name):
    assert "- is standard output" in " ".join(run(*name.split(), "--help", COLUMNS="300").stdout.split())
