"""To which run a measurement belongs: an earlier one of the same network on the same images, or a new one.

A measurement goes on with an earlier run only when protocol and identity are equal and today's answers to the probe
images are those of that run, to rounding. Everything else is a run of its own, in a folder of its own, and a line says
why.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from lst_robust.benchmark import engine_option
from lst_robust.errors import DataError
from lst_robust.records.folder import run_file_of, run_folders
from lst_robust.records.migration import earlier_record
from lst_robust.records.record import Run
from lst_robust.records.run_file import RunFile
from lst_robust.records.store import Store
from lst_robust.runtime.file_lock import file_lock

logger = logging.getLogger(__name__)
SameAnswers = Callable[[np.ndarray, np.ndarray], bool]


def settle_run(store: Store, run: Run, answers: np.ndarray, same_answers: SameAnswers) -> RunFile:
    """The run, complete with the probe, that a measurement of `run` belongs to; its file is there afterwards.

    run: without a probe; answers: the network's to the probe images, float32 (images, classes); same_answers: whether
    two sets of answers are those of one network. A line is logged when it is a new run although there are earlier ones
    that look like it. Raises DataError when the disk refuses.
    """
    folder = store.model_folder(run)
    with file_lock(folder / ".run.lock", wait=True):  # of several processes that begin, one decides
        earlier = earlier_runs(folder)
        for found in earlier:
            known = found.probe_answers()
            if known is not None and without_probe(found.run) == run and same_answers(known, answers):
                return found
        new = RunFile.of(run, answers)
        begun = store.run_folder(new.run).is_dir()  # only its file was lost
        store.write_run_file(new)
    if not begun:
        for line in filter(None, (_why_new(run, earlier), _by_the_other_engine(store, run, earlier))):
            logger.info(line)
    return new


def earlier_runs(folder: Path) -> list[RunFile]:
    """The runs in a model's folder, sorted by path. Files that cannot be trusted are named by a warning."""
    found = []
    for run_folder in run_folders(folder):
        try:
            earlier = run_file_of(run_folder) or _of_earlier_release(run_folder)
        except DataError as error:
            logger.warning("%s; it is not used", error)
            continue
        if earlier is not None and run_folder.name.endswith(earlier.run.digest):
            found.append(earlier)
    return found


def without_probe(run: Run) -> Run:
    """The run as it is known before the network has answered."""
    return Run(run.protocol, run.model.model_copy(update={"probe": None}))


def _of_earlier_release(folder: Path) -> RunFile | None:
    """What the records of release 0.1 say of their run, which had no file of its own."""
    record = earlier_record(folder)
    return None if record is None else RunFile(protocol=record.protocol, model=record.model)


def _why_new(run: Run, earlier: Sequence[RunFile]) -> str | None:
    """Why a measurement does not go on with an earlier run that has its name, images and weights, if there is one."""
    alike = [found for found in earlier if _looks_like(found.run, run)]
    known = [found for found in alike if found.answers is not None]
    name, pixels = run.model.name, run.protocol.pixels
    if any(without_probe(found.run) == run for found in known):
        return (
            f"{name} gives other answers to the probe images than an earlier run with the same weights: its code has "
            "changed, so this is a run of its own"
        )
    if any(found.run.protocol == run.protocol for found in known):
        return (
            f"{name} has the weights of an earlier run, but is another network ({_differences(run, alike)}): this is "
            "a run of its own"
        )
    if any(found.run.protocol.pixels not in (None, pixels) for found in alike):
        return f"the images have the same names as in an earlier run of {name}, but other pixels: all is measured anew"
    if any(found.run.protocol.pixels is None for found in alike):
        return (
            f"the records of {name} from an earlier release do not say of which pixels they are: they are kept, and "
            "all is measured anew"
        )
    return None


def _by_the_other_engine(store: Store, run: Run, earlier: Sequence[RunFile]) -> str | None:
    """Says that cells of the same network and images are there which the other engine has corrupted: `auto` may have
    taken that one before, and a measurement of the engines changes what it takes."""
    for found in earlier:
        protocol = found.run.protocol
        option = engine_option(protocol.engine)
        same = protocol.model_copy(update={"engine": run.protocol.engine}) == run.protocol
        if (
            option in (None, engine_option(run.protocol.engine))
            or not same
            or without_probe(found.run).model != run.model
        ):
            continue
        if cells := len(store.load(found.run, quiet=True)):
            return f"{cells} cells of the engine {option} are there: --engine {option} goes on with them"
    return None


def _differences(run: Run, earlier: Sequence[RunFile]) -> str:
    """What of the network's identity is not as in the last of the earlier runs, in words."""
    words = {"options": "other options", "code": "its file has changed", "structure": "other modules or settings"}
    last = earlier[-1].run.model if earlier else run.model
    named = [text for field, text in words.items() if getattr(last, field) != getattr(run.model, field)]
    return ", ".join(named) or "another preprocessing"


def _looks_like(earlier: Run, run: Run) -> bool:
    """Whether two runs could be taken for one: the same images by name, seed of the noise, and weights."""
    first, second = earlier.protocol, run.protocol
    same_protocol = (first.images, first.suite_digest, first.seed) == (second.images, second.suite_digest, second.seed)
    same_weights = earlier.model.checkpoint_sha256 == run.model.checkpoint_sha256
    return same_protocol and same_weights and first.preprocess in (None, second.preprocess)
