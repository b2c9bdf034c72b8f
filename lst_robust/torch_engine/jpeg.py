"""JPEG without its files on a device: the pixels of libjpeg-turbo, which are Pillow's.

corruptions/kernels/jpeg.py says which steps change a pixel. Here they work on a sheet of samples for each image: the
rows of Y, and below them the rows of Cb and Cr, side by side, half as high and half as wide. All sides are multiples of
8, so a step treats every block of the sheet alike.

Colours and enlarging are integer arithmetic, where `alpha=` is exact. The cosine transform of libjpeg (jfdctint.c,
jidctint.c) is a product with a matrix of integers, rounded afterwards. The products are made in float64: no sum has
more than 40 bits, so it is exact in any order and on every device.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from lst_robust.corruptions.digital import Jpeg
from lst_robust.corruptions.jpeg_steps import quantiser_steps
from lst_robust.torch_engine.streams import TensorStreams

SCALE_BITS = 16
"""Of libjpeg's fixed-point colours (jccolor.c, jdcolor.c)."""
HALF = 1 << (SCALE_BITS - 1)
TO_YCC = ((19595, 38470, 7471), (-11059, -21709, 32768), (32768, -27439, -5329))
"""Y, Cb and Cr from red, green and blue. Cb and Cr are rounded by HALF - 1, Y by HALF."""
TO_RGB = ((0, 91881), (-22554, -46802), (116130, 0))
"""Red, green and blue from Cb and Cr, beside Y."""
TRANSFORM = (
    (8192, 8192, 8192, 8192, 8192, 8192, 8192, 8192),
    (11363, 9633, 6437, 2260, -2260, -6437, -9633, -11363),
    (10703, 4433, -4433, -10703, -10703, -4433, 4433, 10703),
    (9633, -2259, -11362, -6436, 6436, 11362, 2259, -9633),
    (8192, -8192, -8192, 8192, 8192, -8192, -8192, 8192),
    (6437, -11362, 2261, 9633, -9633, -2261, 11362, -6437),
    (4433, -10704, 10704, -4433, -4433, 10704, -10704, 4433),
    (2260, -6436, 9633, -11363, 11363, -9633, 6436, -2260),
)
"""All steps of jfdctint.c for eight numbers in one, 13 bits after the binary point. Transposed: those of jidctint.c."""
TOO_LARGE = 1 + 2**-40
"""So a coefficient half way between two multiples, which libjpeg rounds away from zero, lies beyond the middle, and no
other one gets as far."""


