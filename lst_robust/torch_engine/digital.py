"""pixelate of corruptions/digital.py on a device. It gives the bytes of the plain definition."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from lst_robust.corruptions.boxes import HALF, PRECISION, box_blocks, repeated
from lst_robust.corruptions.digital import Pixelate
from lst_robust.torch_engine.streams import TensorStreams


@lru_cache(maxsize=64)
def box_tables(length: int, blocks: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The places of each block's first pixel, second pixel and so on, int32 (most pixels in a block, blocks); whether
    the block has the last of them, which most blocks of that size have and others lack, int32 (blocks,) of 0 and 1; and
    the blocks' weights, int32 (blocks,).
    """
    first, stop, weights = box_blocks(length, blocks)
    counts = stop - first
    most = counts.max()
    assert counts.min() >= most - 1
    places = np.minimum(first + np.arange(most)[:, None], length - 1)

    def there(table: np.ndarray) -> Tensor:
        return torch.from_numpy(table.astype(np.int32)).to(device)

    return there(places), there(counts == most), there(weights)


@lru_cache(maxsize=64)
def repeated_on(blocks: int, length: int, upsample: str, device: torch.device) -> Tensor:
    """The block that each of `length` pixels shows: int32 (length,)."""
    return torch.from_numpy(repeated(blocks, length, upsample).astype(np.int32)).to(device)


def _box_averages(images: Tensor, axis: int, blocks: int) -> Tensor:
    """Pillow's averages along axis 1 or 2 of images (N, H, W, 3), in fixed point: uint8."""
    places, has_last, weights = box_tables(images.shape[axis], blocks, images.device)
    across = (-1, 1) if axis == 2 else (-1, 1, 1)
    *others, last = places.unbind()
    sums = images.index_select(axis, last).int().mul_(has_last.view(across))
    for place in others:
        sums.add_(images.index_select(axis, place))
    return sums.mul_(weights.view(across)).add_(HALF).bitwise_right_shift_(PRECISION).to(torch.uint8)


def pixelate(images: Tensor, streams: TensorStreams, c: Pixelate) -> Tensor:
    height, width = images.shape[1:3]
    small_height, small_width = int(height * c.factor), int(width * c.factor)
    small = _box_averages(_box_averages(images, 2, small_width), 1, small_height)
    columns = repeated_on(small_width, width, c.upsample, images.device)
    rows = repeated_on(small_height, height, c.upsample, images.device)
    return small.index_select(2, columns).index_select(1, rows)
