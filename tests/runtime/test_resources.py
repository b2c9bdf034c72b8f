"""What long work runs on, as a person names it."""

from __future__ import annotations

import pytest
import torch

from lst_robust.errors import UsageError
from lst_robust.runtime.cores import available_cores
from lst_robust.runtime.progress import Silent
from lst_robust.runtime.resources import Resources


def test_a_person_names_the_device_and_the_threads():
    observer = Silent()
    assert Resources.of("cpu", 3, observer) == Resources(torch.device("cpu"), 3, observer)
    assert Resources.of(torch.device("cpu"), None, observer).workers == available_cores()


@pytest.mark.parametrize(("device", "workers"), [("abacus", 1), ("cuda:99", 1), ("cpu", 0), ("cpu", 1.5)])
def test_what_cannot_be_meant_is_a_usage_error(device, workers):
    with pytest.raises(UsageError):
        Resources.of(device, workers, Silent())
