"""What all sources share."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lst_robust.errors import UsageError
from lst_robust.models.external.common import on_meta, output, require_size, square_geometry


@pytest.mark.parametrize(
    ("size", "resize", "interpolation", "crop"),
    [
        ((64, 48), 64, "bilinear", "center"),
        ((64, 64), 60, "bilinear", "center"),
        ((64, 64), 64, "random", "center"),
        ((64, 64), 64, "bilinear", "border"),
    ],
)
def test_a_geometry_that_cannot_be_applied_is_refused(size, resize, interpolation, crop):
    assert square_geometry("net", (64, 64), 80, "bicubic", "squash").resize == 80
    with pytest.raises(
        UsageError, match=r"net states a preprocessing that cannot be applied here \(.*--preprocess suite"
    ):
        square_geometry("net", size, resize, interpolation, crop)


def test_a_network_is_tried_in_evaluation_mode_and_left_as_it_was():
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 4), nn.BatchNorm1d(4))
    require_size(network, "net", 16)
    assert network.training
    assert network[2].num_batches_tracked == 0
    with pytest.raises(UsageError, match="net cannot take images of 17 pixels"):
        require_size(network, "net", 17)
    assert output(network, 16) == "(2, 4)"


def test_a_network_that_is_only_counted_is_not_tried():
    assert not on_meta()
    with torch.device("meta"):
        assert on_meta()
        require_size(nn.Linear(1, 1), "net", 16)  # which could not take images
