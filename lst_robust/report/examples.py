"""Images that networks got wrong because of a corruption, with what each of them said: the worst ones first."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from lst_robust.analysis.networks import MeasuredNetwork
from lst_robust.benchmark import CLEAN_CELL, Cell, label_of
from lst_robust.errors import LstRobustError, one_line
from lst_robust.report.classes import Classes
from lst_robust.report.measured import Measured
from lst_robust.reporting.columns import corruption_columns
from lst_robust.reporting.page.content import Answer, Example, ExampleGroup
from lst_robust.reporting.page.thumbnails import FEW_PIXELS

SEVERITY = 3  # in the middle; where it was not measured, the highest one that was
EXAMPLES = 4  # of a corruption
MOST_NETWORKS = 8  # whose answers stand beside an image
THUMBNAIL = 128  # pixels, of larger images


class _Said(NamedTuple):
    """What a network said in two cells: its classes, int64 (n,), with their confidences, float (n,)."""

    name: str
    clean: np.ndarray
    corrupted: np.ndarray
    confidence: np.ndarray
    flipped: np.ndarray  # right when clean, wrong when corrupted


def example_corruptions(measured: Measured) -> list[str]:
    """Of which there may be examples, in their usual order."""
    return [name for _, name in corruption_columns({cell.corruption for cell in _cells(measured)})]


def example_groups(
    measured: Measured, classes: Classes, drawn: Callable[[str], None]
) -> tuple[list[ExampleGroup], list[str]]:
    """A group a corruption, of the images in which the networks were most sure of an error that they make on the
    corrupted image only; and a line for each corruption that cannot be made here. Empty where there are no images or no
    predictions. drawn: is told each corruption.

    Of a network with several trainings the first one answers.
    """
    if classes.images is None:
        return [], []
    groups, notes = [], []
    for name in example_corruptions(measured):
        drawn(label_of(name))
        severities = [cell.severity for cell in _cells(measured) if cell.corruption == name]
        cell = Cell(name, SEVERITY if SEVERITY in severities else max(severities))
        said = [one for network in measured.networks[:MOST_NETWORKS] if (one := _said(network, cell)) is not None]
        try:
            if chosen := _worst(said, classes):
                groups.append(_group(cell, chosen, said, classes))
        except LstRobustError as error:  # a corruption from outside that is not registered today
            notes.append(f"No examples of {name}: {one_line(str(error))}.")
    return groups, notes


def _cells(measured: Measured) -> set[Cell]:
    return {cell for network in measured.networks for cell in network.runs[0].records if cell != CLEAN_CELL}


def _said(network: MeasuredNetwork, cell: Cell) -> _Said | None:
    records = network.runs[0].records
    clean, corrupted = records.get(CLEAN_CELL), records.get(cell)
    if clean is None or corrupted is None:
        return None
    answers = clean.predicted_classes(), corrupted.predicted_classes()
    confidence = corrupted.confidences()
    if answers[0] is None or answers[1] is None or confidence is None:
        return None
    flipped = clean.correct_bits() & ~corrupted.correct_bits()
    return _Said(network.summary.label, answers[0], answers[1], confidence.astype(np.float64), flipped)


def _worst(said: Sequence[_Said], classes: Classes) -> list[int]:
    """The images with the largest sum of confidences in flipped answers, each of another class."""
    if not said or classes.labels is None:
        return []
    score = np.sum([np.where(one.flipped, one.confidence, 0) for one in said], axis=0)
    chosen: dict[int, int] = {}
    for image in np.argsort(-score, kind="stable"):
        if score[image] <= 0 or len(chosen) == EXAMPLES:
            break
        chosen.setdefault(int(classes.labels[image]), int(image))
    return list(chosen.values())


def _group(cell: Cell, chosen: Sequence[int], said: Sequence[_Said], classes: Classes) -> ExampleGroup:
    assert classes.images is not None
    assert classes.labels is not None
    clean = classes.images.clean
    pixels = classes.images.loader(cell)(chosen)
    examples = []
    for index, image in zip(chosen, pixels, strict=True):
        label = int(classes.labels[index])
        answers = tuple(_answer(one, index, label, classes) for one in said)
        examples.append(Example(_thumbnail(image), clean.ids[index], classes.name(label), answers))
    return ExampleGroup(f"{label_of(cell.corruption)}, severity {cell.severity}", tuple(examples))


def _answer(one: _Said, image: int, label: int, classes: Classes) -> Answer:
    clean, corrupted = int(one.clean[image]), int(one.corrupted[image])
    return Answer(
        network=one.name,
        label=classes.name(corrupted),
        right=corrupted == label,
        confidence=float(one.confidence[image]),
        clean_label=classes.name(clean) if clean != corrupted else None,
    )


def _thumbnail(image: np.ndarray) -> bytes:
    """image: uint8 (S, S, 3). Small ones as PNG, which keeps every pixel; others reduced, as JPEG."""
    picture, content = Image.fromarray(image), io.BytesIO()
    if max(picture.size) <= FEW_PIXELS:
        picture.save(content, "PNG", optimize=True)
    else:
        picture.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
        picture.save(content, "JPEG", quality=85)
    return content.getvalue()
