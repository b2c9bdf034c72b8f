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

from lst_robust.benchmark import CLEAN, CLEAN_CELL, NAME, SEVERITIES, Cell
from lst_robust.geometry import Geometry
from lst_robust.records.confidence import Calibration, Outcomes

SCHEMA: Literal[3] = 3


class Strict(BaseModel):
    """Data that is written once and never changed, checked in full when it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def without_later_fields(self) -> dict[str, Any]:
        """The fields as plain data, less those of a later schema that have no value: a run keeps its name."""
        fields = self.model_dump()
        return {key: value for key, value in fields.items() if value is not None or key not in LATER_FIELDS}


LATER_FIELDS = {"preprocess", "geometry", "pixels", "structure", "probe", "code"}  # came with schema 3


class Protocol(Strict):
    """Everything besides the model that decides the numbers. Two results compare only when these are equal.

    `image_size` is the suite's. `preprocess` says whose geometry the images got: the suite's, which is `geometry`, or
    each network's own, which is among the network's fields. `pixels` is a hash of what the clean images are read from.
    Records of schema 1 and 2 have None for the three.
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


class ModelIdentity(Strict):
    """Which network was measured: its weights, what it is built of (see `structure_digest`), the file of its code, and
    what it computes: `probe` is a hash of its answers to the probe images, which lie in the run's file.

    `geometry`: the network's own way from an image to its input, where the protocol leaves that to the network.
    Records of schema 1 and 2 have nothing but name, options, weights and seed.
    """

    name: str
    options: dict[str, str | int | float | bool] = {}
    checkpoint_sha256: str
    train_seed: int | None = None  # None: not trained by this tool
    structure: str | None = None
    code: str | None = None
    probe: str | None = None
    geometry: Geometry | None = None


class Provenance(Strict):
    """How the number came about; never part of its identity."""

    versions: dict[str, str]
    git_revision: str | None
    device: str
    transform: str | None  # from the image to the network's input, in words; None: not noted (schema 1)
    seconds: float
    images_per_second: float
    finished: str  # ISO 8601, UTC


class Record(Strict):
    """One measured cell. `correct` holds one bit an image in the order of the ids, big-endian, base64.

    `top5_error` is None with five classes or fewer, and like `calibration` in records of schema 1, which had neither.
    `pixels` is a hash of the official files that the cell was read from; None where the images were made on the fly.
    """

    schema_version: Literal[3] = SCHEMA
    corruption: str
    severity: int
    top1_error: float = Field(ge=0, le=100)  # percent
    top5_error: float | None = Field(ge=0, le=100)  # percent
    correct: str
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
        fields = {"protocol": self.protocol.without_later_fields(), "model": self.model.without_later_fields()}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]


def make_record(run: Run, cell: Cell, outcomes: Outcomes, provenance: Provenance, pixels: str | None = None) -> Record:
    """The record of a cell. pixels: the hash of the official files it was read from, if it was."""
    return Record(
        corruption=cell.corruption,
        severity=cell.severity,
        top1_error=top1_error(outcomes.correct),
        top5_error=outcomes.top5_error(),
        correct=packed(outcomes.correct),
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

    Schema 1 had no top-5 error, no calibration and no transform, and schema 1 and 2 had no hash of the pixels, no
    geometry, and less of the network's identity: what is lacking is None.
    """
    if not isinstance(data, Mapping):
        raise ValueError("not a record")
    fields, schema = dict(data), data.get("schema_version")
    if schema == 1 and isinstance(fields.get("provenance"), Mapping):
        fields |= {"schema_version": SCHEMA, "top5_error": None, "calibration": None}
        fields["provenance"] = {**fields["provenance"], "transform": None}
    elif schema == 2:
        fields["schema_version"] = SCHEMA
    elif schema not in (1, SCHEMA):
        raise ValueError(f"schema_version {schema!r} is unknown to this release, which reads 1 to {SCHEMA}")
    return Record.model_validate(fields)
