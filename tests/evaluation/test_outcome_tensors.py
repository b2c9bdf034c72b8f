"""Outcomes that are collected on a device."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lst_robust.errors import NonFiniteError
from lst_robust.evaluation.outcome_tensors import OutcomeTensors, outcomes_of

CPU = torch.device("cpu")


@pytest.mark.parametrize("classes", [2, 5, 6, 1000])
def test_what_is_read_is_what_was_written_in_any_parts(classes):
    logits, labels = torch.randn(37, classes) * 3, torch.arange(37) % classes
    found, expected = OutcomeTensors(37, classes, CPU), outcomes_of(logits, labels)
    for start, stop in ((20, 37), (0, 1), (1, 20)):
        found.write(start, logits[start:stop], labels[start:stop])
    read = found.read()
    assert (read.in_top5 is None) == (classes <= 5)
    for ours, theirs in zip(read, expected, strict=True):
        assert (ours is None) == (theirs is None)
        if theirs is not None:
            np.testing.assert_array_equal(ours, theirs)
            assert ours.dtype == theirs.dtype


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_one_logit_that_is_not_finite_is_known_at_the_end(value):
    found, logits = OutcomeTensors(4, 3, CPU), torch.zeros(2, 3)
    found.write(0, torch.where(torch.tensor([[1, 0, 0], [0, 0, 0]]).bool(), value, logits), torch.zeros(2).long())
    found.write(2, logits, torch.zeros(2).long())
    with pytest.raises(NonFiniteError, match="the network returned NaN or infinite logits"):
        found.read()
