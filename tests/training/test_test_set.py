"""The error on the test images, shared out among ranks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lst_robust.data import ImageSource, open_source
from lst_robust.models.preprocess import Preprocess
from lst_robust.runtime.process_group import Ranks
from lst_robust.training.test_set import DeviceTestSet, error_measurer, measure_error

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


@pytest.mark.parametrize("free", [2**30, 0], ids=["resident", "sent"])
@pytest.mark.parametrize("batch_size", [64, 100, 150])
def test_a_device_counts_the_same(source, as_device, free, batch_size):
    as_device(free)
    model = AlwaysThree().train()
    measure = error_measurer(source, PREPROCESS, 2, Ranks(), batch_size)
    for _ in range(2):
        assert measure(model) == 100 * np.mean(source.labels != 3)
    assert model.seen == 2 * 150 and not model.training
    assert (measure.__self__.resident is not None) == (free > 0)


def test_a_device_has_its_ranks_share_only(source, as_device):
    as_device()
    model, on_device = AlwaysThree(), DeviceTestSet(source, PREPROCESS, 1, TwoRanks(1, 2))
    assert on_device.error(model) == pytest.approx(100 * 2 * np.sum(source.labels[1::2] != 3) / 150)
    assert model.seen == len(on_device.resident) == 75


def test_on_the_cpu_it_is_measured_as_before(source):
    assert error_measurer(source, PREPROCESS, 1, Ranks(), 999)(AlwaysThree()) == 100 * np.mean(source.labels != 3)
