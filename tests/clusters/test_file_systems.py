"""Two processes on one results folder, on file systems with locks and on those that only pretend to have some.

Each process has a mount of its own, where the file system allows two. As root only, and where the programs are there.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clusters.same_results import differences, leftovers
from tests.clusters.work import ROOT

pytestmark = pytest.mark.slow
SFTP = Path("/usr/lib/openssh/sftp-server")
WORK = """
import sys
from pathlib import Path
from lst_robust.workflow import run_requests
from tests.clusters.work import requests
print(sum(one.measured for one in run_requests(requests(Path.cwd(), Path(sys.argv[1])))))
"""


def commands(name: str, folder: Path) -> list[list[str]]:
    """What mounts the folder's `a`, and its `b` where there are two."""
    real, server = folder / "real", folder / "server"
    for path in (real, folder / "a", folder / "b", folder / "lower", folder / "work"):
        path.mkdir()
    if name == "tmpfs":
        return [["mount", "-t", "tmpfs", "none", str(folder / "a")]]
    if name == "overlayfs":
        layers = f"lowerdir={folder / 'lower'},upperdir={real},workdir={folder / 'work'}"
        return [["mount", "-t", "overlay", "overlay", "-o", layers, str(folder / "a")]]
    if name == "bindfs":
        return [["bindfs", str(real), str(folder / mount)] for mount in "ab"]
    server.write_text(f"#!/bin/sh\nexec {SFTP}\n")
    server.chmod(0o755)
    return [["sshfs", "-o", f"ssh_command={server}", f"here:{real}", str(folder / mount)] for mount in "ab"]


@pytest.fixture(params=("tmpfs", "overlayfs", "bindfs", "sshfs"))
def mounts(request, tmp_path) -> Iterator[list[Path]]:
    """For each of two processes the folder that it sees."""
    name = request.param
    if name == "sshfs" and not SFTP.exists():
        pytest.skip(f"{SFTP} is missing")
    mounted: list[Path] = []
    try:
        for command in commands(name, tmp_path):
            if shutil.which(command[0]) is None or subprocess.run(command, capture_output=True).returncode:
                pytest.skip(f"{name} cannot be mounted here")
            mounted.append(Path(command[-1]))
        yield mounted * 2 if len(mounted) == 1 else mounted
    finally:
        for path in mounted:
            subprocess.run(["umount", str(path)], check=True)


def both_get_the_lock(mounts: list[Path]) -> bool:
    with (mounts[0] / "lock").open("w") as first, (mounts[1] / "lock").open("w") as second:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_two_processes_leave_the_records_of_one(work, mounts, undisturbed):
    pretends = both_get_the_lock(mounts)
    assert pretends == (mounts[0] != mounts[1]), "the table in docs/cluster.md says so"
    evaluate(mounts)
    assert not differences(mounts[0] / "results", undisturbed)
    if pretends:  # the file of a cell that one has measured after the other had packed it waits for the next call
        evaluate(mounts[:1])
        assert not differences(mounts[0] / "results", undisturbed)
    assert not leftovers(mounts[0] / "results")


def evaluate(mounts: list[Path]) -> None:
    """A process on each mount, all at the same time."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORK, str(mount / "results")],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for mount in mounts
    ]
    for process in processes:
        errors = process.communicate(timeout=120)[1]
        assert process.returncode == 0, errors
