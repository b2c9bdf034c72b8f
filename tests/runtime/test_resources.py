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


def test_precision_and_compiler_of_a_training():
    chosen = Resources.of("cpu", 1, Silent(), "bf16", "reduce-overhead")
    assert (chosen.amp, chosen.compile_mode) == ("bf16", "reduce-overhead")
    plain = Resources.of("cpu", 1, Silent())
    assert (plain.amp, plain.compile_mode) == ("auto", "no")


@pytest.mark.parametrize(
    ("amp", "mode", "words"), [("half", "no", "amp is 'half'"), ("no", "fast", "compile mode 'fast'")]
)
def test_others_are_refused(amp, mode, words):
    with pytest.raises(UsageError, match=words):
        Resources.of("cpu", 1, Silent(), amp, mode)
