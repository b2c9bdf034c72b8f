"""Images a second in training: LST-Nets, ResNets of the same depth, and the authors' formulation of LST."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.gpu.images import CLASSES, Crops
from benchmarks.gpu.scale import Scale
from benchmarks.gpu.timing import forget_peak, peak_bytes
from benchmarks.lst_speed import authors_form
from lst_robust.models import create_model
from lst_robust.runtime.progress import Silent
from lst_robust.runtime.resources import Resources
from lst_robust.suites import PixelStatistics
from lst_robust.suites.recipe import Augmentation, Recipe
from lst_robust.training.loop import TrainingImages, fit
from lst_robust.training.state import ResumeFile

PAIRS = {32: ("lst20", "resnet20"), 224: ("lst18", "resnet18")}
CIFAR_EPOCHS, CIFAR_IMAGES = 160, 50_000


def trainings(device: torch.device, scale: Scale) -> Iterator[dict[str, Any]]:
    """A row a network: images a second in the second of two epochs, crops and flips included."""
    pixels = PixelStatistics(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    for side, (lst, resnet) in PAIRS.items():
        source = Crops(side, scale.trained[side])
        recipe = Recipe(
            epochs=2, batch_size=scale.trained_batch[side], optimizer="sgd", lr=0.01, weight_decay=5e-4,
            augmentation=Augmentation(crop_padding=4, flip=True),
        )  # fmt: skip
        for name, network in networks(lst, resnet, side).items():
            forget_peak(device)
            with tempfile.TemporaryDirectory() as folder:
                resources = Resources.of(device, None, Silent())
                fitted = fit(
                    network, TrainingImages(source), recipe, pixels, resources,
                    resume_file=ResumeFile(Path(folder) / "state.pt"), title=name,
                )  # fmt: skip
            last = list(csv.DictReader(io.StringIO(fitted.log)))[-1]
            yield {
                "side": side,
                "network": name,
                "batch_size": recipe.batch_size,
                "images_per_second": float(last["images_per_second"]),
                "peak_bytes": peak_bytes(device),
            }


def networks(lst: str, resnet: str, side: int) -> dict[str, nn.Module]:
    torch.manual_seed(0)
    ours = create_model(lst, num_classes=CLASSES, image_size=side)
    other = create_model(resnet, num_classes=CLASSES, image_size=side)
    return {lst: ours, f"{lst}, authors' formulation": authors_form(ours), resnet: other}


def cifar_minutes(rows: list[dict[str, Any]]) -> float:
    """Minutes of LST-20's 160 epochs of 50,000 images at the measured speed."""
    [speed] = [row["images_per_second"] for row in rows if row["network"] == PAIRS[32][0]]
    return CIFAR_EPOCHS * CIFAR_IMAGES / speed / 60
