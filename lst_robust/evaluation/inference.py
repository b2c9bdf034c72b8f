"""From corrupted images to predicted classes."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from lst_robust.errors import NonFiniteError
from lst_robust.preprocess import Preprocess


@torch.inference_mode()
def predict(model: nn.Module, preprocess: Preprocess, images: np.ndarray, *, amp: bool = False) -> np.ndarray:
    """Predicted classes, int64 (n,). Raises NonFiniteError when a logit is NaN or infinite."""
    batch = preprocess(images).contiguous(memory_format=torch.channels_last)
    with torch.autocast(preprocess.device.type, enabled=amp):
        logits = model(batch).float()
    if not torch.isfinite(logits).all():
        raise NonFiniteError("the network returned NaN or infinite logits")
    return logits.argmax(dim=1).cpu().numpy()
