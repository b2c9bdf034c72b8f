"""corruptions/splashes.py on a device: OpenCV's edges, distances, histogram and filters, the same bytes.

Sums are of integers, so that their order does not matter.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import torch
from torch import Tensor

from lst_robust.corruptions.splashes import EMBOSS
from lst_robust.torch_engine.canny import canny

REACH = 20
"""Greater distances count as this one, pixels."""
UNIT = 2.0**-23
"""Distances are integers of this many pixels: all float32 from 1 to REACH are, and nine of them add up to an int32."""


def splashes(liquid: Tensor) -> Tensor:
    """How strongly each pixel is under a drop, the strongest of an image being 1. uint8 (N, H, W) -> float32 (N, H, W).

    All 0 in an image where no drop is strong enough to be seen.
    """
    relief = equalised(mean_levels(edge_distances(canny(liquid))))
    relief = box_sums(embossed(relief)).add_(4).div_(9, rounding_mode="floor")  # rounded: 9 is odd
    drops = relief.mul_(liquid)
    strongest = drops.amax((1, 2), keepdim=True).clamp_(min=1)
    return drops.float().div_(strongest.float())


def edge_distances(edges: Tensor) -> Tensor:
    """Distance to the nearest edge: cv2.distanceTransform(255 - edges, cv2.DIST_L2, 5), cut at REACH.

    edges: bool (N, H, W) -> int32 (N, H, W), in UNIT.

    The distance to an edge some rows away grows with the columns between. So only two edges of each row count: the
    nearest on the left and the nearest on the right. There are (REACH + 1)² pairs of distances to them.
    """
    height, width = edges.shape[1:]
    columns = torch.arange(width, dtype=torch.int32, device=edges.device) + REACH
    left = (columns - (edges * columns).cummax(2).values).clamp_(max=REACH)  # no edge: as if there were one at -REACH
    right = (columns - (edges.flip(2) * columns).cummax(2).values).clamp_(max=REACH).flip(2)
    pairs = left.mul_(REACH + 1).add_(right).flatten()

    ranks, distances = distance_tables(edges.device)
    nearest = ranks[REACH].index_select(0, pairs).view(edges.shape)
    for k in range(1, min(REACH, height)):
        above = ranks[REACH - k].index_select(0, pairs).view(edges.shape)[:, :-k]
        below = ranks[REACH + k].index_select(0, pairs).view(edges.shape)[:, k:]
        torch.minimum(nearest[:, k:], above, out=nearest[:, k:])
        torch.minimum(nearest[:, :-k], below, out=nearest[:, :-k])
    return distances.index_select(0, nearest.flatten().int()).view(edges.shape)


@lru_cache(maxsize=8)
def distance_tables(device: torch.device) -> tuple[tuple[Tensor, ...], Tensor]:
    """Distances to the nearer of two edges in one row, as OpenCV measures them.

    The first: for each row distance -REACH .. REACH the distances by pair, uint8 ((REACH + 1)²,): not themselves but
    their ranks, which are cheap to compare. Pair l * (REACH + 1) + r has an edge l columns to the left and one r
    columns to the right. The second: int32, the distance of each rank in UNIT.

    OpenCV adds up steps to the side (1 pixel), to a corner (1.4) and as a knight moves (2.1969). It does so in float32
    or, where it was built without IPP, in fixed point; the last bits of the sums depend on the order, and differ
    between left and right. So it is asked for the distances around one pixel. Both sums are monotone, and so the
    distance to several pixels is the least of these.
    """
    side = 2 * REACH + 1
    lone = np.full((side, side), 255, np.uint8)
    lone[REACH, REACH] = 0
    around = np.minimum(cv2.distanceTransform(lone, cv2.DIST_L2, 5), REACH)
    around = around[::-1]  # now row REACH + k is for an edge k rows below
    left, right = around[:, REACH:], around[:, REACH::-1]  # by the columns to an edge on the left, and on the right
    pairs = np.minimum(left[:, :, None], right[:, None, :]).reshape(side, -1)
    distances, ranks = np.unique(pairs, return_inverse=True)
    tables = torch.from_numpy(ranks.reshape(pairs.shape).astype(np.uint8)).to(device)
    return tuple(tables), torch.from_numpy((distances / UNIT).astype(np.int32)).to(device)


def framed(x: Tensor) -> Tensor:
    """One pixel more on each side, reflect-101. (N, H, W) -> (N, H + 2, W + 2)."""
    x = torch.cat([x[:, 1:2], x, x[:, -2:-1]], 1)
    return torch.cat([x[..., 1:2], x, x[..., -2:-1]], 2)


def box_sums(x: Tensor) -> Tensor:
    """Sums over 3x3 pixels, reflect-101 outside. int32 (N, H, W), same out."""
    x = framed(x)
    x = (x[:, :-2] + x[:, 1:-1]).add_(x[:, 2:])
    return (x[..., :-2] + x[..., 1:-1]).add_(x[..., 2:])


def mean_levels(distances: Tensor) -> Tensor:
    """cv2.blur(distances, (3, 3)), truncated to whole pixels. int32 (N, H, W), in UNIT -> int32, 0 .. REACH.

    OpenCV's means are float64, and are rounded to float32 before they are truncated.
    """
    return box_sums(distances).double().mul_(UNIT * (1 / 9)).float().int()


def embossed(x: Tensor) -> Tensor:
    """cv2.filter2D(x, cv2.CV_8U, EMBOSS). x: int32 (N, H, W) of 0..255, same out."""
    height, width = x.shape[1:]
    x = framed(x)
    total = x.new_zeros(())
    for (dy, dx), weight in np.ndenumerate(EMBOSS):
        if weight:
            total = total + x[:, dy : dy + height, dx : dx + width] * int(weight)
    return total.clamp_(0, 255)


def equalised(levels: Tensor) -> Tensor:
    """cv2.equalizeHist of images with the grey levels 0 .. REACH only. levels: int32 (N, H, W) -> int32, 0..255.

    A level becomes the share of the pixels up to it, without those of the image's lowest level. An image of one level
    stays as it is.
    """
    places = levels.flatten(1).long()
    pixels = places.shape[1]
    counts = levels.new_zeros((len(levels), REACH + 1)).scatter_add_(
        1, places, levels.new_ones(()).expand(places.shape)
    )
    up_to = counts.cumsum(1, dtype=torch.int32)
    lowest = up_to.masked_fill(up_to == 0, pixels).amin(1, keepdim=True)
    rest = (pixels - lowest).float()
    shares = (up_to - lowest).float().mul_(torch.full_like(rest, 255).div_(rest)).round_().clamp_(0, 255).int()
    grey = torch.arange(REACH + 1, dtype=torch.int32, device=levels.device)
    return torch.where(lowest == pixels, grey, shares).gather(1, places).view(levels.shape)
