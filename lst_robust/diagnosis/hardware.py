"""Devices, and which engine corrupts the images on them."""

from __future__ import annotations

import os
import platform
import shutil
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lst_robust.corruptions.presets import PRESET_SIZES
from lst_robust.diagnosis.finding import Finding
from lst_robust.errors import reason_of
from lst_robust.runtime.cores import available_cores

if TYPE_CHECKING:
    import torch

GIB = 2**30


def devices() -> Iterator[Finding]:
    """The processor, and each CUDA device, on which a small sum is made."""
    import torch

    text = f"{available_cores()} cores ({platform.machine()}), torch uses {torch.get_num_threads()} threads"
    yield Finding("processor", "ok", text)
    with warnings.catch_warnings(record=True) as said:  # of a driver that is too old
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for index in range(count):
        yield _cuda_device(torch.device("cuda", index))
    if not count:
        yield _no_cuda(torch.version.cuda, [str(warning.message).strip().partition("\n")[0] for warning in said])


def _cuda_device(device: torch.device) -> Finding:
    import torch

    try:
        properties = torch.cuda.get_device_properties(device)
        text = f"{properties.name}, {properties.total_memory / GIB:.0f} GiB"
        torch.ones(2, device=device).sum().item()
    except RuntimeError as error:
        mend = "install a driver and a build of torch that support this card, or use --device cpu"
        return Finding(str(device), "fault", f"does not work ({reason_of(error)})", mend)
    return Finding(str(device), "ok", text)


def _no_cuda(built_for: str | None, warned: list[str]) -> Finding:
    """What is said where torch sees no CUDA device. A note where the machine seems to have one."""
    if warned:
        return Finding("CUDA", "note", f"torch cannot use it ({warned[0]})", "install a driver that fits this torch")
    if built_for is None and (os.path.exists("/dev/nvidia0") or shutil.which("nvidia-smi")):
        mend = "install a build of torch for CUDA if it shall be used"
        return Finding("CUDA", "note", "this machine seems to have a card, and this build of torch has no CUDA", mend)
    build = "this build of torch has no CUDA" if built_for is None else f"torch is built for CUDA {built_for}"
    return Finding("CUDA", "ok", f"no device: everything runs on the processor ({build})")


def engine() -> Iterator[Finding]:
    """What `--engine auto` takes, from the measurements of `lst-robust engines` that are kept."""
    from lst_robust.runtime.devices import resolve_device
    from lst_robust.torch_engine.choice import Machine, kept

    device = resolve_device("auto")
    known, unknown = [], []
    for preset, size in PRESET_SIZES.items():
        machine = Machine.here(device, size, preset)
        found = kept(machine)
        if found is None:
            unknown.append(machine.command)
        else:
            times = " and ".join(f"{name} {found.milliseconds(name):.3g} ms" for name in ("cpu", "torch"))
            known.append(f"{size} px: {found.faster} is faster ({times} for an image of each corruption)")
    measured = "; ".join(known) or "nothing is measured yet"
    if device.type != "cuda":
        yield Finding("engine", "ok", f"auto takes the CPU's, without a CUDA device ({measured})")
    elif known:
        yield Finding("engine", "ok", f"auto takes the faster one ({measured})")
    else:
        yield Finding("engine", "note", "auto takes the CPU's until torch's is measured", f"run {unknown[0]}")
