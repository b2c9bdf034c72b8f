"""How near the torch engine comes to the plain definitions: pixels that differ, and by how many levels.

    python -m benchmarks.fidelity --out results/published/torch_engine.csv             # on torch's CPU device
    python -m benchmarks.fidelity --device cuda --out build/fidelity.csv

All 19 corruptions, five severities, three presets, and the style `imagecorruptions`, each at its own size on the images
that are hardest to get equal: photographs, noise, ramps and flat colours, on whose exact levels a last bit decides.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_sample_images

from benchmarks.endings import one_line_errors
from lst_robust.benchmark import SEVERITIES
from lst_robust.corruptions import corrupt, corruption_named, corruption_names
from lst_robust.runtime.devices import resolve_device
from lst_robust.runtime.files import check_output
from lst_robust.torch_engine import corrupt_tensor


class Kind(NamedTuple):
    """A preset in a style, at the size of its images."""

    preset: str
    style: str
    size: int


KINDS = (
    Kind("imagenet", "hendrycks", 224),
    Kind("imagenet", "imagecorruptions", 224),
    Kind("tiny-imagenet", "hendrycks", 64),
    Kind("cifar", "hendrycks", 32),
)
PHOTOGRAPHS = {224: 6, 64: 32, 32: 64}
"""Of each size; and half as many of the others together."""
MORE = {"contrast": 40}
"""Times as many images where differences are known to be rare."""


def test_images(size: int, photographs: int) -> np.ndarray:
    """uint8 (N, size, size, 3): crops of photographs, then noise, ramps, and flat colours; seeded."""
    random = np.random.default_rng(size)
    crops = []
    for picture in [load_sample_images().images[i % 2] for i in range(photographs)]:
        y, x = (int(random.integers(0, side - size)) for side in picture.shape[:2])
        crops.append(picture[y : y + size, x : x + size])
    few = max(2, photographs // 6)
    noise = random.integers(0, 256, (few, size, size, 3))
    ramp = np.linspace(0, 255, size).astype(int)[None, :, None, None] + random.integers(-60, 60, (few, 1, size, 1))
    ramps = np.broadcast_to(ramp.clip(0, 255), (few, size, size, 3))
    flat = np.broadcast_to(random.integers(0, 256, (few, 1, 1, 3)), (few, size, size, 3))
    return np.concatenate([np.stack(crops), noise, ramps, flat]).astype(np.uint8)


def differences(kind: Kind, name: str, severity: int, images: np.ndarray, device: torch.device) -> dict[str, object]:
    """One row: how many of the values differ between the two engines, by how many levels at most and on average."""
    arguments = {"preset": kind.preset, "style": kind.style, "seed": 0}
    host = corrupt(images, name, severity, **arguments)
    made = corrupt_tensor(torch.from_numpy(images).to(device), name, severity, **arguments).cpu().numpy()
    apart = np.abs(made.astype(int) - host)
    return {
        **kind._asdict(),
        "corruption": name,
        "severity": severity,
        "images": len(images),
        "values": apart.size,
        "different": int(np.count_nonzero(apart)),
        "most_levels": int(apart.max()),
        "mean_levels": float(apart.mean()),
    }


def measured(kinds: Sequence[Kind], severities: Sequence[int], device: torch.device, share: float) -> Iterator[dict]:
    """The rows of all cells. share: of the usual number of images."""
    for kind in kinds:
        few = test_images(kind.size, max(1, round(PHOTOGRAPHS[kind.size] * share)))
        for name in corruption_names():
            if kind.style != "hendrycks" and corruption_named(name).imagecorruptions is None:
                continue  # the same constants as before
            images = few
            if name in MORE:
                images = test_images(kind.size, max(1, round(PHOTOGRAPHS[kind.size] * share * MORE[name])))
            for severity in severities:
                yield differences(kind, name, severity, images, device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--share", type=float, default=1.0, help="of the usual number of images")
    parser.add_argument("--severities", nargs="+", type=int, choices=SEVERITIES, default=list(SEVERITIES))
    parser.add_argument("--out", type=Path, help="write the rows as CSV")
    options = parser.parse_args()
    if not 0 < options.share < math.inf:
        parser.error(f"--share is {options.share}: give a number above 0, such as 0.1")
    with one_line_errors():
        device = resolve_device(options.device)
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            check_output("--out", options.out)
        table = pd.DataFrame(shown(measured(KINDS, options.severities, device, options.share)))
        equal = table.groupby("corruption", sort=False)["different"].sum() == 0
        print(f"equal to the last byte in all cells: {', '.join(equal.index[equal])}")
        if options.out:
            table.to_csv(options.out, index=False)


def shown(rows: Iterable[dict]) -> list[dict]:
    """The rows. What differs is printed at once, and in a terminal how many cells are done."""
    found: list[dict] = []
    started = time.perf_counter()
    for row in rows:
        found.append(row)
        if row["different"]:
            where = f"{row['preset']:14}{row['style']:18}{row['corruption']:18}{row['severity']}"
            print(f"{where}  {row['different']:8} of {row['values']}, at most {row['most_levels']}")
        if sys.stderr.isatty():
            print(f"{len(found)} cells, {time.perf_counter() - started:.0f} s", end="\r", file=sys.stderr)
    return found


if __name__ == "__main__":
    main()
