"""corruptions/color.py on a device. brightness and saturate give the bytes of the plain definition; contrast gives them
but where its mean falls on a whole level, see there.

An image has few different values, so whatever depends on one or two of them is looked up in a small table that the
definition's own operations made on the host.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from lst_robust.corruptions.base import to_uint8 as to_uint8_on_the_host
from lst_robust.corruptions.base import to_unit as to_unit_on_the_host
from lst_robust.corruptions.color import Saturate, Shift
from lst_robust.torch_engine.arithmetic import divide, to_uint8, to_unit
from lst_robust.torch_engine.streams import TensorStreams


@lru_cache(maxsize=32)
def hsv_tables(gain: float, shift: float, lift: float, device: torch.device) -> tuple[Tensor, ...]:
    """For a pixel whose largest value is `high` and whose smallest is `low`, at the place 256 * high + low: their
    difference as numbers of 0 to 1 (1 where they are equal, for it divides), the new saturation S * gain + shift,
    clipped, and the new value V + lift, clipped: float64; and the output levels of the largest and of the smallest
    value: uint8. Places with low above high are never asked for."""
    v, low = np.meshgrid(to_unit_on_the_host(np.arange(256)), to_unit_on_the_host(np.arange(256)), indexing="ij")
    delta = v - low
    saturation = np.divide(delta, v, out=np.zeros_like(v), where=v > 0)
    saturation = np.clip(saturation * gain + shift, 0, 1)
    value = np.clip(v + lift, 0, 1)
    smallest = value * (1 - saturation)
    delta[delta == 0] = 1
    tables = (delta, saturation, value, to_uint8_on_the_host(value), to_uint8_on_the_host(smallest))
    return tuple(torch.from_numpy(table.ravel()).to(device) for table in tables)


def _adjust_hsv(images: Tensor, gain: float, shift: float, lift: float) -> Tensor:
    """S * gain + shift and V + lift, clipped, by skimage's rgb2hsv and hsv2rgb.

    Of a colour's three values the largest becomes the new V and the smallest V * (1 - S), whatever the hue: where two
    are equal, hue * 6 is a whole number, also in float64. Only the one between needs the hue. Grey has hue 0 and S =
    `shift`: its red is the largest, and its green and blue are the smallest.
    """
    red, green, blue = images.unbind(-1)
    more, less = torch.maximum(red, green), torch.minimum(red, green)
    high, low = torch.maximum(more, blue), torch.minimum(less, blue)
    places = torch.add(low, high.int(), alpha=256)  # integers: exact

    def looked_up(table: Tensor) -> Tensor:
        return table.index_select(0, places.view(-1)).view(places.shape)

    delta, saturation, value, largest, smallest = (
        looked_up(table) for table in hsv_tables(gain, shift, lift, images.device)
    )
    between = _between(red, green, blue, high, delta, saturation, value)
    out = torch.where(images == low[..., None], smallest[..., None], between[..., None])
    is_high = images == high[..., None]
    is_high[..., 1:].logical_and_((high != low)[..., None])
    return torch.where(is_high, largest[..., None], out)


def _between(
    red: Tensor, green: Tensor, blue: Tensor, high: Tensor, delta: Tensor, saturation: Tensor, value: Tensor
) -> Tensor:
    """The output level of the value between the largest and the smallest, which depends on the hue: uint8."""
    blue_is_high, green_is_high = blue == high, green == high
    first = torch.where(blue_is_high, red, torch.where(green_is_high, blue, green))
    second = torch.where(blue_is_high, green, torch.where(green_is_high, red, blue))
    base = green_is_high.to(torch.uint8).mul_(2).masked_fill_(blue_is_high, 4)
    hue = divide(to_unit(first).sub_(to_unit(second)).div_(delta).add_(base), 6.0)
    hue = hue.add_(hue < 0).mul_(6)  # modulo 1, times 6
    fraction = hue.sub_(hue.floor())
    fraction = torch.where(first < second, fraction, 1 - fraction)  # of the sectors 1, 3, 5, and of 0, 2, 4
    return (1 - fraction.mul_(saturation)).mul_(value).mul_(255).to(torch.uint8)


def brightness(images: Tensor, streams: TensorStreams, c: Shift) -> Tensor:
    return _adjust_hsv(images, 1.0, 0.0, float(c.amount))


def saturate(images: Tensor, streams: TensorStreams, c: Saturate) -> Tensor:
    return _adjust_hsv(images, float(c.gain), float(c.shift), 0.0)


SUMMED_IN_ORDER = 96 * 96
"""contrast: images of up to so many pixels are summed one pixel after the other."""


@lru_cache(maxsize=16)
def means_of_one_value(height: int, width: int, device: torch.device) -> Tensor:
    """The mean of an image that is the same value everywhere, as the definition adds it: float64 (256,)."""
    units, ones = to_unit_on_the_host(np.arange(256)), np.ones((1, height, width, 3))
    means = [(ones * unit).mean(axis=(1, 2))[0, 0] for unit in units]
    return torch.from_numpy(np.array(means)).to(device)


def _channel_means(images: Tensor) -> Tensor:
    """The means of x / 255 over each image and channel: float64 (N, 3).

    NumPy adds one pixel after the other, and rounds each time. Small images are added so here, too: one thread of
    torch's pooling adds a window in this order, on the CPU and on CUDA. It would be slow for large ones. For them the
    sum of the integers is exact, and so the mean differs from the definition's by some units in the last place, but for
    channels of one value, whose means are known.
    """
    height, width = images.shape[1:3]
    if height * width <= SUMMED_IN_ORDER:
        return avg_pool2d(to_unit(images).permute(0, 3, 1, 2), (height, width)).flatten(1)
    pixels = images.flatten(1, 2)
    means = divide(divide(pixels.sum(1, dtype=torch.int64).double(), 255.0), height * width)
    low, high = pixels.aminmax(dim=1)
    flat = means_of_one_value(height, width, images.device).index_select(0, low.flatten().int()).view(low.shape)
    return torch.where(low == high, flat, means)


def contrast(images: Tensor, streams: TensorStreams, c: Shift) -> Tensor:
    """Each channel's new level from its table of 256.

    Up to 96 x 96 pixels these are the definition's bytes. In larger images a value whose new level is a whole number
    may become one level more or less, because their means differ in the last place, see `_channel_means`.
    """
    means = _channel_means(images)[..., None]
    values = torch.arange(256, dtype=torch.uint8, device=images.device)
    tables = to_uint8((to_unit(values) - means).mul_(float(c.amount)).add_(means))
    rows = torch.arange(0, tables.numel(), 256, dtype=torch.int32, device=images.device).view(-1, 1, 1, 3)
    return tables.flatten().index_select(0, (images + rows).flatten()).view(images.shape)
