"""What long work runs on."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from lst_robust.runtime.cores import worker_count
from lst_robust.runtime.devices import resolve_device
from lst_robust.runtime.progress import Observer, Silent


@dataclass(frozen=True)
class Resources:
    """device: of the network; workers: threads that load images; observer: receives progress."""

    device: torch.device
    workers: int
    observer: Observer = field(default_factory=Silent)

    @classmethod
    def of(cls, device: str | torch.device, workers: int | None, observer: Observer) -> Resources:
        """As a person names them: device "auto", workers None for one a core. UsageError for what cannot be meant."""
        return cls(resolve_device(device), worker_count(workers), observer)
