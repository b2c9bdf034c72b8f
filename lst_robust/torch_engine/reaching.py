"""Which pixels hang together with a marked one, on a device, without a look at how far the search has come.

The usual search goes from pixel to pixel until nothing changes. How long that takes depends on the image: a spiral
takes thousands of steps, and the host must wait for the device to see that nothing changes. Here the number of steps
depends on the size alone. As in Borůvka's algorithm (1926) for spanning trees, pixels are joined to trees and trees to
greater trees, and each round at least halves the number of the trees that are not complete.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

FREE = 1 << 30
"""Greater than the number of any node: set in the number of a node that has found no other tree."""
NO_TREE = (1 << 31) - 1


def reached(pixels: Tensor, marked: Tensor) -> Tensor:
    """The pixels that a chain of neighbours (each pixel has eight) joins to a marked one.

    pixels: bool (N, H, W); marked: some of them, bool (N, H, W) -> bool (N, H, W).

    A node is a block of 2x2 pixels, because any two pixels of a block are neighbours. Each row of blocks begins with an
    empty one, and each image begins with an empty row, so that no edge leads from one row or image to the next. The
    first node of an image stands for all of its blocks with a marked pixel.
    """
    count, height, width = pixels.shape
    rows, columns = (height + 1) // 2, (width + 1) // 2
    nodes = torch.arange(count * (rows + 1) * (columns + 1), dtype=torch.int32, device=pixels.device)
    numbers = nodes.view(count, rows + 1, columns + 1)
    firsts = numbers[:, :1, :1]
    quarters = blocks_of(pixels)
    labels = torch.where(blocks_of(marked).any(4).any(2), firsts, numbers)
    labels = complete_trees(labels, numbers, block_edges(quarters), rows * columns + 1)
    kept = quarters & (labels == firsts)[:, :, None, :, None]
    return kept[:, 1:, :, 1:].reshape(count, 2 * rows, 2 * columns)[:, :height, :width]


def blocks_of(pixels: Tensor) -> Tensor:
    """bool (N, H, W) -> bool (N, rows, 2, columns, 2), with the empty row and the empty column of blocks."""
    count, height, width = pixels.shape
    padded = pad(pixels, (2, width % 2, 2, height % 2))
    return padded.view(count, padded.shape[1] // 2, 2, padded.shape[2] // 2, 2)


def block_edges(quarters: Tensor) -> Tensor:
    """Which nodes hang together. quarters: bool (N, rows, 2, columns, 2) -> bool (3, 3, nodes).

    Entry (1 + dy, 1 + dx) belongs to the node dy rows below and dx columns to the right; none leads to the node itself.
    """
    columns = quarters.shape[3]
    (upper_left, upper_right), (lower_left, lower_right) = (
        (quarters[:, :, y, :, 0].flatten(), quarters[:, :, y, :, 1].flatten()) for y in (0, 1)
    )
    edges = quarters.new_zeros((9, len(upper_left)))
    for place, shift, own, other in (
        (5, 1, upper_right | lower_right, upper_left | lower_left),
        (6, columns - 1, lower_left, upper_right),
        (7, columns, lower_left | lower_right, upper_left | upper_right),
        (8, columns + 1, lower_right, upper_left),
    ):
        torch.logical_and(own[:-shift], other[shift:], out=edges[place, :-shift])
        edges[8 - place, shift:] = edges[place, :-shift]  # the same edge, seen from the other node
    return edges.view(3, 3, -1)


def complete_trees(labels: Tensor, numbers: Tensor, edges: Tensor, most: int) -> Tensor:
    """For each node the least number in its component: int32 (N, rows, columns).

    labels: int32 (N, rows, columns), for each node the least number of the tree to which it belongs already. numbers:
    int32 (N, rows, columns), 0, 1, 2 ...; edges: see block_edges. most: how many trees an image has at most.

    In each round every tree becomes a child of the tree with the least number among its neighbours. If b is the child
    of a, and c is the child of b, then a is not greater than c, for c is a neighbour of b, too. So the only circles are
    two trees that are each other's children. The lesser of the two is the least of all that lead to it, and becomes
    the root. After k rounds, a tree that is not complete consists of at least 2^k of the first trees, and so does some
    neighbour of it. Hence all are complete after log2(most) rounds, and round k joins at most most / 2^k trees.
    """
    nodes, stride = numbers.numel(), numbers.shape[2]
    margin = stride + 1
    framed = labels.new_zeros(nodes + 2 * margin)
    own = framed[margin:-margin]
    own.copy_(labels.flatten())
    around = framed.as_strided((3, 3, nodes), (stride, 1, 1))  # the labels of a node's neighbours
    no_edge = (edges.int() - 1) & NO_TREE
    free = numbers.flatten() | FREE
    for k in range(most.bit_length() - 1):
        others = around | no_edge
        others = others.masked_fill_(others == own, NO_TREE).amin((0, 1))
        parents = free.scatter_reduce(0, own.long(), others, "amin") & (FREE - 1)
        parents = torch.minimum(parents, parents.index_select(0, parents))  # the lesser of a circle is the root
        for _ in range(doublings((most >> k) - 1)):
            parents = parents.index_select(0, parents)
        own.copy_(parents.index_select(0, own))
    return own.view(numbers.shape)


def doublings(steps: int) -> int:
    """How often each node must take the parent of its parent for a parent, until `steps` steps are one."""
    return (steps - 1).bit_length()
