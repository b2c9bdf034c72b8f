"""A calculation: 1,000 networks on 512 GPUs. Where does the time go?

    python -m benchmarks.fleet          # half a minute; nothing is measured, no GPU is needed

The networks are drawn from torchvision's classifiers, with their multiply-accumulates and the size of their weights.
They are measured on `imagenet-c-generated`: 96 cells of 50,000 images. Cells are divided into tasks by `split`, with
the costs that `Costs` expects, and ordered by `Schedule`, as `eval --on` does it. Only the clock is simulated: what a
task really takes follows from the figures of `Assumed`, none of which was measured. Written to
results/published/fleet.csv.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pandas as pd
from torchvision import models

from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, Cell
from lst_robust.distribution.costs import RELATIVE, Costs, Size
from lst_robust.distribution.kept_networks import KeptNetworks
from lst_robust.distribution.planning import fitting
from lst_robust.distribution.run import BEGINNING
from lst_robust.distribution.schedule import Schedule, Ticket, pause_after
from lst_robust.distribution.slurm import MOST_AT_A_TIME
from lst_robust.distribution.split import shares, split
from lst_robust.evaluation.group import NETWORK_BYTES

TABLE = Path(__file__).parents[1] / "results" / "published" / "fleet.csv"
NETWORKS, GPUS, IMAGES, SIZE = 1000, 512, 50_000, 224
CELLS = [CLEAN_CELL, *(Cell(name, severity) for name in CORRUPTIONS for severity in range(1, 6))]


class Assumed(NamedTuple):
    """Figures of one GPU and its host. Each is an assumption."""

    macs_a_second: float = 20e12  # of the network, all of its passes: a sixth of what an A100 states for bf16
    corrupted_a_second: float = 10_000  # images, of the median corruption on the GPU
    decoded_a_second: float = 2_000  # JPEG files, by the cores of the host that belong to one GPU
    weights_a_second: float = 200e6  # bytes: read from the common file system, checked, and put on the GPU
    start_seconds: float = 20.0  # of a process: Python, torch, CUDA
    network_seconds: float = 1.0  # to build a network and to let it answer the probe images, besides its weights
    planned_a_second: float = 0.5  # networks, on the driver's CPU before the first task, besides their weights
    failing: float = 0.01  # of all attempts, at a drawn moment of them
    error_of_costs: float = 0.3  # sigma of the logarithm of what a network takes beside what is expected


class Network(NamedTuple):
    """factor: of its real speed, to what its multiply-accumulates say."""

    name: str
    size: Size
    factor: float


class Block(NamedTuple):
    """A task."""

    networks: tuple[Network, ...]
    cells: tuple[Cell, ...]


def drawn_networks(assumed: Assumed, rng: np.random.Generator) -> list[Network]:
    known = [models.get_model_weights(name).DEFAULT.meta for name in models.list_models(module=models)]
    factors = np.exp(rng.normal(0, assumed.error_of_costs, NETWORKS))
    chosen = rng.integers(0, len(known), NETWORKS)
    return [
        Network(f"network {number}", Size(known[which]["_ops"] * 1e9, int(known[which]["_file_size"] * 1e6)), factor)
        for number, (which, factor) in enumerate(zip(chosen, factors, strict=True))
    ]


def tasks_of(networks: Sequence[Network], most: int | None, least: float) -> list[tuple[Block, float]]:
    """As lst_robust.distribution.planning makes them of plans."""
    costs = Costs([])
    plan = SimpleNamespace(run=SimpleNamespace(digest="", protocol=SimpleNamespace(n=IMAGES, image_size=SIZE)))
    together = fitting(networks)
    work = [sum(costs.seconds(plan, cell, one.size) for one in group for cell in CELLS) for group in together]
    return [
        (Block(tuple(bundle), tuple(cells)), cost)
        for group, limit in zip(together, shares(most, work), strict=True)
        for bundle, cells, cost in split(
            group, CELLS, lambda one, cell: costs.seconds(plan, cell, one.size), GPUS, limit, least
        )
    ]


class Worker:
    """A GPU. keeps: whether its process, images and networks are there for the next task."""

    def __init__(self, assumed: Assumed, keeps: bool) -> None:
        self._assumed, self._keeps = assumed, keeps
        self._begun = False
        self._networks: KeptNetworks[Network] = KeptNetworks(NETWORK_BYTES)

    def seconds(self, task: Block) -> Counter[str]:
        """What a task takes here, by what takes it."""
        a, spent = self._assumed, Counter[str]()
        if not (self._begun and self._keeps):
            spent["starts of processes"] += a.start_seconds
            spent["images, decoded once a process"] += IMAGES / a.decoded_a_second
            self._networks.clear()
        self._begun = True
        self._networks.begin(network.name for network in task.networks)
        for network in task.networks:
            if self._networks.get(network.name) is None:
                spent["weights and probe images"] += network.size.bytes / a.weights_a_second + a.network_seconds
                self._networks.add(network.name, network, network.size.bytes)
        for cell in task.cells:
            spent["corruptions"] += IMAGES / a.corrupted_a_second * RELATIVE.get(cell.corruption, 1.0)
        macs = sum(one.size.macs * one.factor for one in task.networks)
        spent["networks"] += IMAGES * len(task.cells) * macs / a.macs_a_second
        return spent


def simulated(tasks: Sequence[tuple[Block, float]], assumed: Assumed, keeps: bool) -> tuple[float, Counter[str]]:
    """Seconds from the first task to the end of the last one, and GPU seconds by what takes them."""
    rng = np.random.default_rng(1)
    now = 0.0
    schedule = Schedule(tasks, clock=lambda: now)
    workers = [Worker(assumed, keeps) for _ in range(GPUS)]
    idle = list(range(GPUS))
    running: list[tuple[float, int, Ticket[Block] | None, bool]] = []  # None: the pause of a task is over
    spent = Counter[str]()
    while True:
        while idle and (ticket := schedule.next()) is not None:
            number = idle.pop()
            parts = workers[number].seconds(ticket.task)
            fails = rng.random() < assumed.failing
            took = sum(parts.values()) * (rng.random() if fails else 1.0)
            if fails:
                workers[number] = Worker(assumed, keeps)  # its process has gone
            spent.update({"attempts that fail": took} if fails else parts)
            heapq.heappush(running, (now + took, number, ticket, fails))
        if not running:
            break
        now, number, ticket, fails = heapq.heappop(running)
        if ticket is None:
            continue
        idle.append(number)
        if fails:
            schedule.fail(ticket, "drawn", again=True)
            heapq.heappush(running, (now + pause_after(ticket.attempt), GPUS + ticket.number, None, False))
        else:
            schedule.end(ticket)
    assert schedule.done == len(tasks), "three failures of one task are drawn: choose another seed"
    spent["no task left"] = GPUS * now - sum(spent.values())
    return now, spent


def column(networks: Sequence[Network], assumed: Assumed, slurm: bool) -> dict[str, float]:
    """One engine's part of the table: what was assumed, GPU hours by what takes them, and hours on the clock."""
    tasks = tasks_of(networks, MOST_AT_A_TIME if slurm else None, BEGINNING if slurm else 1.0)
    bytes_of_weights = sum(one.size.bytes for one in networks)
    planning = NETWORKS / assumed.planned_a_second + bytes_of_weights / assumed.weights_a_second
    took, spent = simulated(tasks, assumed, keeps=not slurm)
    if not slurm:  # whose jobs are not in the queue yet
        spent["all GPUs wait while the driver plans"] = GPUS * planning
    return {
        **{f"assumed: {name}": value for name, value in assumed._asdict().items()},
        "tasks": len(tasks),
        "hours of planning": planning / 3600,
        "hours": (planning + took) / 3600,
        **{f"GPU hours: {what}": seconds / 3600 for what, seconds in sorted(spent.items(), key=lambda pair: -pair[1])},
    }


def main() -> None:
    assumed = Assumed()
    networks = drawn_networks(assumed, np.random.default_rng(0))
    columns = {"ray": column(networks, assumed, slurm=False), "slurm": column(networks, assumed, slurm=True)}
    table = pd.DataFrame(columns).rename_axis("what").fillna(0.0)
    table.round(4).to_csv(TABLE)
    print(table.round(2).to_string())


if __name__ == "__main__":
    main()
