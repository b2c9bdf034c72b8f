"""Parameters and multiply-accumulates of measured networks, where they can be built again as they were."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from lst_robust.analysis.networks import MeasuredNetwork
from lst_robust.errors import DataError
from lst_robust.records.folder import run_file_of
from lst_robust.records.indexed import numbers_of
from lst_robust.records.numbers import CellNumbers
from lst_robust.records.record import Record, Run
from lst_robust.records.store import Store
from lst_robust.report.commands import checkpoint_of
from lst_robust.suites import Suite

logger = logging.getLogger(__name__)
BUILDABLE = ("torchvision", "timm")  # from elsewhere; a hub or a user's file is not asked again


class Size(NamedTuple):
    """params: trained numbers. macs: multiply-accumulates of convolutions and linear layers for one image."""

    family: str
    params: int | None
    macs: int | None


def size_of(network: MeasuredNetwork, results_dir: Path) -> Size:
    """Counted on the checkpoint with these weights, where it is in the results folder. Otherwise on a network that is
    built anew: it must have the structure that the record names, or the counts are not known, and None."""
    from lst_robust.models import model_info

    run, suite = network.runs[0].run, network.runs[0].suite
    source, colon, _ = run.model.name.partition(":")
    if colon and source not in BUILDABLE:
        return Size(source if not source.endswith(".py") else "file", None, None)
    try:
        family = model_info(run.model.name).family
        return Size(family, *_counted(run, suite, results_dir))
    except Exception as error:  # a library that is not there today, a network that it no longer has, ...
        logger.debug("no counts of %s: %s", run.model.name, error)
        return Size(source if colon else "", None, None)


def images_per_second(network: MeasuredNetwork) -> float:
    """The median over all cells of all its trainings, with corruption and decoding, as measured at the time."""
    return median(found.provenance.images_per_second for found in _numbers(network))


def devices(networks: Sequence[MeasuredNetwork]) -> list[str]:
    return sorted({found.provenance.device for network in networks for found in _numbers(network)})


def _numbers(network: MeasuredNetwork) -> list[Record | CellNumbers]:
    """Of all cells of all its trainings."""
    return [found for run in network.runs for found in numbers_of(run.records).values()]


def _counted(run: Run, suite: Suite | None, results_dir: Path) -> tuple[int | None, int | None]:
    geometry = run.model.geometry or run.protocol.geometry
    size = geometry.size if geometry else run.protocol.image_size
    if (checkpoint := checkpoint_of(run, results_dir)) is not None:
        return _of_checkpoint(run.model.name, checkpoint, size)
    by_suite = tuple(sorted(suite.model_options.items())) if suite else ()
    options = tuple(sorted(run.model.options.items()))
    return _counts(run.model.name, options, by_suite, run.model.structure, _classes(run, results_dir), size)


@cache
def _of_checkpoint(name: str, checkpoint: Path, size: int) -> tuple[int, int]:
    """Of the file with these very weights, which knows how its network is built."""
    from lst_robust.models.checkpoint import read_metadata

    metadata = read_metadata(checkpoint)
    return _count(name, metadata["num_classes"], size, tuple(sorted(metadata["options"].items())))


@cache
def _count(name: str, classes: int, size: int, options: tuple[tuple[str, object], ...]) -> tuple[int, int]:
    """From the file of counts where the network is built as that file has it, otherwise counted now."""
    from lst_robust.models import model_info
    from lst_robust.models.profile import count_anew, count_named

    entry = model_info(name)
    is_usual = (entry.num_classes, entry.input_size) == (classes, size) and dict(options) == dict(entry.options or {})
    found = count_named(name) if is_usual else count_anew(name, num_classes=classes, image_size=size, **dict(options))
    return found.params, found.macs


@cache
def _counts(
    name: str,
    options: tuple[tuple[str, object], ...],
    suite_options: tuple[tuple[str, object], ...],
    structure: str | None,
    classes: int | None,
    size: int,
) -> tuple[int | None, int | None]:
    import torch

    from lst_robust.evaluation.identity.structure import structure_digest
    from lst_robust.models import create_model, fitting_options

    if structure is None or classes is None:
        return None, None
    chosen = {**fitting_options(name, dict(suite_options)), **fitting_options(name, dict(options))}
    chosen.pop("weights", None)
    with torch.random.fork_rng(devices=[]):
        model = create_model(name, classes, image_size=size, **chosen)
    if structure_digest(model) != structure:
        return None, None
    config: Any = model.config
    return _count(name, classes, size, tuple(sorted(config.options.items())))


def _classes(run: Run, results_dir: Path) -> int | None:
    """How many classes the network tells apart, which its answers to the probe images say."""
    try:
        found = run_file_of(Store(results_dir).run_folder(run))
    except DataError:
        return None
    return None if found is None else found.classes
