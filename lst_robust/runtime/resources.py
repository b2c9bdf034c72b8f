"""What long work runs on."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from lst_robust.runtime.progress import Observer, Silent


@dataclass(frozen=True)
class Resources:
    """device: of the network; workers: threads that load images; observer: receives progress."""

    device: torch.device
    workers: int
    observer: Observer = field(default_factory=Silent)
