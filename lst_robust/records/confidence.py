"""How sure a network is beside how right it is: top-5 error, calibration error and Brier score of a cell.

Definitions, with p the softmax of the logits and y the label of an image:

    ECE    = Σ_b n_b / n · |accuracy_b - confidence_b|, over 15 bins of equal width of max p (Guo et al. 2017,
             "On Calibration of Modern Neural Networks", equation 3)
    Brier  = mean over the images of Σ_k (p_k - [k = y])², from 0 to 2 (Brier 1950)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from torch import Tensor

BINS = 15
TOP = 5
DECIMALS = 9  # of what is stored: far below the images' own spread, above the rounding of sums

Counts = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False, min_length=BINS, max_length=BINS)]
Sums = Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(strict=False, min_length=BINS, max_length=BINS)]


class Outcomes(NamedTuple):
    """Of n images: `correct`, bool (n,); `in_top5`, bool (n,), None with five classes or fewer; `confidence`, max p,
    and `brier`, both float64 (n,)."""

    correct: np.ndarray
    in_top5: np.ndarray | None
    confidence: np.ndarray
    brier: np.ndarray

    @classmethod
    def of(cls, logits: Tensor, labels: Tensor) -> Outcomes:
        """logits: (n, classes); labels: int64 (n,), on the same device."""
        predicted = logits.argmax(dim=1)
        correct = predicted == labels
        in_top5 = None
        if logits.shape[1] > TOP:
            in_top5 = (logits.topk(TOP, dim=1).indices == labels[:, None]).any(dim=1) | correct
        p = logits.double().softmax(dim=1)
        own = p.gather(1, labels[:, None])[:, 0]
        brier = p.square().sum(dim=1) - 2 * own + 1
        return cls(
            correct.cpu().numpy(),
            None if in_top5 is None else in_top5.cpu().numpy(),
            p.amax(dim=1).cpu().numpy(),
            brier.clamp(min=0).cpu().numpy(),
        )

    @classmethod
    def concatenated(cls, parts: Sequence[Outcomes]) -> Outcomes:
        """The outcomes of several batches of one cell, in order."""
        in_top5 = [part.in_top5 for part in parts if part.in_top5 is not None]
        return cls(
            np.concatenate([part.correct for part in parts]),
            np.concatenate(in_top5) if in_top5 else None,
            np.concatenate([part.confidence for part in parts]),
            np.concatenate([part.brier for part in parts]),
        )

    def top5_error(self) -> float | None:
        """Percent of images whose label is not among the five most probable classes."""
        return None if self.in_top5 is None else 100 * float(np.count_nonzero(~self.in_top5)) / len(self.in_top5)


class Calibration(BaseModel):
    """What ECE and the Brier score of a cell are made of. Bin b holds the images of confidence in (b/15, (b+1)/15]:
    `count` of them, `confidence` their confidences' sum, `correct` the number classified correctly."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    count: Counts
    confidence: Sums
    correct: Counts
    brier: float = Field(ge=0, le=2)

    @model_validator(mode="after")
    def _possible(self) -> Calibration:
        for count, confidence, correct in zip(self.count, self.confidence, self.correct, strict=True):
            if correct > count or confidence > count + 1e-6:
                raise ValueError(f"a bin of {count} images cannot hold {correct} correct ones or a sum of {confidence}")
        return self

    @classmethod
    def of(cls, outcomes: Outcomes) -> Calibration:
        place = np.clip(np.ceil(outcomes.confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
        sums = np.bincount(place, outcomes.confidence, minlength=BINS)
        return cls(
            count=tuple(np.bincount(place, minlength=BINS).tolist()),
            confidence=tuple(np.round(sums, DECIMALS).tolist()),
            correct=tuple(np.bincount(place[outcomes.correct], minlength=BINS).tolist()),
            brier=min(2.0, round(float(outcomes.brier.mean()), DECIMALS)),
        )

    def ece(self) -> float:
        """Expected calibration error in percent."""
        gaps = np.abs(np.array(self.correct) - np.array(self.confidence))
        return 100 * float(gaps.sum()) / sum(self.count)
