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
    """Of each corruption and preset, over the five severities: what share of the values differ, and by how many levels
    at most."""
    rows = pd.read_csv(PUBLISHED / "torch_engine.csv")
    cells = rows.groupby(["corruption", "preset", "style"], sort=False).agg(
        values=("values", "sum"), different=("different", "sum"), most=("most_levels", "max")
    )
    columns = {}
    for (preset, style), label in COLUMNS.items():
        own = cells.xs((preset, style), level=("preset", "style"))
        columns[label] = {name: _class(*numbers) for name, *numbers in own.itertuples(name=None)}
    table = pd.DataFrame(columns).fillna("as imagenet").rename_axis("corruption").reset_index()
    counts = rows.groupby(["preset", "style"])["images"].first()
    n = ", ".join(f"{counts[key]} ({label})" for key, label in COLUMNS.items())
    return (
        f"{table.to_markdown(index=False, disable_numparse=True)}\n\n"
        f"Images a cell: {n}; {len(rows)} cells, {rows['values'].sum() / 1e6:,.0f} million values in all."
    )


def _class(different: int, values: int, most: int) -> str:
    return "equal" if different == 0 else f"{different / values:.1g} by {most} at most"
