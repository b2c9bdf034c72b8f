"""`feature_statistics`: the features of networks on clean and corrupted images, measured layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn
from typing_extensions import Unpack

from lst_robust.analysis.features import FeatureStatistics
from lst_robust.arguments import choice, finite_number, names, optional, yes_or_no
from lst_robust.benchmark import Cell
from lst_robust.evaluation.cell_images import CellImages
from lst_robust.evaluation.own_geometry import own_geometry
from lst_robust.evaluation.request import EvalRequest
from lst_robust.features.collector import Collector
from lst_robust.features.images import all_cells, open_images
from lst_robust.features.layers import STEPS, watched
from lst_robust.features.request import FeatureOptions, cells_of, checked_files, requests_for
from lst_robust.features.subject import Subject, as_untrained, subject_of, with_labels
from lst_robust.geometry import Geometry
from lst_robust.runtime.full_precision import full_precision
from lst_robust.runtime.prefetch import prefetch
from lst_robust.suites import Suite
from lst_robust.workflow import with_weights

AT_ONCE = 64  # images of all cells that go through a network together: more gain nothing, and take memory


def feature_statistics(
    models: str | nn.Module | Sequence[str | nn.Module],
    suite: str | Path | Suite = "digits-c",
    *,
    checkpoints: Sequence[str | Path | None] | None = None,
    images: Sequence[str | Path] | None = None,
    layers: Sequence[str] | None = None,
    step: Literal["input", "output", "bn"] = "output",
    untrained: bool = False,
    threshold: float = 0.1,
    **options: Unpack[FeatureOptions],
) -> FeatureStatistics:
    """How sparse the features of networks are, in which frequencies their energy lies, and how a corruption moves them.

    Looked at are the spatial transforms T_s of an LST-Net, and the convolutions larger than 1 x 1 of other networks
    (see `lst_robust.features.layers`). The networks run in their plain form; those that are passed stay as they are.

    Args:
        models: names, or networks: float32 (n, 3, H, W), normalised -> logits. A name may be there several times, with
            other checkpoints.
        suite: name, YAML file or `Suite`: says how images are cut, corrupted and normalised.
        checkpoints: one a model, in their order, files or "published:NAME"; None: an earlier training on the suite in
            `results_dir`.
        images: image files in place of the suite's test images.
        layers: numbers from 1, as texts, or names or patterns of names; default: all.
        step: the layers' "input", "output", or their output behind the BN that follows, "bn".
        untrained: also measure each structure with its initial weights.
        threshold: of the measure `small`.
        options: see `lst_robust.features.request.FeatureOptions`.

    Raises:
        UsageError: an argument that cannot be meant; raised before any work.
        DataError: images that are missing or damaged.
        CheckpointError: weights that are missing, unsafe or do not fit.
        NonFiniteError: a feature is NaN or infinite.
    """
    choice("step", step, STEPS)
    threshold = finite_number("threshold", threshold, least=0)
    words = optional(names, "layers", layers)
    also_untrained = yes_or_no("untrained", untrained)
    files = checked_files(images)
    requests = [with_weights(one) for one in requests_for(models, suite, checkpoints, files, options)]
    cells = cells_of(options)
    subjects = with_labels(_subjects(requests, files, words))
    if also_untrained:
        with full_precision(requests[0].device):  # they compute the statistics of their BNs
            subjects += [as_untrained(subject) for subject in subjects]
    collectors = [Collector(subject, cells, step, threshold) for subject in subjects]
    _measure(collectors, cells, requests[0])
    return FeatureStatistics(
        suite=requests[0].suite.name,
        step=step,
        threshold=threshold,
        ids=tuple(subjects[0].images.clean.ids),
        cells=cells,
        networks=tuple(collector.finished() for collector in collectors),
    )


def _subjects(
    requests: Sequence[EvalRequest], files: Sequence[Path] | None, words: Sequence[str] | None
) -> list[Subject]:
    """The networks. Those whose images are cut alike share them."""
    opened: dict[Geometry | None, CellImages] = {}
    subjects = []
    for request in requests:
        geometry = own_geometry(request)
        if geometry not in opened or files is not None:  # files have the classes of each network
            images = open_images(request, files)
            opened.setdefault(geometry, images)
        else:
            images = opened[geometry]
        subject = subject_of(request, images, words)
        subjects.append(subject.on(opened[geometry]))
    return subjects


def _measure(collectors: Sequence[Collector], cells: Sequence[Cell], request: EvalRequest) -> None:
    """Each image is loaded and corrupted once for all networks that share it."""
    sources = {id(one.subject.images): one.subject.images for one in collectors}
    loaders = {key: all_cells(images, cells) for key, images in sources.items()}
    n = len(next(iter(sources.values())).clean)
    size = max(1, min(request.batch_size, AT_ONCE) // len(cells))
    batches = [range(start, min(start + size, n)) for start in range(0, n, size)]

    def load(batch: range) -> dict[int, np.ndarray]:
        return {key: loader(batch) for key, loader in loaders.items()}

    observer = request.observer
    observer.start("features", n * len(collectors))
    with closing(prefetch(load, batches, request.workers)) as loaded, full_precision(request.device):
        for batch, images in zip(batches, loaded, strict=True):
            for collector in collectors:
                subject = collector.subject
                with (
                    torch.inference_mode(),
                    watched(subject.network, subject.layers, collector.step, collector.receive),
                ):
                    # each channel by itself in memory, as the measures want it
                    subject.network(subject.preprocess(images[id(subject.images)]).contiguous())
                collector.end_pass(len(batch))
                observer.advance(len(batch), f"{subject.label}, image {batch.stop} of {n}")
    observer.finish()
