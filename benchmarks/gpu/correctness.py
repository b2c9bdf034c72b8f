"""First of all: does the device do the same?"""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import lst_robust
from benchmarks.fidelity import KINDS, measured
from benchmarks.gpu.scale import Scale
from lst_robust.benchmark import Cell
from lst_robust.records.record import Record

PUBLISHED = Path(__file__).parents[2] / "results" / "published" / "digits-c"
NETWORKS = ("lst18", "alexnet")
CORRUPTIONS = ("gaussian_noise", "fog", "contrast", "jpeg_compression")


def fidelity(device: torch.device, scale: Scale) -> list[dict[str, Any]]:
    """Each corruption on the device against the plain definition on the CPU: a row a corruption and preset."""
    rows = pd.DataFrame(measured(KINDS, scale.fidelity_severities, device, scale.fidelity_share))
    rows["product"] = rows["mean_levels"] * rows["values"]
    sums = rows.groupby(["preset", "style", "corruption"], sort=False).agg(
        values=("values", "sum"),
        different=("different", "sum"),
        most_levels=("most_levels", "max"),
        all=("product", "sum"),
    )
    sums["share"] = sums["different"] / sums["values"]
    sums["mean_levels"] = sums.pop("all") / sums["values"]
    return sums.reset_index().to_dict("records")


def records(device: torch.device, scale: Scale) -> list[dict[str, Any]]:
    """The records of two published networks, measured in four ways; each is compared with the way before it.

    So it is seen what each step changes: the engine, the device, and the precision.
    """
    ways: dict[str, dict[str, Any]] = {
        "CPU, engine cpu": {"device": "cpu", "engine": "cpu"},
        "CPU, engine torch": {"device": "cpu", "engine": "torch"},
        f"{device.type}, engine torch": {"device": device, "engine": "torch"},
        f"{device.type}, engine torch, bf16 or fp16": {
            "device": device,
            "engine": "torch",
            "amp": "auto" if device.type == "cuda" else "bf16",
        },
    }
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for network in NETWORKS:
            found = {
                way: _records(network, scale.records, Path(folder) / str(number), options)
                for number, (way, options) in enumerate(ways.items())
            }
            for before, after in pairwise(ways):
                rows.append(
                    {"network": network, "before": before, "after": after, **compared(found[before], found[after])}
                )
    return rows


def _records(network: str, limit: int, results: Path, options: dict[str, Any]) -> dict[Cell, Record]:
    checkpoint = PUBLISHED / f"{network}.safetensors"
    evaluation = lst_robust.evaluate(
        network, "digits-c", checkpoint=checkpoint, corruptions=CORRUPTIONS, severities=[1, 5],
        limit=limit, results_dir=results, train=False, **options,
    )  # fmt: skip
    return dict(evaluation.records)


def compared(before: dict[Cell, Record], after: dict[Cell, Record]) -> dict[str, Any]:
    """How many answers differ over all cells, and by how much the confidences and the errors."""
    answers = different = 0
    confidence = error = 0.0
    for cell, one in before.items():
        other = after[cell]
        a, b = one.predicted_classes(), other.predicted_classes()
        assert a is not None and b is not None
        answers, different = answers + len(a), different + int(np.count_nonzero(a != b))
        apart = np.abs(one.confidences().astype(float) - other.confidences().astype(float))  # type: ignore[union-attr]
        confidence = max(confidence, float(apart.max()))
        error = max(error, abs(one.top1_error - other.top1_error))
    return {"answers": answers, "different": different, "most_confidence": confidence, "most_error_points": error}
