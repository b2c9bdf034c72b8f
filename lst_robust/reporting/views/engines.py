"""How the speeds of the two engines look in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from lst_robust.reporting.escaping import terminal
from lst_robust.reporting.views.layout import plain_table

if TYPE_CHECKING:
    from lst_robust.torch_engine.choice import Measurement


def engines_view(found: Measurement) -> Table:
    """A row a corruption, and the totals by which `auto` chooses."""
    machine = found.machine
    title = f"Images a second, {machine.size} px, preset {machine.preset}, severity 3"
    table = plain_table(title=terminal(title))
    table.add_column("Corruption", no_wrap=True)
    table.add_column(terminal(f"CPU, {machine.cores} cores"), justify="right")
    table.add_column(terminal(f"torch on {machine.device}"), justify="right")
    table.add_column("torch / CPU", justify="right")
    for name, cpu in found.cpu.items():
        by_torch = found.torch[name]
        table.add_row(terminal(name), _speed(cpu), _speed(by_torch), f"{by_torch / cpu:.2f}")
    table.add_section()
    means = found.geometric_mean("cpu"), found.geometric_mean("torch")
    table.add_row("geometric mean", *map(_speed, means), f"{means[1] / means[0]:.2f}")
    times = found.milliseconds("cpu"), found.milliseconds("torch")
    table.add_row("ms for an image of each", *(f"{time:,.3g}" for time in times), f"{times[0] / times[1]:.2f}")
    return table


def verdict(found: Measurement, *, on_cuda: bool) -> str:
    """What `auto` does from now on, in one line."""
    which = "torch's engine is" if found.faster == "torch" else "the CPU's engine is"
    device = found.machine.device
    if not on_cuda:
        return f"{which} faster here; --engine auto takes torch's on CUDA devices only, and the CPU's on {device}"
    return f"{which} faster here, and --engine auto takes it for {found.machine.size} px on {device} from now on"


def _speed(images_a_second: float) -> str:
    return f"{images_a_second:,.0f}" if images_a_second >= 100 else f"{images_a_second:.3g}"
