"""The record of one cell: what was measured, of which model, under which protocol, on which images.

A record carries the outcome of every image (was it classified correctly, as which class, how confidently), so that
intervals, paired comparisons and confusions can be computed later without running the model again. Its protocol and
its model are those of its run: they are kept once a run, see `lst_robust.records.run_file`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lst_robust.benchmark import CLEAN, CLEAN_CELL, NAME, SEVERITIES, Cell
from lst_robust.geometry import Geometry
from lst_robust.records.confidence import Calibration, Outcomes

CONFIDENCES = np.dtype("<f2")  # to three digits, which is all that a diagram shows


class Strict(BaseModel):
    """Data that is written once and never changed, checked in full when it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def without_later_fields(self) -> dict[str, Any]:
        """The fields as plain data, less those of a later schema that have no value: a run keeps its name."""
        fields = self.model_dump()
        return {key: value for key, value in fields.items() if value is not None or key not in LATER_FIELDS}


LATER_FIELDS = {"preprocess", "geometry", "pixels", "structure", "probe", "code", "subset"}  # 0.2, and after it


class Protocol(Strict):
    """Everything besides the model that decides the numbers. Two results compare only when these are equal.

    `image_size` is the suite's. `preprocess` says whose geometry the images got: the suite's, which is `geometry`, or
    each network's own, which is among the network's fields. `pixels` is a hash of what the clean images are read from.
    Records of release 0.1 have None for the three. `subset` names a published choice of the images, such as
    "robustbench-5k", of which `n` are measured; None: of all.
    """

    suite: str
    suite_version: int
    suite_digest: str
    protocol: str
    data: str  # name of the data, for people
    images: str  # hash of the image ids and labels
    n: int = Field(ge=1)
    image_size: int
    preset: str
    style: str
    engine: str  # name and version, "lst-robust 1"
    seed: int
    preprocess: Literal["suite", "model"] | None = None
    geometry: Geometry | None = None
    pixels: str | None = None
    subset: str | None = None


class ModelIdentity(Strict):
    """Which network was measured: its weights, what it is built of (see `structure_digest`), the file of its code, and
    what it computes: `probe` is a hash of its answers to the probe images, which lie in the run's file.

    `geometry`: the network's own way from an image to its input, where the protocol leaves that to the network.
    Records of release 0.1 have nothing but name, options, weights and seed.
    """

    name: str
    options: dict[str, str | int | float | bool] = {}
    checkpoint_sha256: str
    train_seed: int | None = None  # None: not trained by this tool
    structure: str | None = None
    code: str | None = None
    probe: str | None = None
    geometry: Geometry | None = None


