"""The tables of docs/cluster.md."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

PUBLISHED = Path(__file__).parents[1] / "results" / "published"
KNOWN = {"exactly": "exactly", "about": "to a third, up or down", "nothing": "not at all"}
SPENT = "GPU hours: "
ASSUMED = {
    "macs_a_second": ("networks, multiply-accumulates a second of a GPU", "{:.0e}"),
    "corrupted_a_second": ("images a second of a GPU, the median corruption", "{:,.0f}"),
    "decoded_a_second": ("JPEG files a second, by the cores of one GPU", "{:,.0f}"),
    "weights_a_second": ("bytes of weights a second, from the common file system", "{:.0e}"),
    "start_seconds": ("seconds to start a process with torch and CUDA", "{:g}"),
    "network_seconds": ("seconds to build a network and ask it four probe images", "{:g}"),
    "planned_a_second": ("networks a second that the driver plans, besides their weights", "{:g}"),
    "failing": ("share of attempts that fail, at a drawn moment", "{:g}"),
    "error_of_costs": ("sigma of the logarithm of real time / expected time", "{:g}"),
}


def scheduler() -> str:
    rows = pd.read_csv(PUBLISHED / "scheduler.csv")
    table = pd.DataFrame(
        {
            "engine": rows["engine"],
            "tasks": rows["tasks"].map("{:,}".format),
            "workers": rows["workers"],
            "times are known": rows["known"].map(KNOWN),
            "attempts that failed": rows["failed_attempts"],
            "took": rows["makespan_seconds"].map("{:.1f} s".format),
            "longest first, in theory": rows["longest_first_seconds"].map("{:.1f} s".format),
            "over it": rows["over_longest_first"].map("{:.1%}".format),
            "driver's processor a task": rows["driver_processor_ms_per_task"].map("{:.1f} ms".format),
        }
    )
    return table.to_markdown(index=False, disable_numparse=True)


def starts() -> str:
    rows = pd.read_csv(PUBLISHED / "engine_starts.csv")
    table = pd.DataFrame(
        {
            "engine": rows["engine"],
            "first task": rows["first_seconds"].map(_duration),
            "next task": rows["next_seconds"].map(_duration),
        }
    )
    return table.to_markdown(index=False, disable_numparse=True)


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{1000 * seconds:.1f} ms"


def assumptions() -> str:
    rows = pd.read_csv(PUBLISHED / "fleet.csv", index_col="what")["ray"]
    table = [(words, text.format(rows[f"assumed: {name}"])) for name, (words, text) in ASSUMED.items()]
    return pd.DataFrame(table, columns=["assumed", "value"]).to_markdown(index=False, disable_numparse=True)


def fleet() -> str:
    rows = pd.read_csv(PUBLISHED / "fleet.csv", index_col="what")
    spent = rows[rows.index.str.startswith(SPENT)]
    lines = [
        (
            what.removeprefix(SPENT),
            *(f"{hours:,.0f} ({hours / spent[engine].sum():.1%})" for engine, hours in row.items()),
        )
        for what, row in spent.iterrows()
    ]
    lines += [("**GPU hours**", *(f"{spent[engine].sum():,.0f}" for engine in rows))]
    lines += [("tasks", *(f"{value:,.0f}" for value in rows.loc["tasks"]))]
    lines += [("hours on the clock", *(f"{value:.1f}" for value in rows.loc["hours"]))]
    lines += [("of which planning", *(f"{value:.1f}" for value in rows.loc["hours of planning"]))]
    return pd.DataFrame(lines, columns=["GPU hours of", *rows]).to_markdown(index=False, disable_numparse=True)
