"""Are an LST-Net's features sparser than a ResNet's? The trained networks of results/cifar10-jpeg, layer by layer.

python -m benchmarks.features DATA_DIR [--images 1000]

Reads the checkpoints in results/cifar10-jpeg/checkpoints and the test images of the suite. Writes features.csv (means
of three trainings, 95 % intervals over images) and feature_differences.csv (paired by image and by seed, with intervals
over images and over trainings) into results/cifar10-jpeg. docs/features.md says what came of it. About half an hour on
two cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from lst_robust import FeatureStatistics, feature_statistics
from lst_robust.analysis.features import ALL_LAYERS, CORRUPTED, SPARSITY
from lst_robust.analysis.statistics import spread
from lst_robust.benchmark import CLEAN
from lst_robust.cli.console import RichObserver

SUITE, SEEDS = "cifar10-jpeg", (0, 1, 2)
RESULTS = Path(__file__).parents[1] / "results" / SUITE
STEPS = ("output", "bn")
PAIRS = (
    ("lst20", "resnet20"),
    ("lst20", "lst20-relu"),
    ("lst20", "lst20 untrained"),
    ("resnet20", "resnet20 untrained"),
    ("lst20 untrained", "resnet20 untrained"),
)
DIGITS = 5


def measured(data_dir: Path, step: str, images: int) -> FeatureStatistics:
    """All networks of the experiment, trained and untrained: but one, as ST at 1e-4 does next to nothing to initial
    weights, so that LST-20 with ReLU begins as LST-20."""
    first = _measured(("lst20", "resnet20"), data_dir, step, images, untrained=True)
    second = _measured(("lst20-relu",), data_dir, step, images, untrained=False)
    return replace(first, networks=first.networks + second.networks)


def _measured(models: Sequence[str], data_dir: Path, step: str, images: int, *, untrained: bool) -> FeatureStatistics:
    with RichObserver() as observer:
        return feature_statistics(
            [model for model in models for _ in SEEDS],
            SUITE,
            checkpoints=[checkpoint(model, seed) for model in models for seed in SEEDS],
            data_dir=data_dir,
            limit=images,
            step=step,  # type: ignore[arg-type]
            untrained=untrained,
            observer=observer,
        )


def checkpoint(model: str, seed: int) -> Path:
    (found,) = (RESULTS / "checkpoints").glob(f"{model}-seed{seed}-*.safetensors")
    return found


def means(statistics: FeatureStatistics) -> pd.DataFrame:
    """Of the trainings together: groups of layers in all measures, single layers in those of sparsity."""
    table = statistics.over_seeds().table()
    whole = table["layer"] == ALL_LAYERS
    two_cells = table["cell"].isin([CLEAN, CORRUPTED])
    single = table["number"].notna()
    kept = whole | (two_cells & ~single) | (two_cells & single & table["measure"].isin(SPARSITY))
    columns = ["network", "number", "layer", "cell", "measure", "scale_free", "mean", "low", "high", "n"]
    return table.loc[kept, columns]


def differences(statistics: FeatureStatistics) -> pd.DataFrame:
    """Of pairs of networks: the mean over seeds, by seed, and both kinds of intervals."""
    together = statistics.over_seeds()
    parts = []
    for a, b in PAIRS:
        found = together.difference(a, b)
        found = found[found["cell"].isin([CLEAN, CORRUPTED])].reset_index(drop=True)
        by_seed = [statistics.difference(_of_seed(a, seed), _of_seed(b, seed)) for seed in SEEDS]
        key = ["layer", "cell", "measure"]
        seeds = [found[key].merge(one, on=key, how="left")["difference"] for one in by_seed]
        for seed, values in zip(SEEDS, seeds, strict=True):
            found[f"seed{seed}"] = values
        spreads = [spread(list(values)) for values in zip(*seeds, strict=True)]
        found["trainings_low"] = [one.low for one in spreads if one]
        found["trainings_high"] = [one.high for one in spreads if one]
        parts.append(found)
    return pd.concat(parts)


def _of_seed(network: str, seed: int) -> str:
    model, _, rest = network.partition(" ")
    return f"{model}@seed{seed} {rest}".strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    tables: dict[str, list[pd.DataFrame]] = {"features": [], "feature_differences": []}
    for step in STEPS:
        statistics = measured(given.data_dir, step, given.images)
        for name, made in (("features", means(statistics)), ("feature_differences", differences(statistics))):
            made.insert(0, "step", step)
            tables[name].append(made)
    for name, parts in tables.items():
        path = given.out / f"{name}.csv"
        pd.concat(parts).round(DIGITS).to_csv(path, index=False, lineterminator="\n")
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
