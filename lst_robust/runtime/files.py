"""Writing files so that they are whole or as they were, writing to pipes and devices, and digests of files."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeGuard

from lst_robust.errors import DataError, UsageError

STDOUT, STDERR = 1, 2
NEW_FILE = 0o644  # permissions
BLOCK = 1 << 20  # bytes read at a time
MAX_LINKS = 40  # that lead from one to the next, as in Linux
PROC = Path("/proc")
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
REFUSED = {stat.S_IFDIR: "a folder", stat.S_IFBLK: "a block device", stat.S_IFSOCK: "a socket"}


class Target(NamedTuple):
    """What a path leads to, at the end of its links."""

    path: Path
    mode: int = 0  # `st_mode`; 0 where nothing is there yet
    stream: bool = False  # what is written to, and never replaced
    descriptor: int | None = None  # where the path stands for an open file of this process, as /dev/stdout does

    @property
    def is_stdout(self) -> bool:
        return self.descriptor == STDOUT


def require_file(path: Path) -> None:
    """To be called before a file is opened to be read. OSError for a pipe, a socket or a device, which might be waited
    for without end, and for a link that leads nowhere; their `strerror` says so."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise OSError(errno.ENOENT, "it is a link that leads nowhere", str(path)) from None
        raise
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "it is a pipe, a socket or a device, and no file", str(path))


def has_gone(error: BaseException | None) -> TypeGuard[OSError]:
    """Whether it says that a file is not there: never was, or another process, or another client of a file server, has
    removed it."""
    return isinstance(error, OSError) and error.errno in (errno.ENOENT, errno.ESTALE)


def write_output(path: Path, content: bytes) -> None:
    """Writes to whatever the path leads to. Every file of this package that a person can name is written by this.

    A regular file, or one that is not there yet, is whole or as it was: the content gets a temporary name beside it,
    is flushed to the disk, and is renamed. Links are followed, and the file at their end is replaced, which keeps its
    permissions. A pipe, a terminal and another character device are written to as they are, and so are the open files
    of this process (/dev/stdout, /dev/fd/3) and the file that standard output or error is redirected to.

    Raises DataError when the disk refuses, and for a folder, a block device or a socket; BrokenPipeError when a
    stream's reader has gone.
    """
    try:
        target = _target(path)
        if target.stream:
            _write_stream(target, content)
        else:
            _replace(target, content)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DataError(f"{path}: {not_written(error)}") from error


def write_unless_there(path: Path, content: bytes) -> bool:
    """Writes a file, whole, where none of that name is; returns whether it did. Of several processes only one does,
    where the file system has hard links.

    Raises DataError when the disk refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(path):
            return False
        with temporary_file(path, content) as temporary:
            return link_unless_there(temporary, path)
    except OSError as error:
        raise DataError(f"{path}: {not_written(error)}") from error


def link_unless_there(source: Path, path: Path) -> bool:
    """Gives a file a further name, or another one where the file system has no hard links; returns False where there is
    a file of that name. OSError when the disk refuses."""
    try:
        os.link(source, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if path.exists():  # nothing better can be done there: the lock must be one
            return False
        os.rename(source, path)
    return True


def not_written(error: OSError) -> str:
    """What to say of a file that the disk refuses."""
    return (
        f"cannot be written ({error.strerror}); what was finished before is kept: make room there, or choose a "
        "writable folder"
    )


def check_output(option: str, path: Path, *, regular: bool = False) -> Target:
    """What `path`, given as `option`, leads to. To be called before the work whose result is written there.

    Nothing is opened, which would wait for a pipe's reader. Raises UsageError where `write_output` would have to
    refuse, and for streams where it must be a `regular` file.
    """
    try:
        target = _target(path)
    except OSError as error:
        raise UsageError(
            f"{option} {str(path)!r}: cannot be written ({error.strerror}): choose another file"
        ) from error
    if regular and target.stream:
        raise UsageError(
            f"{option} {str(path)!r}: is no regular file, and what is written there is read again: choose another file"
        )
    return target


def _target(path: Path) -> Target:
    """Follows links. Raises OSError for what leads nowhere, such as links in a circle, and for what is not written to.

    What lies in /proc is a stream: its links to open files can be written to, but not followed by their text.
    """
    for _ in range(MAX_LINKS):
        path = Path(os.path.realpath(path.parent)) / path.name
        if path.is_relative_to(PROC) or not path.is_symlink():
            break
        path = path.parent / os.readlink(path)
    else:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    try:
        found = os.stat(path)
    except FileNotFoundError:
        if path.is_relative_to(PROC):  # where nothing can be made
            raise
        return Target(path)
    descriptor = _descriptor(path, found)
    kind = stat.S_IFMT(found.st_mode)
    if kind in REFUSED and not (kind == stat.S_IFSOCK and descriptor is not None):  # an open socket is a stream
        raise OSError(errno.EINVAL, f"it is {REFUSED[kind]}")
    stream = kind != stat.S_IFREG or descriptor is not None or path.is_relative_to(PROC)
    return Target(path, found.st_mode, stream, descriptor)


def _descriptor(path: Path, found: os.stat_result) -> int | None:
    """The number of this process's open file that a path stands for. OSError where that one is for reading only."""
    own = re.fullmatch(rf"{os.path.realpath(PROC / 'self')}(?:/task/\d+)?/fd/(\d+)", str(path))
    if own is not None:
        if fcntl.fcntl(int(own[1]), fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "it is open for reading only")
        return int(own[1])
    for descriptor in (STDOUT, STDERR) if stat.S_ISREG(found.st_mode) else ():
        with suppress(OSError):  # closed
            if os.path.samestat(found, os.fstat(descriptor)):
                return descriptor
    return None


def _write_stream(target: Target, content: bytes) -> None:
    if target.descriptor is None:
        descriptor = os.open(target.path, os.O_WRONLY | os.O_APPEND | os.O_NOCTTY)  # never makes or empties a file
    else:
        for said_before in (sys.stdout, sys.stderr):
            if said_before is not None:
                said_before.flush()
        descriptor = os.dup(target.descriptor)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _replace(target: Target, content: bytes) -> None:
    target.path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_file(target.path, content, target.mode) as temporary:
        os.replace(temporary, target.path)


@contextmanager
def temporary_file(path: Path, content: bytes, mode: int = 0) -> Iterator[Path]:
    """A file with the content beside `path`, flushed to the disk. It is removed, unless it has got another name within
    this. mode: its permissions, as `st_mode`; 0: the usual ones."""
    descriptor, name = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, stat.S_IMODE(mode) if mode else NEW_FILE)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Removes a file, if it is there; DataError where it cannot be."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be removed ({error.strerror}): remove it by hand") from error


def file_safe(name: str) -> str:
    """A model name as a folder name: anything but letters, digits, dot, dash and underscore becomes a dash."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "model"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal. Raises OSError where it cannot be read."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
