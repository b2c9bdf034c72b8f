"""What an evaluation costs beside the network's forward passes: decoding, corrupting, comparing, writing records.

    python benchmarks/overhead.py --data-dir cifar10-jpeg            # ResNet-20 on CIFAR-10's test images, all 96 cells
    python benchmarks/overhead.py --severities 3 --rounds 5          # on crops of a photograph, where there is no data

Each round measures both sides, one after the other and in turns first: the whole of `lst_robust.evaluate` on fresh
results, and as many forward passes over the same images, decoded before, normalised on the way. Weights are random: the
time does not depend on them. Printed is the evaluation's wall time over the forward passes'.
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
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

import lst_robust
from lst_robust.data import open_source
from lst_robust.evaluation.inference import predict
from lst_robust.models.allocator import keep_memory_mapped
from lst_robust.models.inference import optimize_for_inference
from lst_robust.preprocess import Preprocess

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


def forward_passes(
    model: torch.nn.Module, images: np.ndarray, labels: np.ndarray, classes: int, batch_size: int, cells: int
) -> None:
    suite = lst_robust.load_suite("cifar10-jpeg")
    preprocess = Preprocess(suite.pixels.mean, suite.pixels.std, torch.device("cpu"))
    model = optimize_for_inference(model).to(memory_format=torch.channels_last)
    for _ in range(cells):
        for start in range(0, len(images), batch_size):
            part = slice(start, start + batch_size)
            predict(model, preprocess, images[part], labels[part], classes)


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
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_memory_mapped()  # for both sides, as the command line does
    suite = lst_robust.load_suite("cifar10-jpeg")
    batch_size = suite.batch_size
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
        rows = []
        for number in range(options.rounds):
            sides = {
                "evaluation": lambda number=number: evaluation(number),
                "forward": lambda: forward_passes(model, images, source.labels, len(source.classes), batch_size, cells),
            }
            order = list(sides) if number % 2 == 0 else list(reversed(sides))
            took = {side: seconds(sides[side]) for side in order}
            rows.append(took)
            print(
                f"round {number + 1}: evaluation {took['evaluation']:.1f} s, forward passes {took['forward']:.1f} s, "
                f"ratio {took['evaluation'] / took['forward']:.3f}",
                flush=True,
            )
    ratios = [row["evaluation"] / row["forward"] for row in rows]
    print(
        f"{options.model}, {len(source)} images, {cells} cells, batches of {batch_size}, {options.threads} threads: "
        f"median ratio {statistics.median(ratios):.3f} (from {min(ratios):.3f} to {max(ratios):.3f}, "
        f"{options.rounds} rounds)"
    )


if __name__ == "__main__":
    main()
