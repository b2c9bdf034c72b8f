"""The error on the test images, shared out among ranks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lst_robust.data import ImageSource, open_source
from lst_robust.models.preprocess import Preprocess
from lst_robust.runtime.process_group import Ranks
from lst_robust.training.test_set import measure_error

PREPROCESS = Preprocess((0.5,) * 3, (0.5,) * 3, torch.device("cpu"))


class AlwaysThree(nn.Module):
    """And wrong about everything while it is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += len(x)
        answer = 10 if self.training else 3
        return nn.functional.one_hot(torch.full((len(x),), answer), 11).float()


class TwoRanks(Ranks):
    """Rank 1 of 2, whose fellow has counted as many wrong answers."""

    def total(self, counts):
        return [2 * count for count in counts]


@pytest.fixture(scope="module")
def source() -> ImageSource:
    return open_source({"kind": "digits"}, "test", image_size=16).subset(150)  # more than two batches


@pytest.mark.parametrize("workers", [1, 3])
def test_it_is_the_share_of_wrong_answers_in_percent(source, workers):
    model = AlwaysThree().train()
    error = measure_error(model, source, PREPROCESS, workers, Ranks())
    assert error == 100 * np.mean(source.labels != 3)
    assert model.seen == 150 and not model.training


def test_each_rank_looks_at_its_share_only(source):
    model = AlwaysThree()
    error = measure_error(model, source, PREPROCESS, 1, TwoRanks(1, 2))
    assert model.seen == 75
    assert error == pytest.approx(100 * 2 * np.sum(source.labels[1::2] != 3) / 150)
