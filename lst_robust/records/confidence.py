"""How sure a network is beside how right it is: top-5 error, calibration error and Brier score of a cell.

Definitions, with p the softmax of the logits and y the label of an image:

    ECE    = Σ_b n_b / n · |accuracy_b - confidence_b|, over 15 bins of equal width of max p (Guo et al. 2017,
             "On Calibration of Modern Neural Networks", equation 3)
    Brier  = mean over the images of Σ_k (p_k - [k = y])², from 0 to 2 (Brier 1950)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

BINS = 15
DECIMALS = 9  # of what is stored: far below the images' own spread, above the rounding of sums

Counts = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False, min_length=BINS, max_length=BINS)]
Sums = Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(strict=False, min_length=BINS, max_length=BINS)]


class Outcomes(NamedTuple):
    """Of n images: `correct`, bool (n,); `in_top5`, bool (n,), None with five classes or fewer; `confidence`, max p,
    and `brier`, both float64 (n,); `predicted`, the most probable class, int64 (n,), None where it was not noted."""

    correct: np.ndarray
    in_top5: np.ndarray | None
    confidence: np.ndarray
    brier: np.ndarray
    predicted: np.ndarray | None = None

    @classmethod
    def concatenated(cls, parts: Sequence[Outcomes]) -> Outcomes:
        """The outcomes of several batches of one cell, in order."""
        return cls(
            np.concatenate([part.correct for part in parts]),
            _all_or_none([part.in_top5 for part in parts]),
            np.concatenate([part.confidence for part in parts]),
            np.concatenate([part.brier for part in parts]),
            _all_or_none([part.predicted for part in parts]),
        )

    def top5_error(self) -> float | None:
        """Percent of images whose label is not among the five most probable classes."""
        return None if self.in_top5 is None else 100 * float(np.count_nonzero(~self.in_top5)) / len(self.in_top5)


def _all_or_none(arrays: Sequence[np.ndarray | None]) -> np.ndarray | None:
    present = [array for array in arrays if array is not None]
    return np.concatenate(present) if present else None


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
