"""What bounds the training of LST-Nets on this machine's CPU: bytes, products and time of every pass of one step.

    python benchmarks/lst_bytes.py --net lst20 --out results/published/lst_passes.csv

Bytes are those of the activations that a pass reads and writes, from their shapes. Products (multiply-adds) are those
of the formulas. Time is CPU time of one thread, the median of the steps. The rows `copy` and `convolution` are
what torch does at best: a copy of 256 MB, and a 3x3 convolution of 256 channels that fits into the caches.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.tables_lst import PASSES
from lst_robust.errors import UsageError
from lst_robust.models import create_model
from lst_robust.models.lst.kernels import chain, shortcut
from lst_robust.models.lst.kernels.library import kernels_ready
from lst_robust.runtime.allocator import keep_memory_mapped


def products(name: str, images: list[Tensor], stride: int = 1) -> int:
    """Multiply-adds of a call, from the images it is given and makes. stride: of T_s, in `statistics`, whose output is
    not among them."""
    pixels, channels = [x.numel() // x.shape[1] for x in images], [x.shape[1] for x in images]
    if name == "pointwise":  # x, out
        return pixels[0] * channels[0] * channels[1]
    if name == "mix_backward":  # y, v, dz, dy
        return 2 * pixels[0] * channels[0] ** 2
    if name == "resize_backward_":  # dx, x, y, dy
        return 2 * pixels[1] * channels[1] * channels[2]
    if name == "statistics":  # v
        count, channels_of_v, height, width = images[0].shape
        return 36 * count * channels_of_v * -(-height // stride) * -(-width // stride)
    if name in ("tail_", "tail_resize_", "backward_sums"):  # v, two wide ones, perhaps the next y or g
        behind = channels[3] if name == "tail_resize_" else 0
        return pixels[2] * channels[2] * (9 + behind)
    if name == "resize_backward_sums_":  # g, y, dy, v, out
        return pixels[0] * channels[0] * (9 + 2 * channels[1])
    if name == "backward":  # v, g, dz
        return 3 * 9 * pixels[1] * channels[1]
    return max(p * c for p, c in zip(pixels, channels, strict=True))  # one for each channel


class Recorder:
    """Stands for torch.ops.lst_robust and notes what is called."""

    def __init__(self, operators: Any) -> None:
        self.operators = operators
        self.calls: dict[tuple[str, str], list[tuple[float, int, int]]] = defaultdict(list)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operator = getattr(self.operators, name)

        def call(*arguments: Any) -> Any:
            started = time.thread_time()
            result = operator(*arguments)
            seconds = time.thread_time() - started
            made = result if isinstance(result, tuple) else (result,)
            images = [x for x in (*arguments, *made) if is_image(x)]
            if name in PASSES:
                written_again = images[0].numel() if name in ("resize_backward_sums_", "resize_backward_") else 0
                count = sum(x.numel() for x in images) + written_again
                where = max(images, key=lambda x: (x.shape[2], x.shape[1]))
                shape = f"{where.shape[2]} px, {where.shape[1]} channels"
                stride = arguments[1] if name == "statistics" else 1
                self.calls[name, shape].append((seconds, 4 * count, products(name, images, stride)))
            return result

        return call


def is_image(x: Any) -> bool:
    return isinstance(x, Tensor) and x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)


def best(call: Callable[[], object], repeats: int = 9) -> float:
    """Seconds of the fastest of some calls."""
    seconds = []
    for _ in range(repeats):
        started = time.thread_time()
        call()
        seconds.append(time.thread_time() - started)
    return min(seconds)


def machine() -> list[dict[str, Any]]:
    """The machine's rows: a copy, and a convolution."""
    wide, to = torch.ones(1 << 26), torch.empty(1 << 26)
    images, weight = (
        torch.ones(1, 256, 32, 32).contiguous(memory_format=torch.channels_last),
        torch.ones(256, 256, 3, 3),
    )
    convolve = torch.no_grad()(lambda: F.conv2d(images, weight, padding=1))
    rows = {
        "copy": (best(lambda: to.copy_(wide)), 8 << 26, 0),
        "convolution": (best(convolve, 99), 0, 9 * 256 * 256 * 32 * 32),
    }
    return [row(name, "", 1, *values) for name, values in rows.items()]


def row(name: str, shape: str, calls: int, seconds: float, count: int, multiplied: int) -> dict[str, Any]:
    return {
        "pass": name,
        "shape": shape,
        "calls": calls,
        "ms": round(1e3 * seconds, 3),
        "mb": round(count / 1e6, 1),
        "mega_products": round(multiplied / 1e6, 1),
    }


def measure(net: str, size: int, batch: int, steps: int) -> list[dict[str, Any]]:
    """A row for every operator and shape, sums over a step, and one for the whole step."""
    torch.manual_seed(0)
    model = create_model(net, num_classes=10, image_size=size).train().to(memory_format=torch.channels_last)
    images = torch.randn(batch, 3, size, size).contiguous(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9)
    seconds = []
    recorder = Recorder(torch.ops.lst_robust)
    chain._ops = shortcut._ops = recorder
    for number in range(steps + 2):  # two while memory settles
        if number == 2:
            recorder.calls.clear()
            seconds.clear()
        started = time.thread_time()
        loss = F.cross_entropy(model(images), torch.arange(batch) % 10)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seconds.append(time.thread_time() - started)
    rows = []
    for (name, shape), calls in recorder.calls.items():
        a_step = len(calls) // steps
        values = [
            statistics.median(call[0] for call in calls) * a_step,
            *(sum(c) // steps for c in list(zip(*calls, strict=True))[1:]),
        ]
        rows.append(row(name, shape, a_step, *values))
    return [*rows, row("step", f"{net}, {batch} images of {size} px", 1, statistics.median(seconds), 0, 0)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", default="lst20")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=9)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory_mapped()
    if not kernels_ready():
        raise UsageError("the compiled kernels are what is measured: install a C++ compiler")
    rows = machine() + measure(arguments.net, arguments.size, arguments.batch_size, arguments.steps)
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    if arguments.out:
        table.to_csv(arguments.out, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
