"""The tables of a run, made from its JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.gpu.evaluation_speed import ALL_CORRUPTIONS, PRECISIONS, whole_imagenet_c
from benchmarks.gpu.training_speed import cifar_minutes

GIB = 2**30


def text(found: dict[str, Any]) -> str:
    """Markdown: a heading a part."""
    made = {
        "fidelity": fidelity,
        "records": records,
        "corruptions": corruptions,
        "evaluations": evaluations,
        "trainings": trainings,
    }
    where = found["environment"]
    quick = ". A quick run: its speeds mean nothing" if where["quick"] else ""
    head = (
        f"{where['device']}, host with {where['host_cores']} cores, torch {where['torch']}, "
        f"lst-robust {where['lst_robust']}, {where['date']}{quick}.\n"
    )
    parts = [f"## {name.capitalize()}\n\n{make(found[name])}\n" for name, make in made.items() if name in found]
    return "\n".join([head, *parts])


def fidelity(rows: list[dict[str, Any]]) -> str:
    """Only what differs from the plain definition, and a line for what is equal."""
    table = pd.DataFrame(rows)
    other = table[table["different"] > 0]
    equal = sorted(set(table["corruption"]) - set(other["corruption"]))
    line = f"Equal to the last byte in all cells: {', '.join(equal) or 'none'}."
    if other.empty:
        return line
    shown = other[["corruption", "preset", "style", "share", "most_levels", "mean_levels"]]
    return line + "\n\n" + _markdown(shown, share=lambda v: f"{v:.2g}", mean_levels=lambda v: f"{v:.2g}")


def records(rows: list[dict[str, Any]]) -> str:
    names = {"most_confidence": "confidence, at most", "most_error_points": "error of a cell, points at most"}
    return _markdown(pd.DataFrame(rows).rename(columns=names))


def corruptions(rows: list[dict[str, Any]]) -> str:
    """Means over the measured severities (of seconds), as images a second, and the geometric mean of all."""
    table = pd.DataFrame(rows)
    table["device_seconds"] = 1 / table["device_images_per_second"]
    grouped = table.groupby(["side", "corruption"], sort=False)
    wide = pd.DataFrame(
        {
            "device": 1 / grouped["device_seconds"].mean(),
            "host": grouped["host_images_per_second"].first(),
            "peak GiB": grouped["peak_bytes"].max().map(_gib),
        }
    )
    wide["ratio"] = wide["device"] / wide["host"]
    means = np.exp(np.log(wide[["device", "host", "ratio"]]).groupby("side").mean()).assign(corruption="geometric mean")
    shown = pd.concat([wide.reset_index(), means.reset_index()]).sort_values("side", kind="stable")
    columns = shown[["side", "corruption", "device", "host", "ratio", "peak GiB"]]
    whole = lambda v: f"{v:,.0f}"  # noqa: E731
    return "Images a second.\n\n" + _markdown(columns, device=whole, host=whole, ratio=lambda v: f"{v:.2f}")


def evaluations(rows: list[dict[str, Any]]) -> str:
    """A row a network, size and precision: a cell beside forward passes alone; then the whole of ImageNet-C."""
    table = pd.DataFrame(rows)
    table["kind"] = np.where(table["cell"] == "clean", "clean", "corrupted")
    lines = []
    for (name, side, batch, amp), own in table.groupby(["network", "side", "batch_size", "amp"], sort=False):
        forward, images = own["forward_seconds"].iloc[0], own["images"].iloc[0]
        by_kind = own.groupby("kind")["seconds"].mean()
        lines.append(
            {
                "network": name,
                "side": side,
                "batch": batch,
                "amp": amp,
                "forward passes, img/s": f"{images / forward:,.0f}",
                "clean cell / forward": f"{by_kind['clean'] / forward:.2f}",
                "corrupted cell / forward, mean": f"{by_kind['corrupted'] / forward:.2f}",
                "corruptions": own["cell"].nunique() - 1,
                "peak GiB": _gib(own["peak_bytes"].max()),
            }
        )
    text = pd.DataFrame(lines).to_markdown(index=False, disable_numparse=True)
    for amp in PRECISIONS:
        whole = whole_imagenet_c(rows, amp)
        text += (
            f"\n\nAll 96 cells of ImageNet-C, {ALL_CORRUPTIONS}, amp {amp}: {whole['clean_seconds']:.1f} s for the "
            f"clean cell of 50,000 images + 95 x {whole['mean_corrupted_cell_seconds']:.1f} s, the mean over "
            f"{whole['corruptions']} corruptions at severity 3, = {whole['minutes']:.1f} minutes (extrapolated)."
        )
    return text


def trainings(rows: list[dict[str, Any]]) -> str:
    table = pd.DataFrame(rows)
    table["of ResNet's"] = [
        row["images_per_second"] / table[table["side"] == row["side"]]["images_per_second"].iloc[-1] for row in rows
    ]
    table["peak GiB"] = [_gib(value) for value in table.pop("peak_bytes")]
    table["images_per_second"] = table["images_per_second"].map("{:,.0f}".format)
    table["of ResNet's"] = table["of ResNet's"].map("{:.2f}".format)
    return (
        table.rename(columns={"images_per_second": "img/s"}).to_markdown(index=False, disable_numparse=True)
        + f"\n\nLST-20's 160 epochs of 50,000 images at this speed: {cifar_minutes(rows):.1f} minutes."
    )


def _gib(value: Any) -> str:
    return "" if value is None or pd.isna(value) else f"{value / GIB:.2f}"


def _markdown(table: pd.DataFrame, **formats: Any) -> str:
    shown = table.copy()
    for column, how in formats.items():
        shown[column] = shown[column].map(how)
    return shown.astype(object).fillna("").to_markdown(index=False, disable_numparse=True)
