"""JPEG without its files: what an image is after it was saved and read, from the arithmetic alone.

Of all that an encoder and a decoder do, only four steps change a pixel: RGB to YCbCr with halved chroma (4:2:0), the
cosine transform of blocks of 8 x 8 samples, the rounding of its coefficients, and the way back. Packing coefficients
into bits and taking them out again changes nothing, so it is left out. All is rounded as libjpeg-turbo rounds it, whose
bytes these are: `jccolor.c`, `jcsample.c`, dct.py, `jdsample.c` ("fancy" upsampling), `jdcolor.c`.

A plane of samples lies so that row y stands with the other rows of the same y mod 8. So the eight samples that a block
has in its row are neighbours, and so are those of neighbouring blocks, also from one row of blocks to the next.
"""

# mypy: disallow-untyped-defs=False

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lst_robust.corruptions.digital import Jpeg, apply_jpeg_compression
from lst_robust.corruptions.kernels.compiling import inlined, jit
from lst_robust.corruptions.kernels.dct import BLOCKS, clip, compress, quantiser
from lst_robust.corruptions.streams import Streams

U, I32, U8, F, U16 = np.uint64, np.int32, np.uint8, np.float32, np.uint16
GROUP_BYTES = 1 << 17
"""Samples (as uint8) of the images that are worked on together: they stay in the second cache."""
S = 1 << 16
"""The scale of libjpeg's fixed-point colours. As float32 they are multiples of 1 / S below 2^8: all exact."""


@jit
def _place(y, across, blocks):
    """Where row y of a plane of `blocks` blocks, `across` of them side by side, begins."""
    return ((y & 7) * blocks + (y >> 3) * across) * 8


@jit
def _to_ycc(pixels, length, luma, luma_start, chroma, blue, red):
    """A row of RGB to Y, and to Cb from `blue` and Cr from `red`, each uint8.

    A channel of a negative weight is taken from 255. So no number is below zero, and the compiler sees that 32 bits do.
    """
    luma_start, blue, red = U(luma_start), U(blue), U(red)
    half, most = I32(1 << 15), I32((1 << 16) - 1)
    for x in range(U(length)):
        r, g, b = I32(pixels[U(3) * x]), I32(pixels[U(3) * x + U(1)]), I32(pixels[U(3) * x + U(2)])
        no_r, no_g, no_b = I32(I32(255) - r), I32(I32(255) - g), I32(I32(255) - b)
        y = I32(I32(r * I32(19595)) + I32(g * I32(38470)) + I32(b * I32(7471)) + half)
        cb = I32(I32(b * I32(32768)) + I32(no_r * I32(11059)) + I32(no_g * I32(21709)) + most)
        cr = I32(I32(r * I32(32768)) + I32(no_g * I32(27439)) + I32(no_b * I32(5329)) + most)
        luma[luma_start + x] = U8(y >> I32(16))
        chroma[blue + x], chroma[red + x] = U8(cb >> I32(16)), U8(cr >> I32(16))


@jit
def _repeat_last(row, start, length, whole):
    """The last of `length` samples again, up to `whole` of them."""
    for x in range(length, whole):
        row[start + x] = row[start + length - 1]


@jit
def _halve(pairs, out, start, length):
    """The means of 2 x 2 samples, a half rounded down and up in turn. pairs: two rows of `length` pairs, uint16."""
    start, second = U(start), U(length)
    for x in range(U(length)):
        above, below = I32(pairs[x]), I32(pairs[second + x])
        total = I32(I32(above & I32(255)) + I32(above >> I32(8))) + I32(I32(below & I32(255)) + I32(below >> I32(8)))
        out[start + x] = U8(I32(I32(total) + I32(1) + I32(x & U(1))) >> I32(2))


