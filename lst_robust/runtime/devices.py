"""Where the network runs."""

from __future__ import annotations

import torch

from lst_robust.arguments import plain, wrong
from lst_robust.errors import UsageError


def resolve_device(name: str | torch.device = "auto") -> torch.device:
    """`auto` is CUDA when there is one, else the CPU. UsageError for other kinds of device, and for one that is not
    here."""
    if isinstance(name, torch.device):
        name = str(name)
    if not isinstance(name, str):
        raise wrong("device", name, "choose auto, cpu, cuda or cuda:<number>")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(plain(name))
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise UsageError(f"unknown device {name!r}: choose auto, cpu, cuda or cuda:<number>")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"device {name!r} is not here ({torch.cuda.device_count()} CUDA devices): use --device auto")
    return device
