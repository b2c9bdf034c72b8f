"""Corrupted images a second: the device against all cores of its host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from benchmarks.gpu.images import crops
from benchmarks.gpu.scale import Scale
from benchmarks.gpu.timing import forget_peak, peak_bytes, seconds_of
from lst_robust.corruptions import corrupt, corruption_names
from lst_robust.runtime.cores import available_cores
from lst_robust.torch_engine import TensorCorruptor

PRESETS = {32: "cifar", 224: "imagenet"}
SEVERITIES = (1, 3, 5)


def speeds(device: torch.device, scale: Scale) -> Iterator[dict[str, Any]]:
    """A row a size, corruption and severity; the host is measured at severity 3, whose cost is about the mean."""
    host = torch.device("cpu")
    for side, preset in PRESETS.items():
        here = crops(side, scale.host[side])
        there = torch.from_numpy(crops(side, scale.device[side])).to(device)
        for name in corruption_names():
            on_host = seconds_of(lambda: _on_host(here, name, preset), host, scale.at_least)  # noqa: B023 - called here
            for severity in SEVERITIES if scale.at_least else (3,):
                corruptor = TensorCorruptor(name, severity, preset=preset)
                streams = corruptor.streams(range(len(there)), device)
                forget_peak(device)
                seconds = seconds_of(lambda: corruptor(there, streams), device, scale.at_least)  # noqa: B023
                yield {
                    "side": side,
                    "corruption": name,
                    "severity": severity,
                    "device_images_per_second": len(there) / seconds,
                    "host_images_per_second": len(here) / on_host,
                    "host_cores": available_cores(),
                    "peak_bytes": peak_bytes(device),
                }


def _on_host(images: np.ndarray, name: str, preset: str) -> np.ndarray:
    return corrupt(images, name, 3, preset=preset, workers=available_cores())
