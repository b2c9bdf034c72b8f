"""Are an LST-Net's features sparser than a ResNet's? The trained networks of cifar10-jpeg, layer by layer.

    OMP_NUM_THREADS=1 python -m benchmarks.features DATA_DIR     # train/<class>/*.jpg and test/<class>/*.jpg

Reads the checkpoints in results/published/cifar10-jpeg/checkpoints and 1,000 test images of the suite. Writes
features.csv (means of three trainings, 95 % intervals over images) and feature_differences.csv (paired by image and by
seed, with intervals over images and over trainings) into results/published/cifar10-jpeg, and two figures into docs/.
docs/features.md says what came of it. About half an hour on two cores.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from PIL import Image

from lst_robust import FeatureStatistics, feature_statistics
from lst_robust.analysis.features import ALL_LAYERS, CORRUPTED, SPARSITY
from lst_robust.analysis.statistics import spread
from lst_robust.benchmark import CLEAN
from lst_robust.cli.console import RichObserver
from lst_robust.reporting.figures.export import as_bytes
from lst_robust.reporting.figures.features import columns_of, draw_columns, draw_layers, sparsity_panels

SUITE, SEEDS, IMAGES = "cifar10-jpeg", (0, 1, 2), 1000
ROOT = Path(__file__).parents[1]
RESULTS, DOCS = ROOT / "results" / "published" / SUITE, ROOT / "docs"
PAIRS = (
    ("lst20", "resnet20"),
    ("lst20", "lst20-relu"),
    ("lst20", "lst20 untrained"),
    ("resnet20", "resnet20 untrained"),
    ("lst20 untrained", "resnet20 untrained"),
)
SHOWN = ("lst20@seed0", "lst20-relu@seed0", "resnet20@seed0", "lst20@seed0 untrained", "resnet20@seed0 untrained")
RANDOM = "lst20 random"
ZERO = 1e-30  # smaller than any float32 of use: what counts are zeros, as soft thresholding makes them
DIGITS = 5
WIDTH = 1400


def measured(data_dir: Path) -> dict[str, FeatureStatistics]:
    """By step, and those with random initial weights. LST-20 with ReLU begins as LST-20, to what ST at 1e-4 changes, so
    that it is not measured untrained."""
    output = [
        _measured([model], data_dir, untrained=model != "lst20-relu") for model in ("lst20", "lst20-relu", "resnet20")
    ]
    bn = [_measured([model], data_dir, step="bn") for model in ("lst20", "lst20-relu", "resnet20")]
    st = _measured(["lst20", "lst20-relu"], data_dir, step="input", threshold=ZERO, corruptions=())
    return {"output": together(output), "bn": together(bn), "input": st, RANDOM: randomly_begun(data_dir)}


def randomly_begun(data_dir: Path) -> FeatureStatistics:
    """LST-20 untrained, with random weights where the paper has the DCT: clean images."""
    found = _measured(["lst20"], data_dir, corruptions=(), untrained=True, model_options={"init": "random"})
    networks = tuple(replace(one, model=RANDOM) for one in found.networks if not one.trained)
    return replace(found, networks=networks)


def _measured(models: Sequence[str], data_dir: Path, **options: object) -> FeatureStatistics:
    with RichObserver() as observer:
        return feature_statistics(
            [model for model in models for _ in SEEDS],
            SUITE,
            checkpoints=[checkpoint(model, seed) for model in models for seed in SEEDS],
            data_dir=data_dir,
            limit=IMAGES,
            observer=observer,
            **options,  # type: ignore[arg-type]
        )


def checkpoint(model: str, seed: int) -> Path:
    (found,) = (RESULTS / "checkpoints").glob(f"{model}-seed{seed}-*.safetensors")
    return found


def together(parts: Sequence[FeatureStatistics]) -> FeatureStatistics:
    """Measurements of other networks on the same images as one, the untrained ones at the end."""
    assert len({part.ids for part in parts}) == 1
    networks = [network for part in parts for network in part.networks]
    return replace(parts[0], networks=tuple(sorted(networks, key=lambda network: not network.trained)))


def means(statistics: FeatureStatistics) -> pd.DataFrame:
    """Of the trainings together: groups of layers in all measures, single layers in those of sparsity."""
    table = statistics.over_seeds().table()
    if statistics.step == "input":
        table = table[table["measure"].isin(SPARSITY)].replace({"measure": {"small": "zeros"}})
        table["scale_free"] |= table["measure"] == "zeros"
    whole, single = table["layer"] == ALL_LAYERS, table["number"].notna()
    two_cells = table["cell"].isin([CLEAN, CORRUPTED])
    kept = whole | (two_cells & ~single) | (two_cells & single & table["measure"].isin(SPARSITY))
    columns = ["network", "number", "layer", "cell", "measure", "scale_free", "mean", "low", "high", "n"]
    return table.loc[kept, columns]


def differences(statistics: FeatureStatistics) -> pd.DataFrame:
    """Of pairs of networks: the mean over seeds, by seed, and both kinds of intervals."""
    folded = statistics.over_seeds()
    labels = {network.label for network in folded.networks}
    parts = []
    for a, b in PAIRS:
        if not {a, b} <= labels:
            continue
        found = folded.difference(a, b)
        found = found[found["cell"].isin([CLEAN, CORRUPTED])].reset_index(drop=True)
        key = ["layer", "cell", "measure"]
        for seed in SEEDS:
            own = statistics.difference(_of_seed(a, seed), _of_seed(b, seed))
            found[f"seed{seed}"] = found[key].merge(own, on=key, how="left")["difference"]
        seeds = found[[f"seed{seed}" for seed in SEEDS]].to_numpy().tolist()
        spreads = [one for one in map(spread, seeds) if one is not None]
        found["trainings_low"], found["trainings_high"] = [one.low for one in spreads], [one.high for one in spreads]
        parts.append(found)
    return pd.concat(parts)


def _of_seed(network: str, seed: int) -> str:
    model, _, rest = network.partition(" ")
    return f"{model}@seed{seed} {rest}".strip()


def write(found: Mapping[str, FeatureStatistics]) -> None:
    """The tables and the figures of the measurements by step."""
    for name, table in (("features", means), ("feature_differences", differences)):
        parts = []
        for key, statistics in found.items():
            if key in ("output", "bn") or table is means:
                made = table(statistics)
                made.insert(0, "step", statistics.step)
                parts.append(made)
        path = RESULTS / f"{name}.csv"
        pd.concat(parts).round(DIGITS).to_csv(path, index=False, lineterminator="\n")
        print(f"wrote {path}")
    output = found["output"]
    columns = {one.name: one for one in columns_of(output)}
    figures = {
        "features.png": draw_columns([columns[name]._replace(name=name.replace("@seed0", "")) for name in SHOWN]),
        "features-layers.png": draw_layers(sparsity_panels(output.over_seeds())),
    }
    for name, figure in figures.items():
        (DOCS / name).write_bytes(small(as_bytes(figure, "png")))
        print(f"wrote {DOCS / name}")


def small(png: bytes) -> bytes:
    """A picture for a page: 1,400 pixels wide, 256 colours."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    size = (WIDTH, round(picture.height * WIDTH / picture.width))
    content = io.BytesIO()
    picture.resize(size, Image.Resampling.LANCZOS).quantize(256).save(content, "PNG", optimize=True)
    return content.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_dir", type=Path)
    write(measured(parser.parse_args().data_dir))


if __name__ == "__main__":
    main()
