"""The tables of LST-Nets' speed: docs/performance.md and docs/lst-kernels.md."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

PUBLISHED = Path(__file__).parents[1] / "results" / "published"
PASSES = {  # operator: what it does
    "pointwise": "T_r of the first block, and T_c",
    "statistics": "sums of t and t²",
    "tail_resize_": "T_s, residual, ST, and the next T_r",
    "tail_": "T_s, residual, ST of the last block",
    "shortcut": "shortcut",
    "shortcut_sums": "sums of the shortcut, forward and backward",
    "backward_sums": "ST backward of the last block, sums of g and g·t",
    "backward": "T_s backward",
    "mix_backward": "T_c backward",
    "resize_backward_sums_": "T_r backward, ST backward of the block before, sums of g and g·t",
    "resize_backward_": "T_r backward of the first block",
    "shortcut_backward": "shortcut backward",
}


def speed(name: str = "lst_speed") -> str:
    """Against the authors' formulation, and against ResNets: medians (quartiles) of ratios."""
    found = pd.read_csv(PUBLISHED / f"{name}.csv").set_index(["network", "mode", "threads"])
    one, two = (found.xs(threads, level="threads") for threads in (1, 2))
    table = pd.DataFrame(
        {
            "x authors, one thread": _ratios(one, "authors"),
            "of ResNet, one thread": _ratios(one, "resnet"),
            "of ResNet, two threads": _ratios(two, "resnet"),
            "MACs, of ResNet": one["macs"].map("{:.2f}".format),
        }
    )
    return table.reset_index().to_markdown(index=False, disable_numparse=True)


def speed_avx2() -> str:
    """The same on a processor without AVX-512, in 3 rounds: quartiles of three are the least and the greatest."""
    return speed("lst_speed_avx2")


def _ratios(rows: pd.DataFrame, of: str) -> pd.Series:
    return pd.Series(
        [f"{row[of]:.2f} ({row[of + '_low']:.2f} to {row[of + '_high']:.2f})" for _, row in rows.iterrows()], rows.index
    )


def passes() -> str:
    """A row a pass, over all blocks of a step; then what the machine does at best, and the step."""
    machine, step, found = _read_passes("lst_passes")
    table = pd.DataFrame(
        {
            "pass": [PASSES[name] for name in found.index],
            "calls": found["calls"],
            "ms": found["ms"].map("{:.1f}".format),
            "MB": found["mb"].map("{:.0f}".format),
            "10^6 products": found["mega_products"].map("{:.0f}".format),
            "GB/s": (found["mb"] / found["ms"]).map("{:.0f}".format),
            "10^9 products/s": (found["mega_products"] / found["ms"]).map("{:.0f}".format),
        }
    )
    return f"{step}\n\n{table.to_markdown(index=False, disable_numparse=True)}\n\n{machine}"


def passes_avx2() -> str:
    """The sums of the same on a processor without AVX-512."""
    machine, step, _ = _read_passes("lst_passes_avx2")
    return f"{step}\n{machine}"


def _read_passes(name: str) -> tuple[str, str, pd.DataFrame]:
    """Sentences on the machine and on the step, and a row a pass."""
    rows = pd.read_csv(PUBLISHED / f"{name}.csv").set_index("pass")
    copy, convolution, step = (rows.loc[row] for row in ("copy", "convolution", "step"))
    found = (
        rows.drop(index=["copy", "convolution", "step"]).groupby(level=0)[["calls", "ms", "mb", "mega_products"]].sum()
    )
    found = found.loc[[operator for operator in PASSES if operator in found.index]]
    total = found.sum()
    bandwidth, peak = copy["mb"] / copy["ms"], convolution["mega_products"] / convolution["ms"]
    moving, computing = total["mb"] / bandwidth, total["mega_products"] / peak
    return (
        f"A copy of 256 MB moves {bandwidth:.0f} GB/s on this machine, and a large convolution of torch makes\n"
        f"{peak:.0f}·10^9 products a second. At these rates the bytes of all passes take {moving:.0f} ms and the\n"
        f"products {computing:.0f} ms.",
        f"One training step of {step['shape']}, one thread, CPU time: {step['ms']:.0f} ms, of which these passes\n"
        f"take {total['ms']:.0f} ms.",
        found,
    )
