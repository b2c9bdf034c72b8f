"""The tables of docs/gpu.md."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

PUBLISHED = Path(__file__).parents[1] / "results" / "published"
COLUMNS = {
    ("imagenet", "hendrycks"): "imagenet",
    ("imagenet", "imagecorruptions"): "imagenet, style imagecorruptions",
    ("tiny-imagenet", "hendrycks"): "tiny-imagenet",
    ("cifar", "hendrycks"): "cifar",
}


def fidelity() -> str:
    """Of each corruption and preset whether all severities are equal, or which of them differ: in what share of their
    values, and by how many levels at most."""
    rows = pd.read_csv(PUBLISHED / "torch_engine.csv")
    columns = {}
    for (preset, style), label in COLUMNS.items():
        own = rows[(rows["preset"] == preset) & (rows["style"] == style)]
        columns[label] = {name: _class(cells) for name, cells in own.groupby("corruption", sort=False)}
    table = pd.DataFrame(columns).fillna("as imagenet").rename_axis("corruption").reset_index()
    usual = rows[rows["corruption"] != "contrast"].groupby("size")["images"].first()
    more = rows[rows["corruption"] == "contrast"].groupby("size")["images"].first()
    sizes = (f"{images} of {size} pixels (contrast: {more[size]:,})" for size, images in usual.items())
    return (
        f"{table.to_markdown(index=False, disable_numparse=True)}\n\n"
        f"All five severities: {len(rows)} cells, {rows['values'].sum() / 1e6:,.0f} million values. Images a cell:\n"
        f"{', '.join(sizes)}."
    )


def _class(cells: pd.DataFrame) -> str:
    """Of the five severities of one corruption."""
    other = cells[cells["different"] > 0]
    if other.empty:
        return "equal"
    return "; ".join(
        f"severity {severity}: {different / values:.1g} by {most} at most"
        for severity, different, values, most in zip(
            other["severity"], other["different"], other["values"], other["most_levels"], strict=True
        )
    )
