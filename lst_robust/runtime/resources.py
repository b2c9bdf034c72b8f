"""What long work runs on."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from lst_robust.arguments import choice
from lst_robust.runtime.compiler import COMPILE_MODES, NOT_COMPILED
from lst_robust.runtime.cores import worker_count
from lst_robust.runtime.devices import amp_dtype, resolve_device
from lst_robust.runtime.progress import Observer, Silent


@dataclass(frozen=True)
class Resources:
    """device: of the network; workers: threads that load images; observer: receives progress.

    For training only: amp, as `amp_dtype` takes it, and compile_mode, which is torch.compile's or "no".
    """

    device: torch.device
    workers: int
    observer: Observer = field(default_factory=Silent)
    amp: str = "auto"
    compile_mode: str = NOT_COMPILED

    @classmethod
    def of(
        cls,
        device: str | torch.device,
        workers: int | None,
        observer: Observer,
        amp: str = "auto",
        compile_mode: str = NOT_COMPILED,
    ) -> Resources:
        """As a person names them: device "auto", workers None for one a core. UsageError for what cannot be meant."""
        chosen = cls(resolve_device(device), worker_count(workers), observer, amp, compile_mode)
        amp_dtype(amp, chosen.device)
        choice("compile mode", compile_mode, COMPILE_MODES)
        return chosen
