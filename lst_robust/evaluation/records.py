"""The record of one cell: what was measured, of which model, under which protocol, on which images.

A record is a JSON file of its own. It carries the correctness of every image as packed bits, so that intervals and
paired comparisons can be computed later without running the model again, what its calibration is made of, and
everything needed to decide whether it belongs to a request: the protocol's and the model's fields, whose hash names the
folder it lies in.
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

from lst_robust.corruptions.presets import CORRUPTIONS, SEVERITIES
from lst_robust.evaluation.confidence import Calibration, Outcomes

SCHEMA: Literal[2] = 2
CLEAN = "clean"


class Cell(NamedTuple):
    """One corruption at one severity; the clean images are the cell ("clean", 0)."""

    corruption: str
    severity: int

    @property
    def name(self) -> str:
        """Name for people and files: `gaussian_noise-3`, `clean`."""
        return CLEAN if self.corruption == CLEAN else f"{self.corruption}-{self.severity}"


CLEAN_CELL = Cell(CLEAN, 0)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Protocol(_Strict):
    """Everything besides the model that decides the numbers. Two results compare only when these are equal."""

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


class ModelIdentity(_Strict):
    """Which weights were measured."""

    name: str
    options: dict[str, str | int | float | bool] = {}
    checkpoint_sha256: str
    train_seed: int | None = None  # None: not trained by this tool


class Provenance(_Strict):
    """How the number came about; never part of its identity."""

    versions: dict[str, str]
    git_revision: str | None
    device: str
    transform: str | None  # from the image to the network's input, in words; None: not noted (schema 1)
    seconds: float
    images_per_second: float
    finished: str  # ISO 8601, UTC


class Record(_Strict):
    """One measured cell. `correct` holds one bit an image in the order of the ids, big-endian, base64.

    `top5_error` is None with five classes or fewer, and like `calibration` in records of schema 1, which had neither.
    """

    schema_version: Literal[2] = SCHEMA
    corruption: str
    severity: int
    top1_error: float = Field(ge=0, le=100)  # percent
    top5_error: float | None = Field(ge=0, le=100)  # percent
    correct: str
    calibration: Calibration | None
    protocol: Protocol
    model: ModelIdentity
    provenance: Provenance

    @model_validator(mode="after")
    def _consistent(self) -> Record:
        if self.cell != CLEAN_CELL and (self.corruption not in CORRUPTIONS or self.severity not in SEVERITIES):
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
        return self

    @property
    def cell(self) -> Cell:
        return Cell(self.corruption, self.severity)

    @property
    def run(self) -> Run:
        return Run(self.protocol, self.model)

    def correct_bits(self) -> np.ndarray:
        """bool (n,): whether each image was classified correctly, in the order of the ids."""
        return unpacked(self.correct, self.protocol.n)


class Run(NamedTuple):
    """One model under one protocol: what a set of cells has in common."""

    protocol: Protocol
    model: ModelIdentity

    @property
    def digest(self) -> str:
        fields = {"protocol": self.protocol.model_dump(), "model": self.model.model_dump()}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]


def make_record(run: Run, cell: Cell, outcomes: Outcomes, provenance: Provenance) -> Record:
    """A record from what became of each image."""
    return Record(
        corruption=cell.corruption,
        severity=cell.severity,
        top1_error=top1_error(outcomes.correct),
        top5_error=outcomes.top5_error(),
        correct=packed(outcomes.correct),
        calibration=Calibration.of(outcomes),
        protocol=run.protocol,
        model=run.model,
        provenance=provenance,
    )


def packed(correct: np.ndarray) -> str:
    """bool (n,) as text: one bit an image, big-endian, base64."""
    return base64.b64encode(np.packbits(correct).tobytes()).decode("ascii")


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


def to_json(record: Record) -> str:
    fields: dict[str, Any] = record.model_dump(mode="json")
    return json.dumps(fields, indent=1) + "\n"


def from_json(data: Any) -> Record:
    """The record in parsed JSON, migrated where its schema is older; ValueError where it is none, or a newer one's.

    Schema 1 had no top-5 error, no calibration and no transform: they are None.
    """
    if not isinstance(data, Mapping):
        raise ValueError("not a record")
    fields, schema = dict(data), data.get("schema_version")
    if schema == 1 and isinstance(fields.get("provenance"), Mapping):
        fields |= {"schema_version": SCHEMA, "top5_error": None, "calibration": None}
        fields["provenance"] = {**fields["provenance"], "transform": None}
    elif schema not in (1, SCHEMA):
        raise ValueError(f"schema_version {schema!r} is unknown to this release, which reads 1 and {SCHEMA}")
    return Record.model_validate(fields)
