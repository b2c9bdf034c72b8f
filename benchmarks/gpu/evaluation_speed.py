"""What an evaluation costs beside the network's forward passes, on the device."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

import lst_robust
from benchmarks.gpu.images import CLASSES, Crops
from benchmarks.gpu.scale import Scale
from benchmarks.gpu.timing import forget_peak, peak_bytes, seconds_of
from benchmarks.lst_speed import settle
from lst_robust.benchmark import SEVERITIES
from lst_robust.data import register_dataset
from lst_robust.data.kind import DatasetConfig, DatasetKind, Published
from lst_robust.models import create_model
from lst_robust.runtime.devices import amp_dtype

ALL_CORRUPTIONS, FEW = "resnet50", ("gaussian_noise", "defocus_blur", "fog", "jpeg_compression")
PRECISIONS = ("no", "auto")
IMAGENET_IMAGES = 50_000
SUITE = """
extends: imagenet-c-generated
name: gpu-benchmark
description: crops of two photographs in memory, to measure speed
dataset: {{kind: crops, count: {count}}}
image_size: {side}
preset: {preset}
batch_size: {batch}
"""


@dataclass(frozen=True)
class Case:
    """One network at work: on `images` of `side` pixels, `batch_size` at a time, in each of `precisions`."""

    network: str
    side: int
    images: int
    batch_size: int
    precisions: tuple[str, ...] = PRECISIONS
    corruptions: tuple[str, ...] = FEW


def cases(scale: Scale) -> Iterator[Case]:
    """Large batches at 224 pixels, where the device has most to do; then where starting an operation costs most: the
    batches of the ImageNet suites, and small networks on small images."""
    large = (scale.evaluated_side, scale.evaluated, scale.batch_size)
    yield Case("resnet18", *large)
    yield Case("lst18", *large)
    yield Case(ALL_CORRUPTIONS, *large, corruptions=scale.corruptions)
    yield Case(ALL_CORRUPTIONS, scale.evaluated_side, scale.evaluated, scale.suites_batch_size, ("auto",))
    for name in ("resnet20", "lst20"):
        yield Case(name, 32, scale.evaluated_small, scale.batch_size, ("auto",))


class CropsDataset(DatasetConfig):
    """Crops of photographs, made in memory; `count`: how many."""

    kind: Literal["crops"]
    count: int


def register_crops() -> None:
    register_dataset(
        DatasetKind(
            config=CropsDataset,
            open=lambda config, root, split, side: Crops(side, config.count),
            published={"crops": Published({}, classes=CLASSES, md5={})},
            fixed_size=True,
        )
    )


def evaluations(device: torch.device, scale: Scale) -> Iterator[dict[str, Any]]:
    """A row a network, precision and cell, beside as many forward passes over normalised images on the device."""
    for case in cases(scale):
        network = untrained(case.network, case.side)
        for amp in case.precisions:
            forget_peak(device)
            forward = forward_seconds(network, device, amp, case, scale.at_least)
            corruptions = tuple(name for name in case.corruptions if name in scale.corruptions)
            for cell, seconds in cell_seconds(network, device, amp, corruptions, case).items():
                yield {
                    "network": case.network,
                    "side": case.side,
                    "batch_size": case.batch_size,
                    "amp": amp,
                    "cell": cell,
                    "images": case.images,
                    "seconds": seconds,
                    "forward_seconds": forward,
                    "peak_bytes": peak_bytes(device),
                }


def untrained(name: str, side: int) -> nn.Module:
    """Random weights, whose time is that of trained ones."""
    torch.manual_seed(0)
    network = create_model(name, num_classes=CLASSES, image_size=side)
    settle(network, torch.randn(8, 3, side, side))
    return network.eval()


def forward_seconds(network: nn.Module, device: torch.device, amp: str, case: Case, at_least: float) -> float:
    """Of passes over as many images as a cell has, already normalised and on the device."""
    network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    shape = (case.batch_size, 3, case.side, case.side)
    batch = torch.randn(shape, device=device).contiguous(memory_format=torch.channels_last)
    dtype = amp_dtype(amp, device)

    def passes() -> None:
        with torch.inference_mode(), torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
            for _ in range(-(-case.images // case.batch_size)):
                network(batch)

    return seconds_of(passes, device, at_least)


def cell_seconds(
    network: nn.Module, device: torch.device, amp: str, corruptions: tuple[str, ...], case: Case
) -> dict[str, float]:
    """Of each cell of a whole `lst_robust.evaluate`, its record on disk included; by the cell's name.

    One corruption is measured in a call before, so that no cell pays for the device's start."""
    with tempfile.TemporaryDirectory() as folder:
        suite = Path(folder) / "suite.yaml"
        preset = "cifar" if case.side == 32 else "imagenet"
        suite.write_text(SUITE.format(count=case.images, side=case.side, batch=case.batch_size, preset=preset))
        options: dict[str, Any] = {"severities": [3], "engine": "torch", "device": device, "amp": amp}
        lst_robust.evaluate(network, suite, corruptions=corruptions[:1], results_dir=f"{folder}/first", **options)
        found = lst_robust.evaluate(network, suite, corruptions=corruptions, results_dir=f"{folder}/second", **options)
        return {cell.name: record.provenance.seconds for cell, record in found.records.items()}


def whole_imagenet_c(rows: list[dict[str, Any]], amp: str) -> dict[str, float]:
    """Minutes of all 96 cells of 50,000 images with ResNet-50, by severity 3 of each corruption.

    Each cell of n images took s seconds: 50,000 / n · s. Five severities of each corruption, and the clean cell. Of the
    batch sizes it is the largest, at which all corruptions are measured.
    """
    own = [row for row in rows if row["network"] == ALL_CORRUPTIONS and row["amp"] == amp]
    largest = max(row["batch_size"] for row in own)
    own = [row for row in own if row["batch_size"] == largest]
    seconds = {row["cell"]: IMAGENET_IMAGES / row["images"] * row["seconds"] for row in own}
    clean = seconds.pop("clean")
    return {
        "clean_seconds": clean,
        "mean_corrupted_cell_seconds": sum(seconds.values()) / len(seconds),
        "corruptions": len(seconds),
        "minutes": (clean + 19 * len(SEVERITIES) * sum(seconds.values()) / len(seconds)) / 60,
    }
