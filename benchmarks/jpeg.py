"""How fast images go through JPEG in memory: our kernel against Pillow's saving and reading.

    python -m benchmarks.jpeg --out results/published/jpeg_speed.csv

Processor time of one thread, medians of alternating rounds in this one process, on crops of the photographs that ship
with scikit-learn:

- `round trip`: milliseconds an image at the official quality 85 and at those of jpeg_compression;
- `protocol`: images a second of what a suite of the protocol generated-jpeg does, a corruption and then JPEG, over all
  19 corruptions at severity 3.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.corruptions import alternate, photographs
from lst_robust.benchmark import CORRUPTIONS
from lst_robust.corruptions import corrupt
from lst_robust.corruptions.digital import Jpeg, apply_jpeg_compression
from lst_robust.corruptions.jpeg import OFFICIAL_QUALITY
from lst_robust.corruptions.kernels.jpeg import jpeg_round_trip, pillow_has_these_bytes
from lst_robust.runtime.allocator import keep_memory_mapped

ROUND_TRIPS = ((224, 85), (224, 25), (224, 7), (32, 50))
IMAGES = {224: 32, 32: 512}


def with_pillow(images: np.ndarray, quality: int) -> np.ndarray:
    return apply_jpeg_compression(images, {}, Jpeg(quality))


def round_trip(size: int, quality: int, rounds: int) -> dict[str, object]:
    images = photographs(size, IMAGES[size])
    functions = {"pillow": lambda: with_pillow(images, quality), "kernel": lambda: jpeg_round_trip(images, quality)}
    speed = alternate(functions, dict.fromkeys(functions, len(images)), rounds)
    row = {"what": "round trip", "size": size, "quality": quality, "unit": "ms", **speed}
    return row | {"ratio": speed["pillow"] / speed["kernel"]}


def protocol(rounds: int) -> dict[str, object]:
    images = photographs(224, IMAGES[224])

    def all_corruptions(through_jpeg) -> None:
        for name in CORRUPTIONS:
            through_jpeg(corrupt(images, name, 3, preset="imagenet"), OFFICIAL_QUALITY)

    functions = {"pillow": lambda: all_corruptions(with_pillow), "kernel": lambda: all_corruptions(jpeg_round_trip)}
    speed = alternate(functions, dict.fromkeys(functions, len(images) * len(CORRUPTIONS)), rounds)
    rates = {name: 1000 / milliseconds for name, milliseconds in speed.items()}
    row = {"what": "protocol", "size": 224, "quality": OFFICIAL_QUALITY, "unit": "images/s", **rates}
    return row | {"ratio": rates["kernel"] / rates["pillow"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, help="write the rows as CSV")
    options = parser.parse_args()
    keep_memory_mapped()  # else each side pays for the pages that the other has just given back
    if not pillow_has_these_bytes():
        parser.error("this Pillow has another libjpeg than its wheels: the kernel is not used with it")
    rows = [round_trip(size, quality, options.rounds) for size, quality in ROUND_TRIPS]
    table = pd.DataFrame([*rows, protocol(max(1, options.rounds // 3))])
    print(table.round(4).to_string(index=False))
    if options.out:
        table.round(4).to_csv(options.out, index=False)


if __name__ == "__main__":
    main()
