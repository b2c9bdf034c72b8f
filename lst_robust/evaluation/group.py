"""Networks that are in memory at the same time, and measured in one pass over the images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lst_robust.evaluation.cell_images import CellImages, open_cell_images
from lst_robust.evaluation.measure import Measured, measure_together
from lst_robust.evaluation.own_geometry import own_geometry
from lst_robust.evaluation.plan import EvalPlan, Prepared, prepare
from lst_robust.evaluation.request import EvalRequest
from lst_robust.evaluation.turns import Turns
from lst_robust.geometry import Geometry
from lst_robust.records.record import Run
from lst_robust.runtime.portions import with_room

NETWORK_BYTES = 4 * 2**30
"""Weights that are in memory at the same time: about 40 networks of ResNet-50's size. Further networks are measured in
further passes, each of which corrupts the images anew."""
MOST_NETWORKS = 256
"""In memory at the same time: each holds an open file while a cell is measured, and often a process may have 1,024."""


class NetworkGroup:
    """Networks whose requests differ in nothing but the network. Those with the same image geometry share the images,
    each of which is loaded and corrupted once for all of them.

    going_on: whether a network that breaks down is left out and the others go on; otherwise its error is raised."""

    def __init__(self, *, going_on: bool = True) -> None:
        self.plans: list[EvalPlan] = []
        self._going_on = going_on
        self._turns = Turns()
        self._images: dict[Geometry | None, CellImages] = {}
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        in_memory = sum(plan.prepared is not None for plan in self.plans)
        return self._bytes >= NETWORK_BYTES or in_memory >= MOST_NETWORKS

    def prepare(self, request: EvalRequest) -> Prepared:
        """The network of a request in memory, with the images that it shares. Networks that are there already make room
        on the device if it has none left."""
        geometry = own_geometry(request)
        if geometry not in self._images:
            self._images[geometry] = open_cell_images(request, geometry)
        images, make_room = self._images[geometry], self._turns.make_room
        return with_room(lambda: prepare(request, images, make_room), make_room)

    def add(self, plan: EvalPlan) -> None:
        """A planned network. It stays in memory if it has cells to measure."""
        if plan.missing and plan.prepared is not None:
            runner = plan.prepared.runner
            self._turns.add(runner)
            self._bytes += sum(one.nbytes for one in (*runner.network.parameters(), *runner.network.buffers()))
        else:
            plan = replace(plan, prepared=None)
        self.plans.append(plan)

    def measure(self) -> Iterator[tuple[Run, Measured]]:
        """Measures what the plans miss, those with the same images together. The group is then empty, and the images of
        one geometry are let go before those of the next are decoded."""
        waiting = self._by_images()
        self.plans, self._images = [], {}
        while waiting:
            plans = waiting.pop(0)
            runs = [plan.run for plan in plans]
            yield from zip(runs, measure_together(plans, self._turns, going_on=self._going_on), strict=True)

    def _by_images(self) -> list[list[EvalPlan]]:
        complete = [[plan] for plan in self.plans if plan.prepared is None]
        sharing: dict[int, list[EvalPlan]] = {}
        for plan in self.plans:
            if plan.prepared is not None:
                sharing.setdefault(id(plan.prepared.images), []).append(plan)
        return [*complete, *sharing.values()]
