"""What becomes of torch's number of threads, which is the caller's."""

from __future__ import annotations

from contextlib import closing
from functools import partial

import numpy as np
import torch
from torch import nn

from lst_robust.evaluation.inference import InferenceRunner, InferenceSettings
from lst_robust.suites import PixelStatistics

CLASSES, IMAGES = 10, 64


def test_the_threads_that_a_caller_has_set_since_the_plan_was_made_are_the_same_afterwards(request):
    request.addfinalizer(partial(torch.set_num_threads, torch.get_num_threads()))
    torch.set_num_threads(2)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, CLASSES)).eval()
    settings = InferenceSettings(torch.device("cpu"), batch_size=IMAGES, workers=2)
    runner = InferenceRunner(network, PixelStatistics(mean=(0.5,) * 3, std=(0.25,) * 3), CLASSES, settings, 32)
    assert runner.sizes.threads == 2
    torch.set_num_threads(1)
    labels = np.zeros(IMAGES, dtype=np.int64)
    with closing(runner.outcomes(lambda batch: np.zeros((len(batch), 32, 32, 3), np.uint8), labels)) as parts:
        assert sum(len(part.correct) for part in parts) == IMAGES
    assert torch.get_num_threads() == 1
