"""The tables of docs/performance.md that are not about LST-Nets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

PUBLISHED = Path(__file__).parents[1] / "results" / "published"
SHOWN = ("glass_blur", "frost", "zoom_blur", "brightness", "contrast", "saturate", "jpeg_compression")
COMPARISONS = {"224": "224 px", "32": "32 px, batches of 256"}


def corruptions() -> str:
    """Our speed as a multiple of imagecorruptions', at severity 3; and the least of all severities."""
    speed = pd.read_csv(PUBLISHED / "corruption_speed.csv", dtype={"comparison": str})
    rows = {}
    for comparison, label in COMPARISONS.items():
        ratio = speed[(speed["comparison"] == comparison) & (speed["severity"] == 3)].set_index("corruption")["ratio"]
        rows[label] = {
            f"geometric mean of {len(ratio)}": _times(np.exp(np.log(ratio).mean())),
            "slowest": f"{_times(ratio.min())} ({ratio.idxmin()})",
            **{name: _times(ratio[name]) for name in SHOWN},
        }
    table = pd.DataFrame.from_dict(rows, orient="index").to_markdown()
    least = speed.loc[speed.loc[speed["comparison"].isin(list(COMPARISONS)), "ratio"].idxmin()]
    what = f"{least['corruption']} {least['severity']} at {least['comparison']} px"
    return f"{table}\n\nOver all severities the least is {_times(least['ratio'])} ({what})."


def jpeg() -> str:
    """The round trip, a row a size and quality, and the rate of the whole protocol."""
    speed = pd.read_csv(PUBLISHED / "jpeg_speed.csv")
    trips, protocol = speed[speed["what"] == "round trip"], speed[speed["what"] == "protocol"].iloc[0]
    table = pd.DataFrame(
        {
            "": [
                f"{size} px, quality {quality}" for size, quality in zip(trips["size"], trips["quality"], strict=True)
            ],
            "Pillow": [_milliseconds(value) for value in trips["pillow"]],
            "kernel": [_milliseconds(value) for value in trips["kernel"]],
            "faster": [_times(value) for value in trips["ratio"]],
        }
    )
    return (
        f"{table.to_markdown(index=False, disable_numparse=True)}\n\n"
        f"A corruption and then JPEG, over all 19 at {protocol['size']} px and severity 3: {protocol['pillow']:,.0f} "
        f"images a second of one core\nwith Pillow's round trip, {protocol['kernel']:,.0f} with the kernel."
    )


def corrupt_command() -> str:
    """Seconds and memory of `lst-robust corrupt`."""
    rows = pd.read_csv(PUBLISHED / "corrupt_command.csv").groupby("form", sort=False)
    table = pd.DataFrame(
        {
            "images": rows["images"].first().map("{:,}".format),
            "all 95 cells took": rows["seconds"].median().map("{:.1f} s".format),
            "slowest of the rounds": rows["seconds"].max().map("{:.1f} s".format),
            "memory at the peak": rows["peak_megabytes"].max().map("{:.0f} MB".format),
        }
    )
    return table.rename_axis(None).to_markdown(disable_numparse=True)


def overhead() -> str:
    """What an evaluation takes beside its forward passes."""
    rows = pd.read_csv(PUBLISHED / "overhead.csv")
    first = rows.iloc[0]
    over = [rows["evaluation"] / rows[side] for side in ("forward passes", "shared out")]
    passes = pd.concat([rows["forward passes"], rows["shared out"]])
    return (
        f"An evaluation takes {min(map(min, over)):.2f} to {max(map(max, over)):.2f} times as long as the network's "
        f"forward passes alone, in {len(rows)} rounds.\nThis is {first['model']} on {first['images']:,} images of 32 "
        f"pixels, {first['cells']} cells, on {first['threads']} cores. The forward passes\nalone took "
        f"{passes.min():.0f} to {passes.max():.0f} s, in the suite's batches on all of torch's threads as well as in "
        "the way of the\nevaluation."
    )


def _times(ratio: float) -> str:
    return f"{ratio:.0f} x" if ratio >= 10 else f"{ratio:.1f} x"


def _milliseconds(value: float) -> str:
    return f"{value:#.3g} ms"
