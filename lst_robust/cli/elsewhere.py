"""The options of `lst-robust eval` and `corrupt` that say where tasks run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lst_robust.errors import UsageError

if TYPE_CHECKING:
    from lst_robust.distribution.engines import Engine

FLAGS = {"at_once": "--tasks-at-once", "gpus": "--gpus-per-worker", "slurm": "--slurm", "ray_address": "--ray-address"}


def engine_of(on: str | None, **options: Any) -> Engine | None:
    """Where tasks run; None: this process measures. options: of `Engine`. UsageError for what cannot be meant."""
    if on is None:
        for name, flag in FLAGS.items():
            if options[name] not in (None, {}):
                raise UsageError(f"{flag} is for tasks: give --on local, slurm or ray as well")
        return None
    from lst_robust.distribution.engines import Engine

    return Engine(on, **options)  # type: ignore[arg-type]


def device_here(device: str) -> str:
    """On which device this process plans, where tasks work on `device`: it may have no CUDA device itself."""
    return "auto" if device.startswith("cuda") else device
