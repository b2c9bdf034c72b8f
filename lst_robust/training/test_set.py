"""The error of a network in training on the test images."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from lst_robust.data import ImageSource
from lst_robust.models.preprocess import Preprocess
from lst_robust.runtime.prefetch import prefetch
from lst_robust.runtime.process_group import Ranks

BATCH = 64


@torch.inference_mode()
def measure_error(model: nn.Module, source: ImageSource, preprocess: Preprocess, workers: int, ranks: Ranks) -> float:
    """Top-1 error in percent, each process taking its share of the images. The network is left in evaluation mode."""
    model.eval()
    share = np.arange(len(source))[ranks.rank :: ranks.world]
    batches = [share[start : start + BATCH].tolist() for start in range(0, len(share), BATCH)]
    wrong = 0
    for batch, images in zip(batches, prefetch(source.read, batches, workers), strict=True):
        predicted = model(preprocess(images).contiguous(memory_format=torch.channels_last)).argmax(1)
        wrong += int((predicted.cpu().numpy() != source.labels[batch]).sum())
    return 100 * ranks.total([wrong])[0] / len(source)
