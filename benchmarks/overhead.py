r"""What an evaluation costs beside the network's forward passes: decoding, corrupting, comparing, writing records.

    python benchmarks/overhead.py --data-dir cifar10-jpeg            # ResNet-20 on CIFAR-10's test images, all 96 cells
    python benchmarks/overhead.py --data-dir cifar10-jpeg --images 2500 --severities 3 --rounds 3 \
        --csv results/published/overhead.csv
    python benchmarks/overhead.py --severities 3 --rounds 5          # on crops of a photograph, where there is no data

Each round measures three sides, in turns from the first or from the last: the whole of `lst_robust.evaluate` on fresh
results; as many forward passes over the same images, decoded before, normalised on the way, in the suite's batches on
all of torch's threads; and those passes as the evaluation does them, which on a CPU gives each thread batches of its
own. Weights are random: the time does not depend on them. Printed is the evaluation's wall time over either.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

import lst_robust
from lst_robust.data import open_source
from lst_robust.evaluation.inference import InferenceRunner, InferenceSettings
from lst_robust.models.optimize import optimize_for_inference
from lst_robust.runtime.allocator import keep_memory_mapped

SIZE = 32


def photograph_crops(folder: Path, n: int) -> None:
    """An image folder of two classes with n test images: random crops of a photograph that ships with scikit-image."""
    from skimage.data import astronaut

    picture, rng = astronaut(), np.random.default_rng(0)
    for split, count in (("train", 2), ("test", n)):
        for i in range(count):
            y, x = rng.integers(0, 512 - SIZE, 2)
            path = folder / split / str(i % 2) / f"{i:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture[y : y + SIZE, x : x + SIZE]).save(path, quality=95)


def cell_after_cell(runner: InferenceRunner, images: np.ndarray, labels: np.ndarray, cells: int) -> None:
    """Forward passes alone, as many as an evaluation makes."""
    for _ in range(cells):
        for _ in runner.outcomes(lambda batch: images[batch.start : batch.stop], labels):
            pass


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnet20")
    parser.add_argument("--data-dir", type=Path, help="train/<class>/* and test/<class>/* of 32-pixel images")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--severities", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--csv", type=Path, help="file for the seconds of each round")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_memory_mapped()  # for both sides, as the command line does
    suite = lst_robust.load_suite("cifar10-jpeg")
    with tempfile.TemporaryDirectory() as folder:
        data = options.data_dir or Path(folder) / "images"
        if options.data_dir is None:
            photograph_crops(data, options.images)
        source = open_source(suite.dataset, "test", image_size=SIZE, data_dir=data).subset(options.images)
        images = source.read(range(len(source)), options.threads)
        torch.manual_seed(0)
        model = lst_robust.create_model(options.model, num_classes=len(source.classes))
        cells = 1 + 19 * len(options.severities)

        def evaluation(number: int) -> None:
            lst_robust.evaluate(
                model,
                suite,
                data_dir=data,
                limit=options.images,
                severities=options.severities,
                workers=options.threads,
                results_dir=Path(folder) / f"results-{number}",
            )

        lst_robust.evaluate(
            model, suite, data_dir=data, limit=64, results_dir=Path(folder) / "warm"
        )  # kernels compiled
        network, classes = optimize_for_inference(model), len(source.classes)
        one_by_one, shared_out = (
            InferenceRunner(
                network, suite.pixels, classes, InferenceSettings(torch.device("cpu"), suite.batch_size, workers), SIZE
            )
            for workers in (1, options.threads)
        )
        sides: dict[str, Callable[[int], None]] = {
            "evaluation": evaluation,
            "forward passes": lambda _: cell_after_cell(one_by_one, images, source.labels, cells),
            "shared out": lambda _: cell_after_cell(shared_out, images, source.labels, cells),
        }
        rows = []
        for number in range(options.rounds):
            order = list(sides) if number % 2 == 0 else list(reversed(sides))
            took = {side: seconds(lambda side=side, number=number: sides[side](number)) for side in order}
            rows.append(took)
            print(f"round {number + 1}: " + ", ".join(f"{side} {took[side]:.1f} s" for side in sides), flush=True)
    print(
        f"{options.model}, {len(source)} images, {cells} cells, batches of {suite.batch_size}, {options.threads} "
        f"threads, {options.rounds} rounds; the evaluation over"
    )
    if options.csv:
        fixed = {"model": options.model, "images": len(source), "cells": cells, "threads": options.threads}
        pd.DataFrame([fixed | row for row in rows]).round(3).to_csv(options.csv, index=False)
    for side in list(sides)[1:]:
        ratios = [row["evaluation"] / row[side] for row in rows]
        print(f"  {side}: median {statistics.median(ratios):.3f} (from {min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    main()
