"""Measures how many images a second the two engines make on this machine."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
import torch

from lst_robust.benchmark import CORRUPTIONS
from lst_robust.corruptions import corrupt
from lst_robust.runtime.cores import available_cores
from lst_robust.runtime.interruption import check_interrupted
from lst_robust.runtime.progress import Observer, Silent
from lst_robust.torch_engine.choice import Machine, Measurement
from lst_robust.torch_engine.engine import CALL_BYTES, corrupt_tensor

SEVERITY = 3
SECONDS = 0.4  # that each engine works on each corruption, at least
GROWTH = 8  # of the images of a call, at most, from one try to the next


def measure_engines(
    device: torch.device,
    size: int,
    preset: str,
    observer: Observer | None = None,
    corruptions: tuple[str, ...] = CORRUPTIONS,
) -> Measurement:
    """Both engines on squares of `size` pixels at severity 3: the CPU's with all cores, torch's on `device`.

    It takes about a second a corruption, more where an image takes more, and half a minute longer where the CPU's
    kernels have not been compiled yet. The images of torch's engine lie on the device already. A call has at most
    `CALL_BYTES` of images, as those of evaluations have: 222 of 224 pixels, 10,922 of 32.
    """
    observer, cores = observer or Silent(), available_cores()
    machine = Machine.here(device, size, preset)
    of_a_call = max(1, CALL_BYTES // (size**2 * 3))
    images = synthetic_images(max(cores, of_a_call), size)  # at least one for each core
    on_device = torch.from_numpy(images[:of_a_call]).to(device)
    cpu, torch_ = dict[str, float](), dict[str, float]()
    observer.start(f"measuring the engines at {size} px on {machine.device} and {cores} cores", len(corruptions))
    for name in corruptions:

        def on_cpu(n: int, name: str = name) -> None:
            corrupt(images[:n], name, SEVERITY, preset=preset, workers=cores)

        def by_torch(n: int, name: str = name) -> None:
            corrupt_tensor(on_device[:n], name, SEVERITY, preset=preset)
            if device.type == "cuda":
                torch.cuda.synchronize(device)

        cpu[name] = images_a_second(on_cpu, cores, len(images))
        observer.advance(0.5, f"{name}: {cpu[name]:,.0f} images/s on the CPU")
        torch_[name] = images_a_second(by_torch, 1, of_a_call)
        observer.advance(0.5, f"{name}: {torch_[name]:,.0f} images/s by torch")
    observer.finish()
    return Measurement(machine=machine, cpu=cpu, torch=torch_)


def images_a_second(work: Callable[[int], object], fewest: int, most: int) -> float:
    """work: makes so many images, and returns when they are there. It is called with more and more of them, from
    `fewest` to `most`, until a call takes a good part of the time. The speed is that of calls of this size."""
    n = min(fewest, most)
    work(n)  # what is made at the first call, such as compiled kernels and tables
    seconds = _timed(work, n)
    while n < most and seconds < SECONDS / 4:
        n = min(most, n * min(GROWTH, int(SECONDS / 4 / seconds) + 1))
        seconds = _timed(work, n)
    done, total = n, seconds
    while total < SECONDS:
        total += _timed(work, n)
        done += n
    return done / total


def _timed(work: Callable[[int], object], n: int) -> float:
    check_interrupted()
    begun = perf_counter()
    work(n)
    return max(perf_counter() - begun, 1e-9)


def synthetic_images(n: int, size: int) -> np.ndarray:
    """uint8 (n, size, size, 3): fields of colour with noise on them, always the same ones. For a speed, a photograph's
    smooth parts and edges matter, and not what it shows."""
    rng = np.random.default_rng(0)
    fields = rng.integers(32, 224, (n, 4, 4, 3), dtype=np.uint8)
    side = -(-size // 4)
    images = fields.repeat(side, axis=1).repeat(side, axis=2)[:, :size, :size]
    return images + rng.integers(0, 32, images.shape, dtype=np.uint8)
