"""One evaluation by torchrun on two hosts, undisturbed and with a host that dies: the records of one process.

The hosts are two network namespaces, which see nothing of each other but a cable. Where none can be made, as without
root's rights, both agents of torchrun are on the loopback of this machine.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.clusters.same_results import differences, leftovers, outcomes
from tests.clusters.work import CELLS, COUNT, some_are_finished

NAMES = [f"lst-robust-{os.getpid()}-{host}" for host in (0, 1)]
ADDRESS = "10.211.77.{}"


class Host(NamedTuple):
    """enter: what comes before a command there; master: the address of the first host; interface: of the cable."""

    enter: tuple[str, ...]
    master: str
    interface: str


def ip(*words: str) -> bool:
    return subprocess.run(["ip", *words], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def hosts() -> Iterator[list[Host]]:
    if shutil.which("ip") is None or not all(ip("netns", "add", name) for name in NAMES):
        yield [Host((), "127.0.0.1", "lo")] * 2
        return
    try:
        peer = ("type", "veth", "peer", "name", "cable", "netns", NAMES[1])
        made = ip("link", "add", "cable", "netns", NAMES[0], *peer)
        for number, name in enumerate(NAMES):
            made &= ip("-n", name, "address", "add", f"{ADDRESS.format(number + 1)}/24", "dev", "cable")
            made &= ip("-n", name, "link", "set", "cable", "up") and ip("-n", name, "link", "set", "lo", "up")
        assert made, "two namespaces were made, and a cable between them was not"
        yield [Host(("ip", "netns", "exec", name), ADDRESS.format(1), "cable") for name in NAMES]
    finally:
        for name in NAMES:
            ip("netns", "delete", name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def agents(hosts: list[Host], work: Path, results: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """torchrun on both hosts, with one process each."""
    (work / "models.txt").write_text(
        "".join(f"{work}/net.py:build checkpoint={work}/{seed}.safetensors\n" for seed in range(2))
    )
    asked = ["-m", "@models.txt", "-s", "tiny.yaml", "--device", "cpu", "-j", "1", "--results-dir", str(results)]
    asked += ["--corruptions", ",".join(CELLS["corruptions"]), "--severities", ",".join(map(str, CELLS["severities"]))]
    port = str(free_port())
    started = []
    with ExitStack() as stack:
        for rank, host in enumerate(hosts):
            torchrun = ["-m", "torch.distributed.run", "--nnodes", "2", "--node-rank", str(rank)]
            torchrun += ["--nproc-per-node", "1", "--master-addr", host.master, "--master-port", port]
            process = subprocess.Popen(
                [*host.enter, sys.executable, *torchrun, "-m", "lst_robust", "eval", *asked],
                cwd=work,
                env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": host.interface},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(kill, process)
            started.append(process)
        yield started


def kill(agent: subprocess.Popen[str]) -> None:
    """The agent and all that it has started, as when its host loses power."""
    pids = [agent.pid]
    for pid in pids:
        try:
            pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        except OSError:
            continue
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def test_two_hosts_leave_the_records_of_one_process(work, hosts, undisturbed):
    with agents(hosts, work, work / "torchrun") as both:
        said = [agent.communicate(timeout=120)[0] for agent in both]
    assert [agent.returncode for agent in both] == [0, 0], said
    assert not differences(work / "torchrun", undisturbed) and not leftovers(work / "torchrun")
    spoken = "All values are percentages"
    assert spoken in said[0] and spoken not in said[1], "the first process speaks for both"


@pytest.mark.slow
@pytest.mark.parametrize("victim", (0, 1))
def test_a_host_that_dies_ends_the_other_and_the_same_call_goes_on(work, hosts, victim, undisturbed):
    results = work / "torchrun"
    (work / "slow").write_text("0.5")
    with agents(hosts, work, results) as both:
        some_are_finished(results, 3)
        kill(both[victim])
        (work / "slow").unlink()
        said = both[1 - victim].communicate(timeout=120)[0]
    assert both[1 - victim].returncode == 1, said
    before = outcomes(results)
    assert 3 <= len(before) < 2 * COUNT, "the one that lives measures its own share"
    with agents(hosts, work, results) as both:
        said = [agent.communicate(timeout=120)[0] for agent in both]
    assert [agent.returncode for agent in both] == [0, 0], said
    assert not differences(results, undisturbed) and not leftovers(results)
