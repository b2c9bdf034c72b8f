"""How the speed of the engines is measured."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lst_robust.runtime.progress import Silent
from lst_robust.torch_engine import speed
from lst_robust.torch_engine.speed import images_a_second, measure_engines, synthetic_images


@pytest.mark.parametrize(
    ("per_call", "per_image", "largest"), [(0.001, 0.001, 192), (0.0, 1e-6, 1000), (0.0, 10.0, 2), (1.0, 0.0, 2)]
)
def test_calls_grow_until_they_take_a_good_part_of_the_time(monkeypatch, per_call, per_image, largest):
    clock, calls = [0.0], []
    monkeypatch.setattr(speed, "perf_counter", lambda: clock[0])

    def work(n: int) -> None:
        calls.append(n)
        clock[0] += per_call + n * per_image

    found = images_a_second(work, 2, 1000)
    assert calls[:2] == [2, 2] and max(calls) == largest == calls[-1]
    assert found == pytest.approx(largest / (per_call + largest * per_image))
    assert clock[0] < max(4 * speed.SECONDS, 3 * (per_call + 2 * per_image))


def test_both_engines_are_measured_with_progress(monkeypatch):
    class Counting(Silent):
        steps = 0.0

        def advance(self, steps: float = 1, status: str = "") -> None:
            Counting.steps += steps

    monkeypatch.setattr(speed, "SECONDS", 0.01)
    found = measure_engines(torch.device("cpu"), 32, "cifar", Counting(), ("gaussian_noise",))
    assert set(found.cpu) == set(found.torch) == {"gaussian_noise"} and Counting.steps == 1
    assert (found.machine.size, found.machine.preset) == (32, "cifar") and found.machine.device.startswith("cpu (")


@pytest.mark.parametrize("size", [16, 33, 224])
def test_the_images_are_always_the_same_ones(size):
    first, second = synthetic_images(3, size), synthetic_images(3, size)
    assert first.shape == (3, size, size, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, second)
    assert 10 < first[0].std() < 100 and not np.array_equal(first[0], first[1])