@jit
def _repeat_row(plane, top, first, last, across):
    """Row first - 1 again, as rows `first` to `last`, counted from row `top` of the plane."""
    blocks, length = len(plane) // 64, U(8 * across)
    source = U(_place(top + first - 1, across, blocks))
    for y in range(first, last):
        target = U(_place(top + y, across, blocks))
        for x in range(length):
            plane[target + x] = plane[source + x]


@jit
def _take_apart(image, number, across, down, luma, chroma, scratch):
    """An image, uint8 (H, W * 3), to the samples of image `number` of the group. Edges are repeated as encoders do.

    across: blocks side by side, those of Y, or those of Cb and then those of Cr; down: the rows of blocks of chroma.
    """
    height, width, whole = image.shape[0], image.shape[1] // 3, 8 * across
    luma_top, chroma_top = 16 * down * number, 8 * down * number
    colours, pairs = scratch  # Cb and Cr of two rows
    for y in range(0, height, 2):
        for k in range(2):
            start, blue, red = _place(luma_top + y + k, across, len(luma) // 64), 2 * k * whole, (2 * k + 1) * whole
            _to_ycc(image[min(y + k, height - 1)], width, luma, start, colours, blue, red)
            if width < whole:
                _repeat_last(luma, start, width, whole)
                _repeat_last(colours, blue, width, whole)
                _repeat_last(colours, red, width, whole)
        _halve(pairs, chroma, _place(chroma_top + y // 2, across, len(chroma) // 64), whole)
    half = (height + 1) // 2
    _repeat_row(luma, luma_top, 2 * half, 16 * down, across)
    _repeat_row(chroma, chroma_top, half, 8 * down, across)


@jit
def _blend_rows(plane, near, far, sums, length):
    """Three quarters of one row and a quarter of another, times 4."""
    near, far = U(near), U(far)
    for x in range(U(length)):
        sums[x] = U16(U16(plane[near + x] * U16(3)) + plane[far + x])


@inlined
def _blended(left, near, right):
    """Three quarters of a sum and a quarter of the one to its left, and to its right: two samples in a uint16."""
    near = U16(near * U16(3))
    left, right = U16(U16(near + left) + U16(8)), U16(U16(near + right) + U16(7))
    return U16(U16(left >> U16(4)) | U16(U16(right << U16(4)) & U16(0xFF00)))


@jit
def _blend_columns(sums, start, pairs, out, length):
    """Along the row, whose ends are repeated. length: 2 or more."""
    start, out, last = U(start), U(out), U(length - 1)
    for x in range(U(1), last):
        pairs[out + x] = _blended(sums[start + x - U(1)], sums[start + x], sums[start + x + U(1)])
    pairs[out] = _blended(sums[start], sums[start], sums[start + U(1)])
    pairs[out + last] = _blended(sums[start + last - U(1)], sums[start + last], sums[start + last])


@jit
def _double_row(plane, start, pairs, length):
    for x in range(U(length)):
        pairs[x] = U16(plane[U(start) + x] * U16(257))


@jit
def _to_rgb(luma, start, chroma, red, pixels, length):
    """Y, Cb from the beginning of `chroma` and Cr from `red` to a row of RGB."""
    start, red = U(start), U(red)
    for x in range(U(length)):
        y, cb, cr = F(luma[start + x]), F(chroma[x]) - F(128), F(chroma[red + x]) - F(128)
        r = I32(y + np.floor(F(0.5) + cr * F(91881 / S)))
        g = I32(y + np.floor(F(0.5) - cb * F(22554 / S) - cr * F(46802 / S)))
        b = I32(y + np.floor(F(0.5) + cb * F(116130 / S)))
        pixels[U(3) * x], pixels[U(3) * x + U(1)], pixels[U(3) * x + U(2)] = U8(clip(r)), U8(clip(g)), U8(clip(b))


@jit
def _put_together(luma, chroma, number, across, down, scratch, sums, image):
    """The samples of an image back to RGB. Chroma is enlarged by blending, or by repeating in the narrowest images."""
    height, width, whole = image.shape[0], image.shape[1] // 3, 8 * across
    luma_top, chroma_top = 16 * down * number, 8 * down * number
    high, wide = (height + 1) // 2, (width + 1) // 2
    colours, pairs = scratch
    for y in range(height):
        near = y >> 1
        far = max(near - 1, 0) if y & 1 == 0 else min(near + 1, high - 1)
        start = _place(chroma_top + near, across, len(chroma) // 64)
        if wide > 2:
            _blend_rows(chroma, start, _place(chroma_top + far, across, len(chroma) // 64), sums, whole)
            _blend_columns(sums, 0, pairs, 0, wide)
            _blend_columns(sums, whole // 2, pairs, whole // 2, wide)
        else:
            _double_row(chroma, start, pairs, whole)
        _to_rgb(luma, _place(luma_top + y, across, len(luma) // 64), colours, whole, image[y], width)


@jit
def _round_trip(images, tables, group, out):
    """Images, uint8 (N, H, W * 3), `group` of them at a time."""
    height, width = images.shape[1], images.shape[2] // 3
    across, down = 2 * ((width + 15) // 16), (height + 15) // 16
    batches = (group * across * down + BLOCKS - 1) // BLOCKS  # of blocks of chroma; there are twice as many of luma
    luma_halves = np.zeros(2 * batches * BLOCKS * 16, np.uint32)
    chroma_halves = np.zeros(batches * BLOCKS * 16, np.uint32)
    luma, chroma = luma_halves.view(np.uint8), chroma_halves.view(np.uint8)
    pairs, sums, work = np.empty(16 * across, U16), np.empty(8 * across, U16), np.empty(64 * BLOCKS, np.int32)
    scratch = pairs.view(np.uint8), pairs
    for start in range(0, len(images), group):
        count = min(group, len(images) - start)
        for i in range(count):
            _take_apart(images[start + i], i, across, down, luma, chroma, scratch)
        compress(luma_halves, tables[0], work)
        compress(chroma_halves, tables[1], work)
        for i in range(count):
            _put_together(luma, chroma, i, across, down, scratch, sums, out[start + i])


def round_trip(images: np.ndarray, quality: int) -> np.ndarray:
    """Images, uint8 (N, H, W, 3), as libjpeg-turbo reads them after it wrote them at that quality (1 to 100)."""
    count, height, width = images.shape[:3]
    group = max(1, min(count, GROUP_BYTES // (384 * -(-height // 16) * -(-width // 16))))
    writable = np.require(images, np.uint8, ("C", "W"))  # a read-only array is another type to a compiled kernel
    out, rows = np.empty(images.shape, np.uint8), (count, height, 3 * width)
    _round_trip(writable.reshape(rows), quantiser(quality), group, out.reshape(rows))
    return out


@lru_cache(maxsize=1)
def pillow_has_these_bytes() -> bool:
    """Whether the libjpeg of this Pillow rounds as the kernel does. It does in Pillow's wheels, but others may not, and
    Pillow is the definition."""
    picture = np.random.default_rng(0).integers(0, 256, (1, 37, 53, 3), dtype=np.uint8)
    picture[:, 10:30, 10:40] = 90
    picture[:, 20:, :20] = (picture[:, 20:, :20] > 127) * np.uint8(255)
    return all(
        np.array_equal(round_trip(shown, quality), apply_jpeg_compression(shown, {}, Jpeg(quality)))
        for shown in (picture, picture[:, :, :3])
        for quality in (1, 7, 25, 50, 85, 100)
    )


def jpeg_round_trip(images: np.ndarray, quality: int) -> np.ndarray:
    """Images, uint8 (N, H, W, 3), as Pillow reads them after it saved them as JPEG of that quality."""
    if pillow_has_these_bytes():
        return round_trip(images, quality)
    return apply_jpeg_compression(images, {}, Jpeg(quality))


def jpeg_compression(images: np.ndarray, streams: Streams, c: Jpeg) -> np.ndarray:
    return jpeg_round_trip(images, c.quality)
