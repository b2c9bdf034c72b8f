"""What corrupts the images of a set: the CPU's engine, or torch's on a device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lst_robust.arguments import choice, path
from lst_robust.benchmark import Cell
from lst_robust.corruptions import corrupt
from lst_robust.generation.manifest import engine_of
from lst_robust.generation.settings import CPU_ENGINE, Settings
from lst_robust.torch_engine.choice import ENGINES, EngineName, is_any_kept, resolve_engine

if TYPE_CHECKING:
    import torch

WITHOUT_TORCH = ("auto", "cpu")  # the devices that are always there
CorruptImages = Callable[[np.ndarray, Cell, Sequence[int | str]], np.ndarray]
"""uint8 (N, H, W, 3), a cell, and an id an image -> the corrupted images. Threads may call it."""

CHUNK_BYTES = 2**20  # of decoded images that a worker holds at once; at least one image
CHUNK_IMAGES = 128  # of them, at most
DEVICE_CHUNK_BYTES = 2**23  # the same where they go to a device: it is slow with few images, whatever their size


class SetEngine:
    """An engine for a set on disk.

    kind: which one; name: with its version, for the manifest; versions: of packages that take part besides those of
    the CPU's engine; chunk_bytes: of the images that are handed over at once, at most; chunk_images: their number, None
    for any.
    """

    def __init__(self, engine: EngineName = "cpu", device: torch.device | None = None) -> None:
        """device: of torch's engine, which has one."""
        self.kind: EngineName = engine
        self.versions: dict[str, str] = {}
        self.chunk_images: int | None = None
        if engine == "cpu":
            self._device, self.name = None, CPU_ENGINE
            self.chunk_bytes, self.chunk_images = CHUNK_BYTES, CHUNK_IMAGES
            return
        import torch

        from lst_robust import torch_engine

        self._device, self.chunk_bytes = device or torch.device("cpu"), DEVICE_CHUNK_BYTES
        self.name = f"{torch_engine.ENGINE} {torch_engine.ENGINE_VERSION}"
        self.versions["torch"] = torch.__version__

    def corrupted(self, settings: Settings) -> CorruptImages:
        """The work on a chunk, for any thread. Under torchrun, call it inside of `process_group`: "cuda" is then the
        card of this rank."""
        how: dict[str, Any] = {"preset": settings.preset, "style": settings.style, "seed": settings.seed}
        if self._device is None:
            return lambda images, cell, ids: corrupt(images, cell.corruption, cell.severity, ids=ids, **how)
        from lst_robust.runtime.devices import indexed

        return _on_device(indexed(self._device), how)


def _on_device(device: torch.device, how: dict[str, Any]) -> CorruptImages:
    import torch

    from lst_robust.runtime.devices import device_errors
    from lst_robust.runtime.portions import Portions
    from lst_robust.torch_engine import corrupt_tensor

    portions = Portions(device, 2**31)

    def work(images: np.ndarray, cell: Cell, ids: Sequence[int | str]) -> np.ndarray:
        def part(some: slice) -> np.ndarray:
            there = torch.from_numpy(images[some]).to(device)
            return corrupt_tensor(there, cell.corruption, cell.severity, ids=ids[some], **how).cpu().numpy()

        with device_errors(device):
            return np.concatenate(portions.of(part, len(images)))

    return work


def engine_for_sets(
    name: str, device: str | torch.device, size: int | None, preset: str, folder: str | Path | None = None
) -> SetEngine:
    """The engine of that name: "cpu", "torch", or "auto": the one of the set that `folder` holds, else see
    `resolve_engine`.

    device: of torch's engine; size: of the images in pixels, None where they keep their sizes, for which nothing is
    measured. UsageError for other names and devices. torch is imported only where it may be needed.
    """
    choice("engine", name, ENGINES)
    if device not in WITHOUT_TORCH:
        from lst_robust.runtime.devices import resolve_device

        resolve_device(device)  # which knows what there is, whether or not the engine takes it
    if name == "auto" and folder is not None:
        name = engine_of(path("folder", folder)) or name
    if name == "cpu" or (name == "auto" and (size is None or not is_any_kept())):
        return SetEngine()
    from lst_robust.runtime.devices import resolve_device

    where = resolve_device(device)
    chosen = name if size is None else resolve_engine(name, where, size, preset)
    return SetEngine("torch", where) if chosen == "torch" else SetEngine()
