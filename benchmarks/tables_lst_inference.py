"""The tables of docs/lst-inference.md."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

RESULTS = Path(__file__).parents[1] / "results" / "published" / "lst_inference.csv"
NAMES = {"lst20": "LST-20", "lst56": "LST-56", "lst18": "LST-18, 224 px"}
VECTORS = {16: "AVX-512", 8: "AVX2", 4: "SSE"}


def networks() -> str:
    """Against the ResNet of the same depth, one thread, a row a measurement."""
    found = _part("networks")
    table = pd.DataFrame(
        {
            "network": found["what"].map(NAMES),
            "LST's vectors": found["vectors"].map(VECTORS),
            "ResNet's": found["torch"],
            "x authors": found["of_authors"].map("{:.1f}".format),
            "of ResNet": [
                f"{row.of_resnet:.2f} ({row.low:.2f} to {row.high:.2f})" for row in found.itertuples(index=False)
            ],
            "MACs, of ResNet": found["mac_ratio"].map("{:.2f}".format),
        }
    )
    return table.to_markdown(index=False, disable_numparse=True)


def layers() -> str:
    """GMAC/s of each kind of bottleneck with each width of vectors, and of the processor's registers alone."""
    found = _part("layers")
    wide = found.pivot(index="what", columns="vectors", values="gmacs").loc[list(dict.fromkeys(found["what"]))]
    peaks = _part("peaks").set_index("vectors")["gmacs"]
    took = found[found["vectors"] == max(VECTORS)].set_index("what")["microseconds"]
    table = pd.DataFrame({"µs, AVX-512": took.loc[wide.index].map("{:.1f}".format)})
    for width, name in VECTORS.items():
        table[f"GMAC/s, {name}"] = [f"{value:.0f} ({value / peaks[width]:.0%})" for value in wide[width]]
    table.loc["in registers alone"] = ["", *(f"{peaks[width]:.0f}" for width in VECTORS)]
    return table.rename_axis("bottleneck").to_markdown(disable_numparse=True)


def _part(part: str) -> pd.DataFrame:
    found = pd.read_csv(RESULTS)
    found = found[found["part"] == part].dropna(axis="columns", how="all")
    return found.astype({"vectors": int})
