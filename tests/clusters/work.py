"""What the engines are given: a small network of a file, with weights, on twelve cells of the digits."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import yaml

from lst_robust.evaluation.request import EvalRequest
from lst_robust.models import create_model, save_checkpoint
from lst_robust.suites import suites_folder
from tests.clusters.slurm import until

CELLS = {"corruptions": ["gaussian_noise", "fog", "contrast"], "severities": [1, 2, 3, 5]}
ROOT = Path(__file__).parents[2]
COUNT = 13  # with the clean cell
NETWORK = '''"""A network of a file. Files beside this one change what it does, and not what it answers.

slow: whole batches take so many seconds longer. raises: the second network has an error in them.
"""

import time
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 5, 4), nn.ReLU(), nn.Flatten(), nn.Linear(196, classes))
        self.register_buffer("number", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) == 20 and (HERE / "slow").exists():
            time.sleep(float((HERE / "slow").read_text()))
        if len(x) == 20 and (HERE / "raises").exists() and self.number > 0:
            raise RuntimeError("out of patience")
        return self.layers(x)


def build(num_classes, image_size):
    return Net(num_classes)
'''
DRIVER = """
import logging
import sys
from contextlib import redirect_stdout
from functools import partial
from importlib import import_module
from pathlib import Path

from lst_robust.distribution import slurm
from tests.clusters.work import requests

if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    engine, results, at_once = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    module = import_module("lst_robust.distribution.run")
    module.BEGINNING, slurm.MOST_AT_A_TIME = 0.0, 6  # several jobs of Slurm, however short they are
    module.Workers = partial(module.Workers, least=0.0)  # the same for the other engines
    slurm.POLL, slurm.QUEUE = 0.2, 2.0  # quick looks
    if engine == "ray":
        from lst_robust.distribution.ray_cluster import RayExecutor
        executor = RayExecutor(sys.argv[4])
    elif engine == "slurm":
        from lst_robust.distribution.slurm import slurm_executor
        executor = slurm_executor(Path("jobs").absolute(), at_once, options={"time": "10", "cpus_per_task": "1"})
    else:
        executor = None
    with redirect_stdout(sys.stderr):  # as the command does it: Ray speaks on standard output
        evaluations = module.run(requests(Path.cwd(), results), executor, at_once=at_once)
        if executor is not None:
            executor.shutdown(wait=False)
    print(sum(one.measured for one in evaluations))
"""


def prepare(folder: Path) -> None:
    """Writes the network, its weights under two seeds, and the suite."""
    (folder / "net.py").write_text(NETWORK)
    data = yaml.safe_load((suites_folder() / "digits-c.yaml").read_text())
    data |= {"name": "tiny", "limit": 40, "batch_size": 20, "training": None, "normaliser": None}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(data))
    (folder / "driver.py").write_text(DRIVER)
    for seed in range(2):
        torch.manual_seed(seed)
        model = create_model(f"{folder / 'net.py'}:build", 10, image_size=32)
        model.number.fill_(seed)
        save_checkpoint(model, folder / f"{seed}.safetensors", classes=[str(digit) for digit in range(10)])


def requests(folder: Path, results: Path) -> list[EvalRequest]:
    """Two networks: the same with other weights."""
    return [
        EvalRequest.of(
            f"{folder / 'net.py'}:build",
            folder / "tiny.yaml",
            checkpoint=folder / f"{seed}.safetensors",
            results_dir=results,
            device="cpu",
            workers=1,
            **CELLS,
        )
        for seed in range(2)
    ]


def finished(results: Path) -> int:
    """Cells that are there in files of their own."""
    return sum(path.name != "run.json" for path in results.rglob("*.json"))


@contextmanager
def driver(engine: str, results: Path, at_once: int, *more: str) -> Iterator[subprocess.Popen[str]]:
    """The call of `run` in a process of its own, which may be killed, and is at the end. It works in the folder that
    holds the results."""
    process = subprocess.Popen(
        [sys.executable, "driver.py", engine, str(results), str(at_once), *more],
        cwd=results.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def some_are_finished(results: Path, count: int, seconds: float = 90) -> None:
    until(lambda: finished(results) >= count, seconds, f"{count} cells are finished")
