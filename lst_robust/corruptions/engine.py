"""`corrupt`: any corruption on a batch of images, the same bytes however the work is cut up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from lst_robust.arguments import items, plain, whole_number, wrong
from lst_robust.benchmark import CORRUPTIONS
from lst_robust.corruptions.base import Corruption
from lst_robust.corruptions.own import guarded
from lst_robust.corruptions.registry import constants, corruption_named
from lst_robust.corruptions.streams import ID_ERRORS, Streams
from lst_robust.errors import UsageError
from lst_robust.runtime.switches import CORRUPTION_KERNELS, kernels_wanted

ENGINE = "lst-robust"
ENGINE_VERSION = "1"
"""Part of every random key: whatever changes a corrupted byte needs a new version."""

MIN_SIDE = 16
"""The smallest image side: below it the blurs' windows and pixelate's blocks are larger than the picture."""
CHUNK_BYTES = 4 << 20
"""Images (as uint8) handed to a function at once; float64 intermediates are some tens of times as large."""


def corrupt(
    images: np.ndarray,
    corruption: str,
    severity: int,
    *,
    preset: str,
    style: str = "hendrycks",
    seed: int = 0,
    ids: Sequence[int | str] | np.ndarray | None = None,
    workers: int = 1,
) -> np.ndarray:
    """Corrupted copies of RGB images, a pure function of (image, its id, corruption, severity, preset, style,
    seed).

    images: uint8, (N, H, W, 3) or (H, W, 3); never modified. ids: N integers or texts, 0..N-1 by default;
    equal ids get equal noise, and 7 is the same id as "7". workers: threads; they change the time, not the
    bytes. Thread-safe. Returns uint8 of the same shape. Raises UsageError (a ValueError) for wrong dtype,
    shape, name, severity or number of ids, and for a size that the preset cannot take.
    """
    c = constants(corruption, severity, preset, style)
    batch = checked_batch(images)
    names = checked_ids(ids, len(batch))
    seed, workers = whole_number("seed", seed), whole_number("workers", workers, least=1)

    entry = corruption_named(corruption)
    function = _function(entry, c)
    streams = Streams.for_images(ENGINE_VERSION, seed, entry.name, int(severity), names)
    if not len(batch):
        return images.copy()
    per_chunk = max(1, CHUNK_BYTES // batch[:1].nbytes)
    if workers > 1:  # at least a chunk for each
        per_chunk = max(1, min(per_chunk, -(-len(batch) // workers)))
    parts = [slice(start, start + per_chunk) for start in range(0, len(batch), per_chunk)]
    if len(parts) == 1:
        return function(batch, streams).reshape(images.shape)
    result = np.empty_like(batch)

    def work(part: slice) -> None:
        result[part] = function(batch[part], streams[part])

    if workers == 1:
        for part in parts:
            work(part)
    else:
        with ThreadPoolExecutor(min(workers, len(parts))) as pool:
            for _ in pool.map(work, parts):
                pass
    return result.reshape(images.shape)


def _function(corruption: Corruption, c: object) -> Callable[[np.ndarray, Streams], np.ndarray]:
    """The compiled kernel, or the plain definition where there is none or it is switched off."""
    fast, kernel = kernels_wanted(CORRUPTION_KERNELS), corruption.kernel

    def work(images: np.ndarray, streams: Streams) -> np.ndarray:
        if kernel is not None and fast:
            return kernel(images, streams, c)
        return corruption.apply(images, corruption.draw(streams, images.shape[1], images.shape[2], c), c)

    return work if corruption.name in CORRUPTIONS else guarded(corruption.name, work)


def checked_batch(images: np.ndarray) -> np.ndarray:
    """Contiguous uint8 (N, H, W, 3), or a UsageError."""
    if not isinstance(images, np.ndarray):
        raise UsageError(f"images must be a NumPy array, not {type(images).__name__}: use np.asarray(...)")
    if images.dtype != np.uint8:
        raise UsageError(f"images must be uint8 in 0..255, not {images.dtype}: scale and convert them first")
    if images.ndim not in (3, 4) or images.shape[-1] != 3:
        raise UsageError(f"images must be (N, H, W, 3) or (H, W, 3), not {images.shape}: convert them to RGB, NHWC")
    height, width = images.shape[-3:-1]
    if min(height, width) < MIN_SIDE:
        raise UsageError(f"images of {width}x{height} pixels are too small: each side needs at least {MIN_SIDE}")
    # a read-only array is another type to a compiled kernel
    batch = np.ascontiguousarray(images) if images.flags.writeable else images.copy()
    return batch.reshape(-1, height, width, 3)


def checked_ids(ids: Iterable[int | str] | np.ndarray | None, count: int) -> list[int | str]:
    """One id an image, or a UsageError."""
    if ids is None:
        return list(range(count))
    if isinstance(ids, Set):
        raise wrong("ids", ids, "a set has no order: give a list, with one id an image")
    names = items("ids", ids, empty=True, also=", with an integer or text for each image")
    if len(names) != count:
        raise UsageError(f"{len(names)} ids for {count} images: give one id an image")
    return [_checked_id(f"ids[{place}]", name) for place, name in enumerate(names)]


def _checked_id(name: str, value: object) -> int | str:
    if not isinstance(value, str):
        return whole_number(name, value, also=" or a text")
    try:
        value.encode("utf-8", ID_ERRORS)
    except UnicodeEncodeError:
        raise wrong(name, value, "give a text that UTF-8 can encode") from None
    return plain(value)
