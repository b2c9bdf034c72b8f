"""Takes networks through the cells that they lack: loads and corrupts each image once, and writes each record."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean
from typing import Any

from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import DataError, DeviceError, LstRobustError, NonFiniteError, reason_of
from lst_robust.evaluation.cell_feed import CellFeed
from lst_robust.evaluation.chunks import CHUNK_BYTES, batches_within, common_chunks, loaded_chunks
from lst_robust.evaluation.device_pass import DevicePass
from lst_robust.evaluation.plan import EvalPlan, Prepared
from lst_robust.evaluation.provenance import provenance
from lst_robust.evaluation.turns import Turns
from lst_robust.records.confidence import Outcomes
from lst_robust.records.record import make_record
from lst_robust.records.store import Store
from lst_robust.runtime.devices import device_errors, not_enough_memory
from lst_robust.runtime.process_group import Ranks
from lst_robust.runtime.progress import Observer

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class MeasuredNetwork:
    """A network with the plan of its cells, and what this rank has made of them so far.

    errors: top-1, in percent, of the wanted cells that are there; measured: how many of them this rank has measured;
    failed: cells that could not be measured; stopped: why the network takes no further part.
    """

    plan: EvalPlan
    prepared: Prepared
    errors: dict[Cell, float]
    measured: int = 0
    failed: dict[Cell, str] = field(default_factory=dict)
    stopped: str | None = None

    @property
    def name(self) -> str:
        return self.plan.run.model.name

    def running_result(self) -> str:
        corrupted = [error for cell, error in self.errors.items() if cell != CLEAN_CELL]
        clean = f"clean error {self.errors[CLEAN_CELL]:.2f} %" if CLEAN_CELL in self.errors else ""
        return clean + (f", mean corruption error so far {fmean(corrupted):.2f} %" if corrupted else "")


class Worker:
    """Measures one cell after the other, each for all networks that lack it.

    networks: with the very same images, all in memory; turns: of theirs on the device; going_on: whether a network that
    breaks down is left out, although it may be the only one here. Otherwise there is one, and its error is raised.
    """

    def __init__(
        self, networks: Sequence[MeasuredNetwork], turns: Turns, store: Store, observer: Observer, *, going_on: bool
    ) -> None:
        self.networks, self.turns, self.store, self.observer = networks, turns, store, observer
        self._going_on = going_on
        self.images, self.workers = networks[0].prepared.images, networks[0].plan.request.workers
        settings = networks[0].prepared.runner.settings
        self._device, self._on_device = settings.device, settings.on_device
        # A network that nobody waits for stays on the device: it would come back at once.
        alone = networks[0].prepared.runner if len(networks) == 1 else None
        make_room = partial(turns.make_room, but=alone)
        self._feed = CellFeed(self.images, settings.device, self.workers, make_room)  # clean images for all cells
        self._clean_is_sure = False  # that the clean images are those that were hashed

    def measure_share(self, ranks: Ranks) -> None:
        """This rank's share of the missing cells.

        A cell that another process is measuring comes last: mostly its record is there by then. No process waits for a
        cell while it holds another, so that two of them cannot wait for each other.
        """
        cells = list(dict.fromkeys(cell for network in self.networks for cell in network.plan.missing))
        lacking = {cell: [one for one in self.networks if cell in one.plan.missing] for cell in cells}
        waiting = deque((cell, lacking[cell], False) for cell in cells[ranks.rank :: ranks.world])
        self._start_observer(sum(len(networks) for _, networks, _ in waiting), ranks)
        while waiting:
            cell, networks, held_elsewhere = waiting.popleft()
            networks = [network for network in networks if network.stopped is None]
            with ExitStack() as claims:
                claimed = [
                    network
                    for network in networks
                    if claims.enter_context(self.store.claim(network.plan.run, cell, wait=held_elsewhere))
                ]
                missing = [network for network in claimed if not self._measured_by_another(network, cell)]
                if missing:
                    self._measure(cell, missing)
            waiting.extend((cell, [network], True) for network in networks if network not in claimed)
        self.observer.finish()

    def _start_observer(self, missing: int, ranks: Ranks) -> None:
        first, finished = self.networks[0], sum(len(network.errors) for network in self.networks)
        which = first.name if len(self.networks) == 1 else f"{len(self.networks)} networks"
        sharing = f" (its share of {ranks.world} processes)" if ranks.world > 1 else ""
        title = f"evaluating {which} on {first.plan.run.protocol.suite}{sharing}"
        self.observer.start(title, missing + finished, finished)

    def _measured_by_another(self, network: MeasuredNetwork, cell: Cell) -> bool:
        """Whether another process has written the record since the plan was made."""
        record = self.store.find(network.plan.run, cell)
        if record is None or not network.plan.counts(cell, record):
            return False
        if record.pixels != self.images.pixels_digest(cell, self.workers):
            return False
        network.errors[cell] = record.top1_error
        self._show(network, steps=1)
        return True

    def _measure(self, cell: Cell, networks: Sequence[MeasuredNetwork]) -> None:
        """Classifies all images of a cell, compares with their labels, and writes the records.

        Raises DataError when the files have changed since they were hashed, DeviceError when the device has vanished.
        """
        pixels = self.images.pixels_digest(cell, self.workers)
        with device_errors(self._device), self._room_for_images():
            found = self._outcomes(cell, networks)
        self._require_unchanged(cell, pixels, all_read=bool(found))
        for network, (outcomes, seconds) in found.items():
            how = provenance(
                network.prepared.runner.settings, network.prepared.transform, seconds, len(outcomes.correct)
            )
            record = make_record(network.plan.run, cell, outcomes, how, pixels)
            self.store.write(record)
            network.errors[cell] = record.top1_error
            network.measured += 1
            self._show(network)

    def _outcomes(
        self, cell: Cell, networks: Sequence[MeasuredNetwork]
    ) -> dict[MeasuredNetwork, tuple[Outcomes, float]]:
        if self._on_device:
            runners, clean = {network: network.prepared.runner for network in networks}, self.images.clean
            breaking = self._failing_alone if self._going_on else self._failing_cell
            device_pass = DevicePass(self._feed, self.turns, breaking, self.observer.advance)
            return device_pass.outcomes(cell, runners, clean.labels)
        return self._outcomes_together(cell, networks) if self._going_on else self._outcomes_alone(cell, networks[0])

    def _outcomes_alone(self, cell: Cell, network: MeasuredNetwork) -> dict[MeasuredNetwork, tuple[Outcomes, float]]:
        """Of a network that was asked for alone: its images are corrupted by the threads that classify them. {} where
        it failed."""
        started, parts = time.perf_counter(), list[Outcomes]()
        labels = self.images.clean.labels
        runner = network.prepared.runner
        try:
            with self.turns.turn(runner), closing(runner.outcomes(self.images.loader(cell), labels)) as outcomes:
                for part in outcomes:
                    parts.append(part)
                    self.observer.advance(len(part.correct) / len(labels))
        except NonFiniteError as error:
            self._fail(network, cell, error)
            return {}
        return {network: (Outcomes.concatenated(parts), time.perf_counter() - started)}

    def _outcomes_together(
        self, cell: Cell, networks: Sequence[MeasuredNetwork]
    ) -> dict[MeasuredNetwork, tuple[Outcomes, float]]:
        """Of each network that could classify all images, with its seconds: those that it took itself, and an equal
        share of those for loading."""
        begun = time.perf_counter()
        labels, size = self.images.clean.labels, self.images.clean.image_size
        batches = {network: network.prepared.runner.sizes.batches(len(labels)) for network in networks}
        chunks = common_chunks(list(batches.values()), CHUNK_BYTES // (size**2 * 3))
        parts: dict[MeasuredNetwork, list[Outcomes]] = {network: [] for network in networks}
        seconds = dict.fromkeys(networks, 0.0)
        with closing(loaded_chunks(self.images.loader(cell), chunks, size, self.workers, ahead=False)) as loaded:
            for chunk in loaded:
                for network in list(parts):
                    started, runner = time.perf_counter(), network.prepared.runner
                    own = batches_within(batches[network], chunk.positions)
                    classified = runner.outcomes(chunk.load, labels, own)
                    with self._failing_alone(network, cell, parts), self.turns.turn(runner), closing(classified):
                        parts[network] += classified
                    seconds[network] += time.perf_counter() - started
                    self.observer.advance(len(chunk.positions) / len(labels))  # its errors are no network's
                if not parts:
                    break
        loading = (time.perf_counter() - begun - sum(seconds.values())) / len(networks)
        return {network: (Outcomes.concatenated(found), seconds[network] + loading) for network, found in parts.items()}

    @contextmanager
    def _failing_alone(self, network: MeasuredNetwork, cell: Cell, parts: dict[MeasuredNetwork, Any]) -> Iterator[None]:
        """Whatever goes wrong in a network's code, within it, costs that network's cell, and the others go on. After
        anything but an output that is not finite the network takes no further part. A device that has vanished has for
        all."""
        try:
            with device_errors(self._device):
                yield
        except DeviceError:
            raise
        except Exception as error:  # the network's own code: anything can happen in it
            del parts[network]
            if isinstance(error, NonFiniteError):
                self._fail(network, cell, error)
                return
            network.stopped = reason_of(error)
            logger.warning("%s: %s; it is left out, and the others go on", network.name, network.stopped)

    @contextmanager
    def _failing_cell(self, network: MeasuredNetwork, cell: Cell, parts: dict[MeasuredNetwork, Any]) -> Iterator[None]:
        """Of a network that was asked for alone: only an output that is not finite costs no more than the cell."""
        try:
            yield
        except NonFiniteError as error:
            del parts[network]
            self._fail(network, cell, error)

    @contextmanager
    def _room_for_images(self) -> Iterator[None]:
        """What a device has no room for is one line; what a network needs has been halved before."""
        try:
            yield
        except RuntimeError as error:
            if not not_enough_memory(error):
                raise
            raise LstRobustError(
                f"{self._device} has not enough memory for the images of a cell: end other programs that use it, or "
                "take --device cpu"
            ) from error

    def _fail(self, network: MeasuredNetwork, cell: Cell, error: NonFiniteError) -> None:
        """Other cells of the network may be fine."""
        network.failed[cell] = str(error)
        whose = f"{network.name}: " if self._going_on else ""
        logger.warning("%s%s: %s; the cell is left out", whose, cell.name, error)

    def _require_unchanged(self, cell: Cell, pixels: str | None, *, all_read: bool) -> None:
        """The clean images are looked at once, because they are decoded once; official files after each cell.
        all_read: whether all images of the cell were decoded, which they are not where no network can go on."""
        images = self.images
        unchanged = images.pixels_digest(cell, self.workers) == pixels
        if not self._clean_is_sure:
            unchanged &= images.clean.pixels_digest(self.workers) == self.networks[0].plan.run.protocol.pixels
            self._clean_is_sure = all_read
        if not unchanged:
            raise DataError(
                f"the images of {images.clean.place} changed while {cell.name} was measured: wait until nobody writes "
                "there, and run again"
            )

    def _show(self, network: MeasuredNetwork, steps: float = 0) -> None:
        status = network.running_result()
        self.observer.advance(steps, status if len(self.networks) == 1 else f"{network.name}: {status}")
