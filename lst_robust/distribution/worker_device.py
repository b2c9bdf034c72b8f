"""The device that a task asks for, as a worker finds it."""

from __future__ import annotations

import torch

from lst_robust.errors import DeviceError, UsageError
from lst_robust.runtime.devices import resolve_device


def device_of_worker(name: str) -> torch.device:
    """See `resolve_device`. DeviceError where this worker has no such device: another one may have it, so that the task
    is tried again."""
    try:
        return resolve_device(name)
    except UsageError as error:
        raise DeviceError(str(error)) from error
