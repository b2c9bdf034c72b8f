"""What a network makes of the images of a cell, collected on its device and copied to the host once."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lst_robust.errors import NonFiniteError
from lst_robust.records.confidence import Outcomes

TOP = 5
NOT_FINITE = "the network returned NaN or infinite logits"


class Judged(NamedTuple):
    """`Outcomes` as tensors on a device."""

    correct: Tensor
    in_top5: Tensor | None
    confidence: Tensor
    brier: Tensor
    predicted: Tensor


@torch.inference_mode()
def judged(logits: Tensor, labels: Tensor) -> Judged:
    """logits: (n, classes); labels: int64 (n,), on the same device."""
    predicted = logits.argmax(dim=1)
    correct = predicted == labels
    in_top5 = None
    if logits.shape[1] > TOP:
        in_top5 = (logits.topk(TOP, dim=1).indices == labels[:, None]).any(dim=1) | correct
    p = logits.double().softmax(dim=1)
    own = p.gather(1, labels[:, None])[:, 0]
    brier = p.square().sum(dim=1) - 2 * own + 1
    return Judged(correct, in_top5, p.amax(dim=1), brier.clamp(min=0), predicted)


def outcomes_of(logits: Tensor, labels: Tensor) -> Outcomes:
    """`judged`, on the host."""
    correct, in_top5, confidence, brier, predicted = judged(logits, labels)
    return Outcomes(
        correct.cpu().numpy(),
        None if in_top5 is None else in_top5.cpu().numpy(),
        confidence.cpu().numpy(),
        brier.cpu().numpy(),
        predicted.cpu().numpy(),
    )


class OutcomeTensors:
    """The outcomes of n images. Nothing waits for the device before `read`."""

    def __init__(self, n: int, classes: int, device: torch.device) -> None:
        # float64 holds a class exactly. The last column is for all images: whether their logits are finite.
        self._values = torch.ones((len(Judged._fields), n + 1), dtype=torch.float64, device=device)
        self._has_top5 = classes > TOP

    @torch.inference_mode()
    def write(self, start: int, logits: Tensor, labels: Tensor) -> None:
        """logits: (m, classes) of the images from position `start` on; labels: int64 (m,)."""
        places = self._values[:, start : start + len(logits)]
        for place, values in zip(places, judged(logits, labels), strict=True):
            if values is not None:
                place.copy_(values)
        self._values[0, -1].mul_(torch.isfinite(logits).all())

    def read(self) -> Outcomes:
        """The one copy to the host, which waits for the device. Raises NonFiniteError when a logit was NaN or
        infinite."""
        correct, in_top5, confidence, brier, predicted = self._values.cpu().numpy()
        if not correct[-1]:
            raise NonFiniteError(NOT_FINITE)
        top5 = in_top5[:-1].astype(bool) if self._has_top5 else None
        return Outcomes(correct[:-1].astype(bool), top5, confidence[:-1], brier[:-1], predicted[:-1].astype("int64"))
