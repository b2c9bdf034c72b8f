"""The ranks of torchrun: who speaks, what all of them agree on, and what a rank that is left alone says."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable

import pytest

from lst_robust.errors import LstRobustError, UsageError
from lst_robust.runtime.process_group import Ranks, process_group
from lst_robust.runtime.rank import is_leader

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_one_process_is_the_leader_and_agrees_with_itself():
    assert is_leader()
    with process_group() as ranks, process_group() as inner:
        assert ranks == inner == Ranks(0, 1) and ranks.leader
        assert ranks.total([3, 4]) == [3, 4]
        assert ranks.gather("cells") == ["cells"]
        ranks.wait()


@pytest.mark.parametrize(("rank", "leads"), [("0", True), ("1", False)])
def test_rank_0_of_torchrun_speaks(monkeypatch, rank, leads):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert is_leader() == leads


@pytest.mark.parametrize("missing", ["RANK", "MASTER_ADDR", "MASTER_PORT"])
def test_half_of_torchruns_variables_is_a_usage_error(monkeypatch, missing):
    complete = {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    for name in complete.keys() - {missing}:
        monkeypatch.setenv(name, complete[name])
    with pytest.raises(UsageError, match=f"{missing} is not set: start the ranks with torchrun"), process_group():
        pass


def two_ranks(work: Callable[[Ranks], object]) -> list[int]:
    """Exit codes of two forks of this process that join a group and do `work` in it: 0, or 3 for an expected error."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pids = []
    for rank in range(2):
        pid = os.fork()
        if pid == 0:
            code = 99
            try:
                os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
                os.environ["MASTER_PORT"] = str(port)
                with process_group() as ranks:
                    work(ranks)
                code = 0
            except LstRobustError as error:
                code = 3 if "another of the 2 processes has gone" in str(error) else 98
            finally:
                os._exit(code)
        pids.append(pid)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def test_two_ranks_add_up_and_gather():
    def work(ranks: Ranks) -> None:
        assert ranks.world == 2
        assert ranks.total([1, 10 * ranks.rank]) == [2, 10]
        assert ranks.gather({"rank": ranks.rank}) == [{"rank": 0}, {"rank": 1}]
        with process_group() as inner:  # is the same
            assert inner == ranks

    assert two_ranks(work) == [0, 0]


def test_the_end_of_a_group_does_not_wait_for_a_thread_that_waits_for_the_interpreter():
    """With torch 2.4 it did, for ever, where a thread of gloo still held a tensor that Python had let go of."""

    def work(ranks: Ranks) -> None:
        import torch
        from torch import distributed

        signal.alarm(60)  # ends it: a fork has none of the threads of faulthandler
        sys.setswitchinterval(1000)  # no thread gets the interpreter's lock from one that does not let go of it
        distributed.all_reduce(torch.ones(1_000_000))

    assert [two_ranks(work) for _ in range(5)] == [[0, 0]] * 5


def test_a_rank_whose_fellow_has_gone_says_so():
    def work(ranks: Ranks) -> None:
        ranks.wait()
        if ranks.rank == 1:
            os._exit(7)
        ranks.gather("are you there?")

    assert two_ranks(work) == [3, 7]
