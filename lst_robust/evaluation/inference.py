"""From corrupted images to what a network makes of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from lst_robust.errors import LstRobustError, NonFiniteError, UsageError
from lst_robust.evaluation.confidence import Outcomes
from lst_robust.preprocess import Preprocess


@torch.inference_mode()
def predict(
    model: nn.Module,
    preprocess: Preprocess,
    images: np.ndarray,
    labels: np.ndarray,
    classes: int,
    *,
    amp: bool = False,
) -> Outcomes:
    """How each image, uint8 (n, S, S, 3), with its label, int64 (n,), one of so many `classes`, comes out.

    Raises NonFiniteError when a logit is NaN or infinite, UsageError when there is not one for each class.
    """
    batch = preprocess(images).contiguous(memory_format=torch.channels_last)
    with torch.autocast(preprocess.device.type, enabled=amp):
        logits = model(batch).float()
    if logits.shape != (len(images), classes):
        raise UsageError(
            f"the network returned {tuple(logits.shape)} for {len(images)} images of {classes} classes: it must return "
            "one logit a class, (images, classes)"
        )
    if not torch.isfinite(logits).all():
        raise NonFiniteError("the network returned NaN or infinite logits")
    return Outcomes.of(logits, torch.from_numpy(labels).to(logits.device))


class Predictor:
    """`predict` for batches that may be too large for the device's memory: each time it runs out, half as many images
    go through the network at a time, from then on."""

    def __init__(
        self, model: nn.Module, preprocess: Preprocess, classes: int, *, amp: bool, warn: Callable[[str], None]
    ) -> None:
        self.model, self.preprocess, self.classes, self.amp, self._warn = model, preprocess, classes, amp, warn
        self.at_once: int | None = None  # images; None: as many as come

    def __call__(self, images: np.ndarray, labels: np.ndarray) -> Outcomes:
        parts: list[Outcomes] = []
        done = 0
        while done < len(images):
            some = slice(done, done + (self.at_once or len(images)))
            try:
                parts.append(
                    predict(self.model, self.preprocess, images[some], labels[some], self.classes, amp=self.amp)
                )
            except torch.cuda.OutOfMemoryError as error:
                self._halve(len(images[some]), error)
                continue
            done += len(parts[-1].correct)
        return Outcomes.joined(parts)

    def _halve(self, tried: int, error: Exception) -> None:
        if tried == 1:
            raise LstRobustError(
                f"{self.preprocess.device} has not enough memory for one image: free some, or take --device cpu"
            ) from error
        self.at_once = tried // 2
        self._warn(f"{self.preprocess.device} has not enough memory for {tried} images at a time: going on with half")
        torch.cuda.empty_cache()
