"""Two ranks, as torchrun starts them, in all that can come of a cell: both return the same, and neither waits forever.

The second process gets the same request; what is compared is what each returns.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from lst_robust.benchmark import Cell
from lst_robust.evaluation.request import EvalRequest
from lst_robust.records.packed_files import PACKED
from lst_robust.runtime.process_group import process_group
from lst_robust.suites import Suite
from lst_robust.workflow import run_request, run_requests
from tests.fixtures.networks import PixelSum, Unsteady, classifier

ASKED = {"corruptions": ["brightness", "contrast", "fog"], "severities": [5]}


def evaluations(rank: int, port: int, suite: Suite, networks: list[nn.Module], folder: Path) -> list[dict[str, Any]]:
    """What a rank gets from one evaluation after the other, in one process group."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    steady, unsteady = networks
    calls = [
        (steady, {}),  # all of it
        (steady, {}),  # nothing is missing
        (steady, {"corruptions": ["contrast"], "severities": [4]}),  # one cell, so that one rank has none
        (steady, {"overwrite": True}),
        (unsteady, {}),  # a cell fails on one rank
        (unsteady, {}),  # only that one is missing
    ]
    returned = []
    with process_group():
        for network, options in calls:
            request = EvalRequest.of(network, suite, **{"results_dir": folder, "device": "cpu"} | ASKED | options)
            evaluation = run_request(request)
            returned.append(
                {
                    "measured": evaluation.measured,
                    "failed": evaluation.failed,
                    "correct": {cell: record.correct for cell, record in evaluation.records.items()},
                    "run": evaluation.run.digest,
                }
            )
    return returned


def together(rank: int, port: int, suite: Suite, folder: Path) -> dict[str, dict[Cell, str]]:
    """What a rank gets from three networks in one pass: name -> the outcome of each cell."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    three = [PixelSum(), classifier(nn.ReLU()), Unsteady()]
    requests = [EvalRequest.of(one, suite, results_dir=folder, device="cpu", **ASKED) for one in three]
    with process_group():
        return {
            one.run.model.name: {cell: record.correct for cell, record in one.records.items()} | one.failed
            for one in run_requests(requests)
        }


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.slow
def test_both_ranks_return_all_records_whatever_comes_of_a_cell(suite, model, unsteady, free_port, tmp_path):
    calls = [(rank, free_port, suite, [model, unsteady], tmp_path) for rank in (0, 1)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:  # which ends its processes when the time is over
        first, second = pool.starmap_async(evaluations, calls, chunksize=1).get(timeout=120)
    assert first == second
    assert [one["measured"] for one in first] == [4, 0, 1, 4, 3, 0]
    assert [len(one["correct"]) for one in first] == [4, 4, 2, 4, 3, 3]
    failed = [{}] * 4 + [{Cell("brightness", 5): "the network returned NaN or infinite logits"}] * 2
    assert [one["failed"] for one in first] == failed
    packed, loose = (
        sorted(path.name for path in (tmp_path / "digits-c" / name).rglob("*.*")) for name in ("PixelSum", "Unsteady")
    )
    assert [name for name in packed if not name.startswith((".", "n40"))] == [PACKED]
    assert [name for name in loose if name.endswith(".json")] == [
        "clean.json",
        "contrast-5.json",
        "fog-5.json",
        "run.json",
    ]


@pytest.mark.slow
def test_both_ranks_share_several_networks_as_they_share_one(suite, free_port, tmp_path):
    calls = [(rank, free_port, suite, tmp_path / "two") for rank in (0, 1)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        first, second = pool.starmap_async(together, calls, chunksize=1).get(timeout=120)
    assert first == second
    assert [len(outcomes) for outcomes in first.values()] == [4, 4, 4]
    for network in (PixelSum(), classifier(nn.ReLU())):
        alone = run_request(EvalRequest.of(network, suite, results_dir=tmp_path / "one", device="cpu", **ASKED))
        outcomes = {cell: record.correct for cell, record in alone.records.items()}
        assert first[alone.run.model.name] == outcomes
    assert first["Unsteady"][Cell("brightness", 5)] == "the network returned NaN or infinite logits"
