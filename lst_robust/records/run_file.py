"""What a run is, once for all its cells: protocol, the network's identity, and its answers to the probe images."""

from __future__ import annotations

import base64
import hashlib
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from lst_robust.records.record import ModelIdentity, Protocol, Run, Strict

SCHEMA: Literal[1] = 1
ANSWERS = np.dtype("<f4")


class RunFile(Strict):
    """The content of `run.json`, and the head of `run.parquet`.

    `answers`: float32, little-endian, base64, in the shape (images, classes). The three are None in runs of release
    0.1, which did not ask for any.
    """

    schema_version: Literal[1] = SCHEMA
    protocol: Protocol
    model: ModelIdentity
    images: int | None = Field(default=None, ge=1)
    classes: int | None = Field(default=None, ge=1)
    answers: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> RunFile:
        if self.answers is None or self.images is None or self.classes is None:
            if (self.answers, self.images, self.classes) != (None, None, None):
                raise ValueError("images, classes and answers are there together, or none of them is")
            return self
        content = base64.b64decode(self.answers, validate=True)
        if len(content) != self.images * self.classes * ANSWERS.itemsize:
            raise ValueError(f"the answers are not those of {self.classes} classes to {self.images} images")
        if _sha256(content) != self.model.probe:
            raise ValueError("the answers are not those that the network's identity names")
        return self

    @classmethod
    def of(cls, run: Run, answers: np.ndarray) -> RunFile:
        """run: without a probe; answers: float32 (images, classes)."""
        content = answers.astype(ANSWERS).tobytes()
        model = run.model.model_copy(update={"probe": _sha256(content)})
        images, classes = answers.shape
        text = base64.b64encode(content).decode("ascii")
        return cls(protocol=run.protocol, model=model, images=images, classes=classes, answers=text)

    @property
    def run(self) -> Run:
        return Run(self.protocol, self.model)

    def probe_answers(self) -> np.ndarray | None:
        """float32 (images, classes); None where they are not known."""
        if self.answers is None or self.images is None or self.classes is None:
            return None
        return np.frombuffer(base64.b64decode(self.answers), ANSWERS).reshape(self.images, self.classes)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
