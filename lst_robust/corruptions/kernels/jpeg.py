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
from lst_robust.corruptions.kernels.compiling import jit
from lst_robust.corruptions.kernels.dct import BLOCKS, clip, compress, quantiser
from lst_robust.corruptions.streams import Streams

U, I32, U8, F, U16 = np.uint64, np.int32, np.uint8, np.float32, np.uint16
GROUP_BYTES = 1 << 17
"""Samples (as uint8) of the images that are worked on together: they stay in the second cache."""
S = 1 << 16
"""The scale of libjpeg's fixed-point colours. As float32 they are multiples of 1 / S below 2^8: all exact."""


@jit
def _to_ycc(pixels, length, luma, luma_start, blue, red, start):
    """A row of RGB to Y, Cb and Cr, each uint8."""
    luma_start, start = U(luma_start), U(start)
    for x in range(U(length)):
        r, g, b = I32(pixels[U(3) * x]), I32(pixels[U(3) * x + U(1)]), I32(pixels[U(3) * x + U(2)])
        no_r, no_g, no_b = I32(I32(255) - r), I32(I32(255) - g), I32(I32(255) - b)
        luma[luma_start + x] = U8(
            I32(I32(r * I32(19595)) + I32(g * I32(38470)) + I32(b * I32(7471)) + I32(1 << 15)) >> I32(16)
        )
        rest = I32((1 << 16) - 1)
        blue[start + x] = U8(
            I32(I32(b * I32(32768)) + I32(no_r * I32(11059)) + I32(no_g * I32(21709)) + rest) >> I32(16)
        )
        red[start + x] = U8(I32(I32(r * I32(32768)) + I32(no_g * I32(27439)) + I32(no_b * I32(5329)) + rest) >> I32(16))


@jit
def _repeat_last(row, start, length, whole):
    """The last of `length` samples again, up to `whole` of them."""
    for x in range(length, whole):
        row[start + x] = row[start + length - 1]


@jit
def _halve(row, second, out, start, length):
    """The means of 2 x 2 samples, a half rounded down and up in turn. row: two rows of pairs, uint16."""
    second, start = U(second), U(start)
    for x in range(U(length)):
        above, below = I32(row[x]), I32(row[second + x])
        total = I32(I32(above & I32(255)) + I32(above >> I32(8))) + I32(I32(below & I32(255)) + I32(below >> I32(8)))
        out[start + x] = U8(I32(I32(total) + I32(1) + I32(x & U(1))) >> I32(2))


@jit
def _copy_row(plane, source, target, length):
    for x in range(U(length)):
        plane[U(target) + x] = plane[U(source) + x]


@jit
def _place(y, across, blocks):
    """Where row y of a plane begins."""
    return ((y & 7) * blocks + (y >> 3) * across) * 8


