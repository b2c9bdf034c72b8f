"""What a path may lead to when something is written there: files, links, pipes, terminals, devices, open files."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import stat
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lst_robust.errors import DataError, UsageError
from lst_robust.runtime.files import check_output, file_safe, write_output

NULL, FULL = os.makedev(1, 3), os.makedev(1, 7)  # Linux: a device that takes all, and one that is always full
NO_DRIVER = os.makedev(60, 0)  # "local and experimental use": whoever opens it gets an error


@pytest.fixture
def pipe(tmp_path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.fixture
def device(tmp_path) -> Callable[[int, int], Path]:
    """device(kind, number) -> a node of the test's own; skips where it cannot be made, or opened where it should be."""

    def make(kind: int, number: int) -> Path:
        path = tmp_path / "device"
        try:
            os.mknod(path, kind | 0o666, number)
            if kind == stat.S_IFCHR:
                os.close(os.open(path, os.O_WRONLY))
        except PermissionError:
            pytest.skip("device nodes need root, and a file system that is not mounted with nodev")
        return path

    return make


@pytest.fixture
def link_to(tmp_path) -> Iterator[Callable[[int], Path]]:
    """link_to(descriptor) -> a link as /dev/stdout is one; closes the descriptor at the end."""
    opened: list[int] = []

    def make(descriptor: int) -> Path:
        opened.append(descriptor)
        (tmp_path / "link").symlink_to(f"/proc/self/fd/{descriptor}")
        return tmp_path / "link"

    yield make
    for descriptor in opened:
        os.close(descriptor)


def received(descriptor: int) -> bytes:
    """All that is in a pipe or a terminal now."""
    os.set_blocking(descriptor, False)
    return os.read(descriptor, 1 << 16)


def test_a_pipe_gets_the_content_and_stays_a_pipe(pipe):
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_output(pipe, b"content")
    assert received(reader) == b"content"
    assert stat.S_ISFIFO(pipe.lstat().st_mode) and list(pipe.parent.iterdir()) == [pipe]
    os.close(reader)


def test_a_pipe_gets_more_than_it_holds(pipe):
    content, got = os.urandom(1 << 20), []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_output(pipe, content)
    assert stat.S_ISFIFO(pipe.lstat().st_mode), "else the reader waits for ever"
    reader.join()
    assert got == [content]


def test_ctrl_c_ends_the_wait_for_a_pipes_reader(pipe, monkeypatch):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    ctrl_c = threading.Timer(0.2, signal.pthread_kill, (threading.get_ident(), signal.SIGINT))
    opened = os.open

    def opening(*arguments: object) -> int:
        ctrl_c.start()
        return opened(*arguments)

    monkeypatch.setattr(os, "open", opening)
    try:
        with pytest.raises(KeyboardInterrupt):
            write_output(pipe, b"content")
    finally:
        ctrl_c.cancel()
        signal.signal(signal.SIGINT, before)


def test_a_reader_that_has_gone_is_no_fault_of_the_disk(link_to):
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        write_output(link_to(writer), b"content")


def test_a_character_device_is_written_to_and_stays(device):
    path = device(stat.S_IFCHR, NULL)
    write_output(path, b"content")
    assert stat.S_ISCHR(path.lstat().st_mode) and path.lstat().st_rdev == NULL
    assert list(path.parent.iterdir()) == [path]


def test_a_device_that_is_full_says_so(device):
    with pytest.raises(DataError, match=r"device: cannot be written \(No space left on device\); .* make room"):
        write_output(device(stat.S_IFCHR, FULL), b"content")


def test_a_terminal_is_written_to(link_to):
    screen, terminal = os.openpty()
    attributes = termios.tcgetattr(terminal)
    attributes[1] &= ~termios.OPOST  # line ends as they are written
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)
    path = link_to(terminal)
    write_output(path, b"content\n")
    assert received(screen) == b"content\n" and path.is_symlink()
    os.close(screen)


