"""Names of classes and labels of images, for confusions and examples: from the images where they are there, otherwise
from checkpoints and records."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np

from lst_robust.analysis.confusions import known_labels
from lst_robust.benchmark import CLEAN_CELL
from lst_robust.data import ImageSource
from lst_robust.data.imagenet_names import WNID
from lst_robust.errors import LstRobustError, one_line
from lst_robust.evaluation.cell_images import CellImages, open_cell_images
from lst_robust.evaluation.request import EvalRequest
from lst_robust.report.commands import NEEDS_NO_FOLDER, checkpoint_metadata
from lst_robust.report.measured import Measured
from lst_robust.report.request import ReportRequest

logger = logging.getLogger(__name__)
ANY_NETWORK = "resnet18"  # a request names one, on which its images do not depend


@dataclass(frozen=True)
class Classes:
    """names: of the classes, None where they are not known. labels: int64 (n,), see `known_labels`; None where no
    record holds predictions. images: those that were measured, None where they are not there."""

    names: tuple[str, ...] | None
    labels: np.ndarray | None
    images: CellImages | None = None
    why_no_images: str = ""

    def name(self, label: int) -> str:
        if self.names is not None and 0 <= label < len(self.names):
            name = self.names[label]
            return _imagenet_words().get(name, name) if WNID.fullmatch(name) else name
        return f"class {label}"


def classes_of(measured: Measured, request: ReportRequest) -> Classes:
    """request.data_dir: where the images are. Data sets that come with a package need none. Images that are not those
    that were measured are named by a warning, and not used."""
    images = _images(measured, request)
    if not isinstance(images, str):
        return Classes(images.clean.classes, images.clean.labels.astype(np.int64), images)
    runs = [run for network in measured.networks for run in network.runs]
    stated = (checkpoint_metadata(run.run, request.results_dir).get("classes") for run in runs)
    names = next((tuple(names) for names in stated if names), None)
    return Classes(names, known_labels(run.records for run in runs), why_no_images=images)


@cache
def _imagenet_words() -> dict[str, str]:
    """What ImageNet's classes are called, by their wnids: the first word, and the wnid as well where two classes share
    it. The words come with timm; empty without it."""
    try:
        from timm.data import ImageNetInfo
    except ImportError:
        return {}
    info = ImageNetInfo("imagenet-1k")
    first = {name: info.label_name_to_description(name).partition(",")[0] for name in info.label_names()}
    times = Counter(first.values())
    return {name: word if times[word] == 1 else f"{word} ({name})" for name, word in first.items()}


def _images(measured: Measured, request: ReportRequest) -> CellImages | str:
    """Or why they are not there."""
    suite, data_dir = measured.suite, request.data_dir
    if suite is None:
        return "its suite does not ship with the package: give its file with --suite"
    if data_dir is None and suite.dataset.kind not in NEEDS_NO_FOLDER:
        return "its images are not there: give them with --data-dir"
    protocol = measured.networks[0].runs[0].run.protocol
    official = protocol.protocol == "official"
    try:
        evaluation = EvalRequest.of(
            ANY_NETWORK,
            suite,
            data_dir=data_dir,
            corrupted_dir=request.corrupted_dir if official else None,
            corruptions=_of_cells(measured, "corruption") if official else None,
            severities=_of_cells(measured, "severity") if official else None,
            limit=protocol.n,
            seed=None if official else protocol.seed,
            subset=protocol.subset,
            engine="torch" if protocol.engine.startswith("lst-robust-torch ") else "cpu",
            results_dir=request.results_dir,
        )
        images = open_cell_images(evaluation)
        if _are_those_measured(images.clean, measured, evaluation.workers):
            return images
        reason = f"the images in {images.clean.place} are not those that were measured"
    except LstRobustError as error:
        reason = one_line(str(error))
    logger.warning("the images of %s are not used: %s", suite.name, reason)
    return reason


def _of_cells(measured: Measured, field: Literal["corruption", "severity"]) -> list[Any] | None:
    """The corruptions or severities that were measured: nobody needs to have other official files. None: only clean
    images were."""
    cells = {cell for network in measured.networks for run in network.runs for cell in run.records} - {CLEAN_CELL}
    return sorted({getattr(cell, field) for cell in cells}) or None


def _are_those_measured(clean: ImageSource, measured: Measured, workers: int) -> bool:
    """By their names, labels and pixels; earlier releases did not note the pixels."""
    protocol = measured.networks[0].runs[0].run.protocol
    if clean.fingerprint(protocol.image_size) != protocol.images:
        return False
    return protocol.pixels in (None, clean.pixels_digest(workers))