@jit
def _take_apart(image, first, second, across, down, luma, chroma, scratch):
    """An image, uint8 (H, W * 3), to its samples, which are repeated at the edges as an encoder does.

    first, second: the row of blocks (of chroma) where its Cb and Cr begin; across, down: its size in blocks of chroma.
    """
    height, width = image.shape[0], image.shape[1] // 3
    blue, red, blue_pairs, red_pairs = scratch
    luma_blocks, chroma_blocks, whole = len(luma) // 64, len(chroma) // 64, 16 * across
    top, cb, cr = 16 * first, 8 * first, 8 * second
    for y in range(0, height, 2):
        for k in range(2):
            start = _place(top + y + k, 2 * across, luma_blocks)
            _to_ycc(image[min(y + k, height - 1)], width, luma, start, blue, red, k * whole)
            _repeat_last(luma, start, width, whole)
            _repeat_last(blue, k * whole, width, whole)
            _repeat_last(red, k * whole, width, whole)
        _halve(blue_pairs, whole // 2, chroma, _place(cb + y // 2, across, chroma_blocks), whole // 2)
        _halve(red_pairs, whole // 2, chroma, _place(cr + y // 2, across, chroma_blocks), whole // 2)
    half = (height + 1) // 2
    for y in range(2 * half, 16 * down):
        source = _place(top + 2 * half - 1, 2 * across, luma_blocks)
        _copy_row(luma, source, _place(top + y, 2 * across, luma_blocks), whole)
    for start in (cb, cr):
        for y in range(half, 8 * down):
            source = _place(start + half - 1, across, chroma_blocks)
            _copy_row(chroma, source, _place(start + y, across, chroma_blocks), whole // 2)


@jit
def _blend_rows(plane, near, far, sums, length):
    """Three quarters of one row and a quarter of another, times 4, with both ends repeated. sums: uint16, from 1."""
    near, far = U(near), U(far)
    for x in range(U(length)):
        sums[x + U(1)] = U16(U16(plane[near + x] * U16(3)) + plane[far + x])
    sums[0], sums[length + 1] = sums[1], sums[length]


@jit
def _blend_columns(sums, pairs, length):
    """The same along the row: two samples, as a uint16, for each."""
    for x in range(U(length)):
        near = U16(sums[x + U(1)] * U16(3))
        left, right = U16(U16(near + sums[x]) + U16(8)), U16(U16(near + sums[x + U(2)]) + U16(7))
        pairs[x] = U16(U16(left >> U16(4)) | U16(U16(right << U16(4)) & U16(0xFF00)))


@jit
def _double_row(plane, start, pairs, length):
    for x in range(U(length)):
        pairs[x] = U16(plane[U(start) + x] * U16(257))


@jit
def _to_rgb(luma, start, blue, red, pixels, length):
    start = U(start)
    for x in range(U(length)):
        y, cb, cr = F(luma[start + x]), F(blue[x]) - F(128), F(red[x]) - F(128)
        r = I32(y + np.floor(F(0.5) + cr * F(91881 / S)))
        g = I32(y + np.floor(F(0.5) - cb * F(22554 / S) - cr * F(46802 / S)))
        b = I32(y + np.floor(F(0.5) + cb * F(116130 / S)))
        pixels[U(3) * x], pixels[U(3) * x + U(1)], pixels[U(3) * x + U(2)] = U8(clip(r)), U8(clip(g)), U8(clip(b))


@jit
def _put_together(luma, chroma, first, second, across, scratch, sums, image):
    """The samples of an image back to RGB. Chroma is enlarged by blending, or by repeating in the narrowest images."""
    height, width = image.shape[0], image.shape[1] // 3
    blue, red, blue_pairs, red_pairs = scratch
    luma_blocks, chroma_blocks = len(luma) // 64, len(chroma) // 64
    high, wide = (height + 1) // 2, (width + 1) // 2
    for y in range(height):
        near = y >> 1
        far = max(near - 1, 0) if y & 1 == 0 else min(near + 1, high - 1)
        for top, pairs in ((8 * first, blue_pairs), (8 * second, red_pairs)):
            start = _place(top + near, across, chroma_blocks)
            if wide > 2:
                _blend_rows(chroma, start, _place(top + far, across, chroma_blocks), sums, wide)
                _blend_columns(sums, pairs, wide)
            else:
                _double_row(chroma, start, pairs, wide)
        _to_rgb(luma, _place(16 * first + y, 2 * across, luma_blocks), blue, red, image[y], width)


@jit
def _round_trip(images, tables, group, out):
    """Images, uint8 (N, H, W * 3), `group` of them at a time."""
    height, width = images.shape[1], images.shape[2] // 3
    across, down = (width + 15) // 16, (height + 15) // 16
    blocks = group * across * down
    luma_halves = np.zeros((4 * blocks + BLOCKS - 1) // BLOCKS * BLOCKS * 16, np.uint32)
    chroma_halves = np.zeros((2 * blocks + BLOCKS - 1) // BLOCKS * BLOCKS * 16, np.uint32)
    luma, chroma = luma_halves.view(np.uint8), chroma_halves.view(np.uint8)
    blue_pairs, red_pairs = np.empty(16 * across, np.uint16), np.empty(16 * across, np.uint16)
    scratch = blue_pairs.view(np.uint8), red_pairs.view(np.uint8), blue_pairs, red_pairs
    sums, work = np.empty(8 * across + 2, np.uint16), np.empty(64 * BLOCKS, np.int32)
    for start in range(0, len(images), group):
        count = min(group, len(images) - start)
        for i in range(count):
            _take_apart(images[start + i], i * down, (group + i) * down, across, down, luma, chroma, scratch)
        compress(luma_halves, tables[0], work)
        compress(chroma_halves, tables[1], work)
        for i in range(count):
            _put_together(luma, chroma, i * down, (group + i) * down, across, scratch, sums, out[start + i])


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
