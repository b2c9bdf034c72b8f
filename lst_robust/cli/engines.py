"""`lst-robust engines`: which engine corrupts faster on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from lst_robust.arguments import choice, whole_number, wrong
from lst_robust.benchmark import SEVERITIES
from lst_robust.cli import options as opt
from lst_robust.cli.console import RichObserver, out, print_json, print_line, print_note
from lst_robust.corruptions.presets import PRESET_SIZES, PRESETS
from lst_robust.errors import DataError
from lst_robust.reporting.views.engines import engines_view, verdict
from lst_robust.runtime.allocator import keep_memory_mapped
from lst_robust.runtime.interruption import STARTS_ANEW

HELP = """Measure how many images a second the CPU's engine and torch's engine corrupt on this machine.

All 19 corruptions at severity 3: on the CPU with all cores, and by torch on the device. The result is kept in the
cache's folder for this device, number of cores, size and preset. Then `--engine auto` takes torch's engine where
the device is CUDA and needs less time for all 19 together; without a measurement it takes the CPU's.

**Examples**

- `lst-robust engines`
- `lst-robust engines --size 32 --preset cifar`
- `lst-robust engines --device cuda:1 --json`
"""
WHEN_INTERRUPTED = STARTS_ANEW
PRESET_OF = {size: preset for preset, size in PRESET_SIZES.items()}
LEAST_SIDE, MOST_SIDE = 16, 4096

Size = Annotated[int, typer.Option("--size", help="Side of the square images in pixels, as the suite's.")]
Preset = Annotated[
    str | None,
    typer.Option("--preset", help="imagenet, tiny-imagenet or cifar.  [default: that of 224, 64 or 32 pixels]"),
]


def engines_command(
    device: opt.Device = "auto", size: Size = 224, preset: Preset = None, json: opt.Json = False
) -> None:
    size = whole_number("size", size, least=LEAST_SIDE, most=MOST_SIDE)
    chosen = choice("preset", PRESET_OF.get(size, "imagenet") if preset is None else preset, PRESETS)
    _require_textures(size, chosen)
    from lst_robust.runtime.devices import resolve_device  # imports torch, for which --help does not wait
    from lst_robust.torch_engine.choice import keep
    from lst_robust.torch_engine.speed import measure_engines

    where = resolve_device(device)
    keep_memory_mapped()
    with RichObserver() as observer:
        found = measure_engines(where, size, chosen, observer)
    try:
        keep(found)
    except DataError as error:
        print_note(f"the measurement is not kept: {error}")
    if json:
        print_json(found.model_dump() | {"faster": found.faster})
    else:
        out.print(engines_view(found))
        print_line(verdict(found, on_cuda=where.type == "cuda"))


def _require_textures(size: int, preset: str) -> None:
    """UsageError for squares that the preset's frost does not cover, before anything is measured."""
    from lst_robust.corruptions.registry import constants  # imports OpenCV, for which --help does not wait
    from lst_robust.corruptions.textures import largest_frost

    most = min(min(largest_frost(constants("frost", severity, preset).texture_scale)) for severity in SEVERITIES)
    if size > most:
        advice = f"preset {preset} has textures for {most} pixels at most: give --size {LEAST_SIDE} to {most}"
        raise wrong("size", size, advice)


engines_command.__doc__ = HELP