@pytest.mark.parametrize("exists", [True, False], ids=["a file", "nothing yet"])
def test_links_are_followed_and_stay(tmp_path, exists):
    """A chain of a relative link in a folder that is itself a link, a relative one and an absolute one."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "alias").symlink_to("folder")
    target = tmp_path / "target" if exists else tmp_path / "new" / "target"
    (tmp_path / "folder" / "third").symlink_to(Path("..") / target.relative_to(tmp_path))
    (tmp_path / "second").symlink_to("alias/third")
    (tmp_path / "first").symlink_to(tmp_path / "second")
    if exists:
        target.write_bytes(b"old")
        target.chmod(0o640)
    check_output("--out", tmp_path / "first", regular=True)
    assert target.exists() == exists
    write_output(tmp_path / "first", b"new")
    assert target.read_bytes() == (tmp_path / "first").read_bytes() == b"new" and not target.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == (0o640 if exists else 0o644)
    assert [(tmp_path / name).is_symlink() for name in ("first", "second", "alias", "folder/third")] == [True] * 4
    assert list(target.parent.glob(".tmp-*")) == []


def test_a_folder_that_is_a_link_to_nothing_is_made(tmp_path):
    (tmp_path / "alias").symlink_to("new")
    write_output(tmp_path / "alias" / "file", b"content")
    assert (tmp_path / "new" / "file").read_bytes() == b"content"


def test_the_target_of_a_link_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)

    def full(*_: object) -> None:
        assert list(target.parent.glob(".tmp-*")), "in the target's folder, from where it can be renamed"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left"):
        write_output(link, b"new")
    assert link.is_symlink() and target.read_bytes() == b"old" and list(target.parent.iterdir()) == [target]


def test_an_open_file_is_written_to_where_it_stands(tmp_path, link_to):
    """As /dev/fd/3 of `3>> log`: renaming over it would give the content another name, opening it anew empty it."""
    log = tmp_path / "log"
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, b"before,")
    path, inode = link_to(descriptor), log.stat().st_ino
    write_output(path, b"content,")
    os.write(descriptor, b"after")
    assert log.read_bytes() == b"before,content,after" and log.stat().st_ino == inode and path.is_symlink()


def test_an_open_file_of_another_process_is_added_to(tmp_path):
    log = tmp_path / "log"
    with log.open("wb") as file, subprocess.Popen(["sleep", "60"], stdout=file) as process:
        file.write(b"before,")
        file.flush()
        (tmp_path / "link").symlink_to(f"/proc/{process.pid}/fd/1")
        write_output(tmp_path / "link", b"content")
        process.kill()
    assert log.read_bytes() == b"before,content" and (tmp_path / "link").is_symlink()


def test_an_open_socket_is_a_stream(link_to):
    here, there = socket.socketpair()
    write_output(link_to(here.detach()), b"content")
    there.setblocking(False)
    assert there.recv(100) == b"content"
    there.close()


REDIRECTED = """
import sys
from pathlib import Path
from lst_robust.runtime.files import write_output

said = getattr(sys, sys.argv[1])
said.write("before,")
write_output(Path("log"), b"content,")
said.write("after")
"""


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_the_file_that_a_stream_is_redirected_to_is_not_replaced(tmp_path, stream):
    with (tmp_path / "log").open("wb") as log:
        asked = [sys.executable, "-c", REDIRECTED, stream]
        subprocess.run(asked, cwd=tmp_path, check=True, **{stream: log})
    assert (tmp_path / "log").read_bytes() == b"before,content,after"


def make_folder(path: Path) -> None:
    path.mkdir()


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)  # short enough: the working folder is the path's


def make_loop(path: Path) -> None:
    path.symlink_to("other")
    path.with_name("other").symlink_to(path.name)


def make_closed(path: Path) -> None:
    path.symlink_to("/proc/self/fd/999999")


REFUSED = {
    "a folder": (make_folder, "it is a folder"),
    "a link to a folder": (lambda path: path.symlink_to("."), "it is a folder"),
    "a socket": (make_socket, "it is a socket"),
    "a loop of links": (make_loop, "Too many levels of symbolic links"),
    "no open file": (make_closed, "No such file or directory"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_written_is_refused_before_the_work_and_after_it(tmp_path, monkeypatch, name):
    make, words = REFUSED[name]
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "path"
    make(path)
    left_alone(path, words)


def left_alone(path: Path, words: str) -> None:
    before = path.lstat()
    with pytest.raises(UsageError, match=rf"--out '.*{path.name}': cannot be written \({words}\): choose another"):
        check_output("--out", path)
    with pytest.raises(DataError, match=rf"{path.name}: cannot be written \({words}\);"):
        write_output(path, b"content")
    assert os.path.samestat(path.lstat(), before)


def test_a_block_device_is_refused_and_left_alone(device):
    left_alone(device(stat.S_IFBLK, NO_DRIVER), "it is a block device")


def test_a_file_that_is_open_for_reading_only_is_refused(tmp_path, link_to):
    (tmp_path / "input").write_bytes(b"input")
    left_alone(link_to(os.open(tmp_path / "input", os.O_RDONLY)), "it is open for reading only")
    assert (tmp_path / "input").read_bytes() == b"input"


@pytest.mark.parametrize("below", ["x", "new/x"])
def test_a_folder_on_the_way_that_is_a_file_is_noticed_before_the_work(tmp_path, below):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="Not a directory"):
        check_output("--out", tmp_path / "file" / below)


def test_the_check_makes_and_opens_nothing(tmp_path, pipe, link_to, monkeypatch):
    reader, writer = os.pipe()
    streams = [pipe, link_to(writer)]

    def opened(*_: object, **__: object) -> None:
        raise AssertionError

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", opened)
        patched.setattr("builtins.open", opened)
        for path in streams:
            assert check_output("--out", path).stream
            with pytest.raises(UsageError, match="is no regular file, and what is written there is read again"):
                check_output("--out", path, regular=True)
        assert not check_output("--out", tmp_path / "new" / "file", regular=True).stream
    assert not (tmp_path / "new").exists()
    fcntl.fcntl(writer, fcntl.F_GETFD)  # still open
    os.close(reader)


def test_a_device_is_no_place_for_what_is_read_again(device):
    path = device(stat.S_IFCHR, NULL)
    assert check_output("--out", path).stream
    with pytest.raises(UsageError, match="is no regular file"):
        check_output("--out", path, regular=True)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_output(path, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left"):
        write_output(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_model_names_become_safe_folders():
    assert file_safe("torchvision:resnet50") == "torchvision-resnet50"
    assert file_safe("../../etc/passwd") == "etc-passwd"
    assert file_safe("...") == "model"
