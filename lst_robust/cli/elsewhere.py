"""The options of `lst-robust eval` and `corrupt` that say where tasks run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from lst_robust.cli.options import unless_environment
from lst_robust.errors import UsageError

if TYPE_CHECKING:
    from lst_robust.distribution.engines import Engine

FLAGS = {  # option of `Engine` -> parameter of the command, and its flag
    "at_once": ("tasks_at_once", "--tasks-at-once"),
    "gpus": ("gpus_per_worker", "--gpus-per-worker"),
    "slurm": ("slurm", "--slurm"),
    "ray_address": ("ray_address", "--ray-address"),
}


def engine_of(context: typer.Context, on: str | None, **options: Any) -> Engine | None:
    """Where tasks run; None: this process measures. options: of `Engine`. UsageError for what cannot be meant. Options
    of the environment that mean nothing here are ignored."""
    if on is None:
        for name, (parameter, flag) in FLAGS.items():
            if unless_environment(context, parameter, options[name]) not in (None, {}):
                raise UsageError(f"{flag} is for tasks: give --on local, slurm or ray as well")
        return None
    from lst_robust.distribution.engines import Engine

    if on != "ray":
        options["ray_address"] = unless_environment(context, "ray_address", options["ray_address"])
    return Engine(on, **options)  # type: ignore[arg-type]


def device_here(device: str) -> str:
    """On which device this process plans, where tasks work on `device`: it may have no CUDA device itself."""
    return "auto" if device.startswith("cuda") else device