@lru_cache(maxsize=8)
def transforms(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """`TRANSFORM` with the shifts of the three kinds of passes, 11, 15 and 18 bits: float64 (8, 8), exact.

    They are computed on the host, and the copy to the device waits until they are there: other CUDA streams may use
    what is kept here at once.
    """
    matrix = np.array(TRANSFORM, dtype=np.float64)
    first, second, last = (torch.from_numpy(matrix * 2.0**-bits).to(device) for bits in (11, 15, 18))
    return first, second, last


@lru_cache(maxsize=64)
def quantiser(quality: int, down: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Each coefficient's inverse divisor and its step, for the rows of blocks of a sheet, 2 * down of luma and `down`
    of chroma: float64 (3 * down, 8, 1, 8). A divisor is 8 steps, because coefficients are 8 times as large here as in
    the file."""
    steps = np.repeat(quantiser_steps(quality).astype(np.float64), (2 * down, down), axis=0)[:, :, None]
    return torch.from_numpy(TOO_LARGE / (8 * steps)).to(device), torch.from_numpy(steps).to(device)


def _constant(value: int, like: Tensor) -> Tensor:
    """int32 (1,): sums with it are int32."""
    return torch.full((1,), value, dtype=torch.int32, device=like.device)


def _clamped_places(start: int, stop: int, last: int, like: Tensor) -> Tensor:
    """start to stop - 1, those outside of 0 to `last` moved to its ends: the places of an edge that is repeated."""
    return torch.arange(start, stop, dtype=torch.int32, device=like.device).clamp_(0, last)


def _to_sheet(images: Tensor) -> Tensor:
    """RGB to YCbCr, minus 128, chroma halved: float64 (N, 24 * down, 16 * across). Edges are repeated as encoders do:
    pixels to the right, and pixels below to an even height, but below that the rows of the planes."""
    count, height, width = images.shape[:3]
    across, down, even = -(-width // 16), -(-height // 16), height + height % 2
    if width % 16:
        images = images.index_select(2, _clamped_places(0, 16 * across, width - 1, images))
    if height % 2:
        images = images.index_select(1, _clamped_places(0, even, height - 1, images))
    colours = images.unbind(-1)

    def plane(weights: tuple[int, ...], rounding: int) -> Tensor:
        total = torch.add(_constant(rounding, images), colours[0], alpha=weights[0])
        return total.add_(colours[1], alpha=weights[1]).add_(colours[2], alpha=weights[2])

    sheet = torch.empty((count, 24 * down, 16 * across), dtype=torch.float64, device=images.device)
    luma, chroma = sheet[:, : 16 * down], sheet[:, 16 * down :].unflatten(2, (2, 8 * across))
    luma[:, :even] = plane(TO_YCC[0], HALF - (128 << SCALE_BITS)).bitwise_right_shift_(SCALE_BITS)
    in_turn = torch.arange(8 * across, dtype=torch.int32, device=images.device).bitwise_and_(1).add_(1)
    for number in (0, 1):
        full = plane(TO_YCC[1 + number], HALF - 1).bitwise_right_shift_(SCALE_BITS)
        pairs = full[:, 0::2] + full[:, 1::2]
        means = (pairs[..., 0::2] + pairs[..., 1::2]).add_(in_turn).bitwise_right_shift_(2)
        chroma[:, : even // 2, number] = means
    luma[:, even:] = luma[:, even - 1 : even]
    chroma[:, even // 2 :] = chroma[:, even // 2 - 1 : even // 2]
    return sheet


def _compressed(sheet: Tensor, quality: int) -> Tensor:
    """All blocks to coefficients, these to the nearest multiples of their steps, and back to samples: uint8."""
    first, second, last = transforms(sheet.device)
    inverse_divisors, steps = quantiser(quality, sheet.shape[1] // 24, sheet.device)
    rows, columns = (-1, 8), (-1, 8, sheet.shape[2])  # the rows of blocks, and their columns, each in one view
    x = (sheet.view(rows) @ first.T).add_(0.5).floor_()
    x = (second @ x.view(columns)).add_(0.5).floor_()
    blocks = x.view(len(sheet), -1, 8, sheet.shape[2] // 8, 8)
    blocks.mul_(inverse_divisors).round_().mul_(steps)
    x = (first.T @ x).add_(0.5).floor_()
    x = (x.view(rows) @ last).add_(128.5).clamp_(0, 255)
    return x.to(torch.uint8).view(sheet.shape)


def _enlarged(chroma: Tensor, high: int, wide: int) -> Tensor:
    """The first high x wide samples of chroma, uint8 (N, rows, 2, columns), to twice their size: int16
    (N, 2 * high, 2, 2 * wide). Each is three quarters of the nearest sample and a quarter of the next one, down and
    then across (jdsample.c, "fancy")."""
    bordered = chroma.index_select(1, _clamped_places(-1, high + 1, high - 1, chroma))
    bordered = bordered.index_select(3, _clamped_places(-1, wide + 1, wide - 1, chroma)).to(torch.int16)
    count = len(chroma)
    near = bordered[:, 1:-1] * 3
    tall = torch.empty((count, high, 2, 2, wide + 2), dtype=torch.int16, device=chroma.device)
    torch.add(near, bordered[:, :-2], out=tall[:, :, 0])
    torch.add(near, bordered[:, 2:], out=tall[:, :, 1])
    tall = tall.flatten(1, 2)
    near = tall[..., 1:-1] * 3
    result = torch.empty((count, 2 * high, 2, wide, 2), dtype=torch.int16, device=chroma.device)
    torch.add(near, tall[..., :-2], out=result[..., 0])
    torch.add(near, tall[..., 2:], out=result[..., 1])
    rounding = 8 - torch.arange(2, dtype=torch.int16, device=chroma.device)
    return result.add_(rounding).bitwise_right_shift_(4).flatten(3)


def _from_sheet(samples: Tensor, height: int, width: int) -> Tensor:
    """Samples of a sheet, uint8, to RGB, uint8 (N, height, width, 3)."""
    down = samples.shape[1] // 24
    chroma = samples[:, 16 * down :].unflatten(2, (2, -1))
    chroma = _enlarged(chroma, -(-height // 2), -(-width // 2))[:, :height, :, :width]
    luma, blue, red = samples[:, :height, :width], chroma[:, :, 0], chroma[:, :, 1]
    out = torch.empty((len(samples), height, width, 3), dtype=torch.uint8, device=samples.device)
    for channel, (of_blue, of_red) in enumerate(TO_RGB):
        total = torch.add(_constant(HALF - 128 * (of_blue + of_red), samples), luma, alpha=1 << SCALE_BITS)
        if of_blue:
            total.add_(blue, alpha=of_blue)
        if of_red:
            total.add_(red, alpha=of_red)
        out[..., channel] = total.bitwise_right_shift_(SCALE_BITS).clamp_(0, 255)
    return out


def jpeg_round_trip(images: Tensor, quality: int) -> Tensor:
    """Images, uint8 (N, H, W, 3), as Pillow reads them after it saved them as JPEG of that quality (1 to 100, 4:2:0):
    uint8 on the same device. At corruptions.jpeg.OFFICIAL_QUALITY that is what the official files went through.

    W is 5 or more: libjpeg enlarges the chroma of narrower images in another way.
    """
    return _from_sheet(_compressed(_to_sheet(images), quality), *images.shape[1:3])


def jpeg_compression(images: Tensor, streams: TensorStreams, c: Jpeg) -> Tensor:
    return jpeg_round_trip(images, c.quality)
