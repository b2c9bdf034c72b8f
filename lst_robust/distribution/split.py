"""Cells of networks, divided into tasks: long ones first, and many short ones for the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

N = TypeVar("N")
C = TypeVar("C")

BEGINNING = 60.0  # seconds that a job of Slurm should work: it starts Python, and loads images and networks anew
ROUNDS = 2.0  # a task has at most this share of what is left for each worker: 1 / ROUNDS
AT_LEAST = 3  # tasks for each worker, where there are so many cells of so many networks


def split(
    networks: Sequence[N],
    cells: Sequence[C],
    cost: Callable[[N, C], float],
    workers: int,
    most: int | None = None,
    least: float = 0.0,
) -> list[tuple[list[N], list[C], float]]:
    """Blocks of networks and cells, each with its cost; together they are all cells of all networks.

    An image is corrupted once for all networks of a block, so the networks are divided only where there are too few
    cells for so many workers. A block costs at most half of the share that each worker has of what is left then (guided
    self-scheduling): the last ones are single cells, or cost `least`. `most` is how many blocks there may be.
    """
    if not networks or not cells:
        return []
    pieces = min(len(networks), math.ceil(AT_LEAST * workers / len(cells)))
    if most is not None:
        pieces = max(1, min(pieces, most // AT_LEAST))
    bundles = [list(networks[start::pieces]) for start in range(pieces)]
    units = [(bundle, cell, sum(cost(network, cell) for network in bundle)) for bundle in bundles for cell in cells]
    while True:
        blocks = _blocks(units, workers, least)
        if most is None or len(blocks) <= max(most, pieces):
            return blocks
        least = max(2 * least, sum(unit[2] for unit in units) / most)


def shares(most: int | None, costs: Sequence[float]) -> list[int | None]:
    """How many of `most` tasks each group of networks may have: as many as its part of the cost, and one at least."""
    total = sum(costs)
    return [most if most is None else max(int(most * cost / total), 1) if total else 1 for cost in costs]


def _blocks(
    units: Sequence[tuple[list[N], C, float]], workers: int, least: float
) -> list[tuple[list[N], list[C], float]]:
    """Units of one bundle after the other, in blocks that get smaller; least: what a block costs at least."""
    left = sum(cost for _, _, cost in units)
    blocks: list[tuple[list[N], list[C], float]] = []
    limit = 0.0
    for bundle, cell, cost in units:
        begun = blocks[-1] if blocks else None
        if begun is not None and begun[0] is bundle and begun[2] + cost <= limit:
            begun[1].append(cell)
            blocks[-1] = (bundle, begun[1], begun[2] + cost)
        else:
            limit = max(left / (ROUNDS * workers), least)
            blocks.append((bundle, [cell], cost))
        left -= cost
    return blocks