class Run(NamedTuple):
    """One model under one protocol: what a set of cells has in common."""

    protocol: Protocol
    model: ModelIdentity

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that name the run and its folder."""
        fields = {"protocol": self.protocol.without_later_fields(), "model": self.model.without_later_fields()}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]


class Provenance(Strict):
    """How the number came about; never part of its identity."""

    versions: dict[str, str]
    git_revision: str | None
    device: str
    transform: str | None  # from the image to the network's input, in words; None: not noted (release 0.1)
    seconds: float
    images_per_second: float
    finished: str  # ISO 8601, UTC


class Record(Strict):
    """One measured cell. Per-image values are in the order of the image ids, in base64.

    `correct`: one bit an image, big-endian. `predicted`: the most probable class, little-endian unsigned integers of
    one, two or four bytes. `confidence`: the probability of that class, little-endian float16. The latter two are None
    in records of release 0.2 and before.

    `top5_error` is None with five classes or fewer, and like `calibration` in the first records of release 0.1, which
    had neither. `pixels` is a hash of the official files that the cell was read from, or of the code of a corruption
    that is the user's own; None where one of the 19 was made on the fly.
    """

    corruption: str
    severity: int
    top1_error: float = Field(ge=0, le=100)  # percent
    top5_error: float | None = Field(ge=0, le=100)  # percent
    correct: str
    predicted: str | None = None
    confidence: str | None = None
    calibration: Calibration | None
    pixels: str | None = None
    protocol: Protocol
    model: ModelIdentity
    provenance: Provenance

    @model_validator(mode="after")
    def _consistent(self) -> Record:
        named = self.corruption != CLEAN and NAME.fullmatch(self.corruption)  # it need not be known in this process
        if self.cell != CLEAN_CELL and not (named and self.severity in SEVERITIES):
            raise ValueError(f"no such cell: {self.corruption!r} at severity {self.severity}")
        correct = self.correct_bits()
        if abs(top1_error(correct) - self.top1_error) > 1e-9:
            raise ValueError("top1_error does not follow from the correctness bits")
        if self.top5_error is not None and self.top5_error > self.top1_error:
            raise ValueError("top5_error is larger than top1_error")
        if self.calibration is not None and (sum(self.calibration.count), sum(self.calibration.correct)) != (
            len(correct),
            np.count_nonzero(correct),
        ):
            raise ValueError("the calibration's counts do not follow from the correctness bits")
        self.predicted_classes(), self.confidences()  # which raise where their lengths are wrong
        return self

    @property
    def cell(self) -> Cell:
        return Cell(self.corruption, self.severity)

    @property
    def run(self) -> Run:
        return Run(self.protocol, self.model)

    def correct_bits(self) -> np.ndarray:
        """bool (n,): whether each image was classified correctly."""
        return unpacked(self.correct, self.protocol.n)

    def predicted_classes(self) -> np.ndarray | None:
        """int64 (n,): the most probable class of each image; None where it was not noted."""
        if self.predicted is None:
            return None
        content = base64.b64decode(self.predicted, validate=True)
        width, rest = divmod(len(content), self.protocol.n)
        if rest or width not in (1, 2, 4):
            raise ValueError(f"{len(content)} bytes of predicted classes do not hold {self.protocol.n} images")
        return np.frombuffer(content, f"<u{width}").astype(np.int64)

    def confidences(self) -> np.ndarray | None:
        """float16 (n,): the probability that the network gave to its prediction; None where it was not noted."""
        if self.confidence is None:
            return None
        content = base64.b64decode(self.confidence, validate=True)
        if len(content) != self.protocol.n * CONFIDENCES.itemsize:
            raise ValueError(f"{len(content)} bytes of confidences do not hold {self.protocol.n} images")
        return np.frombuffer(content, CONFIDENCES)


def make_record(run: Run, cell: Cell, outcomes: Outcomes, provenance: Provenance, pixels: str | None = None) -> Record:
    """The record of a cell. pixels: see `Record`."""
    predicted = outcomes.predicted
    return Record(
        corruption=cell.corruption,
        severity=cell.severity,
        top1_error=top1_error(outcomes.correct),
        top5_error=outcomes.top5_error(),
        correct=packed(outcomes.correct),
        predicted=None if predicted is None else packed_classes(predicted),
        confidence=None if predicted is None else packed_confidences(outcomes.confidence),
        calibration=Calibration.of(outcomes),
        pixels=pixels,
        protocol=run.protocol,
        model=run.model,
        provenance=provenance,
    )


def other_files(first: Mapping[str, str | None], second: Mapping[str, str | None]) -> list[str]:
    """The cells that both have, by name, but from official files of other pixels; each side: name -> hash, or None
    where a cell was made from the clean images."""
    return [name for name, pixels in first.items() if name in second and second[name] != pixels]


def packed(correct: np.ndarray) -> str:
    """bool (n,) as text: one bit an image, big-endian, base64."""
    return _text(np.packbits(correct).tobytes())


def packed_classes(predicted: np.ndarray) -> str:
    """Classes, integers (n,) from 0, as text: in as few bytes as the largest needs."""
    width = next(width for width in (1, 2, 4) if predicted.max() < 256**width)
    return _text(predicted.astype(f"<u{width}").tobytes())


def packed_confidences(confidence: np.ndarray) -> str:
    """Probabilities (n,) as text."""
    return _text(confidence.astype(CONFIDENCES).tobytes())


def unpacked(text: str, n: int) -> np.ndarray:
    """bool (n,) of `packed` text; ValueError where it does not hold so many."""
    bits = np.frombuffer(base64.b64decode(text, validate=True), dtype=np.uint8)
    if len(bits) != (n + 7) // 8:
        raise ValueError(f"{len(bits)} bytes of correctness bits do not hold {n} images")
    return np.unpackbits(bits, count=n).astype(bool)


def top1_error(correct: np.ndarray) -> float:
    """Percent of images classified wrongly; correct: bool (n,)."""
    return 100 * float(np.count_nonzero(~correct)) / len(correct)


def utc_now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
