"""How features look in a terminal: a row a measure, for each network."""

from __future__ import annotations

import math

from rich.console import Group
from rich.table import Table
from rich.text import Text

from lst_robust.analysis.features import ALL_LAYERS, CORRUPTED, FeatureStatistics, measure_named
from lst_robust.benchmark import CLEAN
from lst_robust.reporting.escaping import plain, terminal
from lst_robust.reporting.views.layout import plain_table

STEP_WORDS = {
    "input": "what the layers take",
    "output": "what the layers put out",
    "bn": "what the BNs behind the layers put out",
}
FEW = 20  # images: a bootstrap of fewer knows too little of how images differ
NO_BREAK = "\N{NO-BREAK SPACE}"
SCALED = "*"


def features_view(statistics: FeatureStatistics) -> Group:
    """Means over all layers of each network, clean and corrupted, and what they mean."""
    cells = [CLEAN, *([_corrupted(statistics)] if len(statistics.cells) > 1 else [])]
    table = _table(statistics, cells)
    corrupted = ", ".join(cell.name for cell in statistics.cells[1:])
    lines = [
        _of_intervals(statistics.n),
        f"{SCALED} depends on the layers' scale, which means nothing where a BN follows",
    ]
    if len(statistics.cells) > 2:
        lines.append(f"corrupted: mean of {plain(corrupted)}")
    counts = [len(network.layers) for network in statistics.networks]
    each = str(counts[0]) if len(set(counts)) == 1 else ", ".join(map(str, counts))
    lines.append(f"threshold: {statistics.threshold:g}; layers of each network: {each}")
    n = f"n = {statistics.n} image{'s' if statistics.n > 1 else ''}"
    caption = f"Features on {statistics.suite}, {n}: {STEP_WORDS[statistics.step]}, mean of the layers"
    return Group(terminal(caption, style="italic"), table, Text("\n".join(lines), style="dim"))


def _of_intervals(n: int) -> str:
    if n == 1:
        return "one image: no intervals"
    few = f": of {n} images they are too narrow" if n < FEW else ""
    return f"95 % intervals: bootstrap over the images{few}"


def _corrupted(statistics: FeatureStatistics) -> str:
    """The name of the cell that stands for all corrupted ones."""
    return CORRUPTED if len(statistics.cells) > 2 else statistics.cells[1].name


def _table(statistics: FeatureStatistics, cells: list[str]) -> Table:
    table = plain_table()
    table.add_column("Network", overflow="fold")
    table.add_column("Measure")
    for cell in cells:
        table.add_column(terminal(cell), justify="right")  # in a narrow terminal the interval stands below the mean
    found = statistics.table(layers=False)
    found = found[found["layer"] == ALL_LAYERS]
    for network in statistics.networks:
        own = found[found["network"] == network.label]
        values = {(row.measure, row.cell): (row.mean, row.low, row.high) for row in own.itertuples()}
        for row, measure in enumerate(dict.fromkeys(own["measure"])):
            about = measure_named(str(measure))
            name = about.title + ("" if about.scale_free else f" {SCALED}")
            shown = [_number(values.get((measure, cell))) for cell in cells]
            table.add_row(terminal(network.label) if row == 0 else "", name, *shown)
        table.add_section()
    return table


def _number(value: tuple[float, float, float] | None) -> Text:
    """ "0.272 [0.270, 0.274]"; "-" for what is not defined there."""
    if value is None:
        return Text("-")
    mean, low, high = value
    return Text(f"{mean:.3f}" + ("" if math.isnan(low) else f" [{low:.3f},{NO_BREAK}{high:.3f}]"))
