"""How often a 95 % interval over images holds the truth, where the truth is known.

    python -m benchmarks.interval_coverage          # some minutes on one core; writes results/published/coverage.csv

Images are drawn that are hard in all cells or easy in all, with an error of each cell that is chosen beforehand. So
every metric of all such images is known, and an interval from n of them either holds it or not.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtri

from lst_robust import published_normaliser
from lst_robust.analysis import statistics
from lst_robust.analysis.metrics import image_metrics
from lst_robust.analysis.scores import cell_weights, weighted
from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, SEVERITIES, Cell

FILE = Path(__file__).parents[1] / "results" / "published" / "coverage.csv"
CELLS = [CLEAN_CELL, *(Cell(name, severity) for name in CORRUPTIONS for severity in SEVERITIES)]
SETTINGS = ((500, 0.05, 0.9), (200, 0.2, 0.7), (1000, 0.01, 0.3))
"""(n images, error of the first cell, error of the last), errors in [0, 1]."""
TRIALS, SEED = 1000, 2024


def wrong_images(generator: np.random.Generator, n: int, errors: np.ndarray) -> dict[Cell, np.ndarray]:
    """Of each cell, bool (n,): an image is wrong where its hardness and a noise, both standard normal, are together
    below a threshold. errors: float64 (cells,), in [0, 1]."""
    hardness = generator.normal(size=n)
    thresholds = ndtri(errors) * np.sqrt(2)
    return {
        cell: hardness + generator.normal(size=n) < threshold for cell, threshold in zip(CELLS, thresholds, strict=True)
    }


def held(n: int, low: float, high: float) -> dict[str, int]:
    """Of each metric, in how many of the trials its interval held the truth."""
    generator, normaliser = np.random.default_rng(SEED), published_normaliser()
    names = [metric.name for metric in image_metrics()]
    errors = np.linspace(low, high, len(CELLS))
    truth = {name: 100 * weights @ errors for name, weights in cell_weights(CELLS, normaliser).items() if name in names}
    counts = dict.fromkeys(names, 0)
    for _ in range(TRIALS):
        scores = weighted(wrong_images(generator, n, errors), normaliser, names)
        for name, (start, end) in zip(scores.names, statistics.intervals(scores.values), strict=True):
            counts[name] += bool(start <= truth[name] <= end)
    return counts


def main() -> None:
    rows = [
        {"n": n, "lowest_error": low, "highest_error": high, "metric": name, "trials": TRIALS, "held": count}
        for n, low, high in SETTINGS
        for name, count in held(n, low, high).items()
    ]
    pd.DataFrame(rows).to_csv(FILE, index=False)
    print(f"wrote {FILE}")


if __name__ == "__main__":
    main()
