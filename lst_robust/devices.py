"""Where the network runs."""

from __future__ import annotations

import torch

from lst_robust.errors import UsageError


def resolve_device(name: str = "auto") -> torch.device:
    """`auto` is CUDA when there is one, else the CPU. UsageError for a name torch does not know or that is not here."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"unknown device {name!r}: choose auto, cpu, cuda or cuda:<number>") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"device {name!r} is not here ({torch.cuda.device_count()} CUDA devices): use --device auto")
    return device
