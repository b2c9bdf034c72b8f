"""How fast the corruption engine is: ours against repaired imagecorruptions, and against the plain definitions.

    python -m benchmarks.corruptions --out results/published/corruption_speed.csv

Milliseconds of processor time an image, one thread, medians of alternating rounds in this one process, on crops of the
photographs that ship with scikit-learn:

- `224`: imagecorruptions' constants, 224 x 224, theirs one image after the other (it takes no batches);
- `32`: the same on 32 x 32 images, ours in a batch of 256;
- `32-plain`: cifar's constants, our own NumPy definitions in batches of 256 against our kernels on the same images.

Then images a second of `corrupt` with 1 and 2 threads, seconds to compile every kernel on an empty cache and to load
them from it, and the peak memory of a process that makes all 95 cells.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from sklearn.datasets import load_sample_images

from lst_robust.corruptions import ENGINE_VERSION, constants, corrupt, corruption_named, corruption_names
from lst_robust.corruptions.reference import reference_corrupt
from lst_robust.corruptions.streams import Streams
from lst_robust.runtime.allocator import keep_memory_mapped

SEVERITIES = (1, 3, 5)
ALL_CELLS = """
import resource, sys, time
import numpy as np
from lst_robust.corruptions import corrupt, corruption_names
images = np.random.default_rng(0).integers(0, 256, (int(sys.argv[1]), 224, 224, 3), dtype=np.uint8)
start = time.perf_counter()
for severity in range(1, 1 + int(sys.argv[2])):
    for name in corruption_names():
        corrupt(images, name, severity, preset="imagenet", workers=2)
print(time.perf_counter() - start, time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def photographs(size: int, count: int) -> np.ndarray:
    """uint8 (count, size, size, 3): random crops, seeded."""
    pictures, generator = load_sample_images().images, np.random.default_rng(0)
    crops = []
    for i in range(count):
        picture = pictures[i % len(pictures)]
        y, x = (int(generator.integers(0, side - size)) for side in picture.shape[:2])
        crops.append(picture[y : y + size, x : x + size])
    return np.stack(crops)


def alternate(functions: dict[str, Callable[[], object]], images: dict[str, int], rounds: int) -> dict[str, float]:
    """Median milliseconds an image of each function, run in turn; the first round (compiling) is not counted."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for round_ in range(rounds + 1):
        for name, function in functions.items():
            start = time.process_time()  # what else the machine does is not ours
            function()
            if round_:
                times[name].append((time.process_time() - start) / images[name] * 1000)
    return {name: float(np.median(values)) for name, values in times.items()}


def measure(comparison: str, name: str, severity: int, rounds: int) -> dict[str, object]:
    """One row: milliseconds an image of the other and of ours."""
    if comparison == "32-plain":
        images, c = photographs(32, 256), constants(name, severity, "cifar")
        streams, corruption = Streams.for_images(ENGINE_VERSION, 0, name, severity, range(256)), corruption_named(name)
        few = images

        def other() -> object:
            return corruption.apply(few, corruption.draw(streams, 32, 32, c), c)

        def ours() -> object:
            return corrupt(images, name, severity, preset="cifar")
    else:
        size, count = (224, 16) if comparison == "224" else (32, 256)
        images = photographs(size, count)
        few = images[: 1 if name == "glass_blur" else 4 if size == 224 else 16]

        def other() -> object:
            return reference_corrupt(few, name, severity)

        def ours() -> object:
            return corrupt(images, name, severity, preset="imagenet", style="imagecorruptions")

    speed = alternate({"other": other, "ours": ours}, {"other": len(few), "ours": len(images)}, rounds)
    ratio = speed["other"] / speed["ours"]
    return {"comparison": comparison, "corruption": name, "severity": severity, **speed, "ratio": ratio}


def all_cells(count: int, severities: int, **environment: str) -> tuple[float, float, float]:
    """Seconds spent in `corrupt`, processor seconds and peak megabytes of a new process over all functions."""
    command = [sys.executable, "-c", ALL_CELLS, str(count), str(severities)]
    process = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    seconds, processor_seconds, megabytes = map(float, process.stdout.split())
    return seconds, processor_seconds, megabytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--corruptions", nargs="*", default=list(corruption_names()))
    parser.add_argument("--comparisons", nargs="*", default=["224", "32", "32-plain"])
    parser.add_argument("--severities", nargs="*", type=int, default=list(SEVERITIES))
    parser.add_argument("--process/--no-process", dest="process", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--out", type=Path, help="write the rows as CSV")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    keep_memory_mapped()  # else each side pays for the pages that the other has just given back

    rows = []
    for comparison in options.comparisons:
        for name in options.corruptions:
            for severity in options.severities:
                rows.append(measure(comparison, name, severity, options.rounds))
                print(
                    "{comparison:9} {corruption:18} {severity} {other:10.3f} {ours:8.4f} {ratio:8.1f}x".format(
                        **rows[-1]
                    )
                )
    table = pd.DataFrame(rows)
    logs = table.assign(log=np.log(table["ratio"])).groupby(["comparison", "severity"])["log"].mean()
    print("\ngeometric mean of the ratios\n" + np.exp(logs).unstack().round(1).to_string())
    slowest = table.loc[
        table.groupby("comparison")["ratio"].idxmin(), ["comparison", "corruption", "severity", "ratio"]
    ]
    print("\nleast ratio\n" + slowest.to_string(index=False))

    images = photographs(224, 32)
    for workers in (1, 2):
        start = time.perf_counter()
        for name in options.corruptions:
            corrupt(images, name, 3, preset="imagenet", workers=workers)
        per_second = len(images) * len(options.corruptions) / (time.perf_counter() - start)
        print(f"{workers} threads: {per_second:.0f} img/s at 224, severity 3")
    if options.process:
        with tempfile.TemporaryDirectory() as folder:
            _, cold, _ = all_cells(2, 1, XDG_CACHE_HOME=folder)
            seconds, warm, _ = all_cells(2, 1, XDG_CACHE_HOME=folder)
        print(
            f"compiling all kernels: {cold - warm:.0f} processor seconds; from the cache: all calls in {seconds:.1f} s"
        )
        seconds, _, megabytes = all_cells(64, 5)
        print(f"95 cells of 64 images of 224 with 2 threads: {seconds:.0f} s, peak memory {megabytes:.0f} MB")
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    if options.out:
        table.round(4).to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
