"""Where names stand beside what they name, so that none covers another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

DISTANCES = (4.0, 9.0, 16.0, 25.0, 36.0)  # points from a marker to its name; the nearest free place is taken
DIRECTIONS = 16
HAIR = 2.0  # square points
CROSSED = 0.4  # what a marker or an interval costs that a name covers, against an area of another name


class Box(NamedTuple):
    """A rectangle: its lower left and its upper right corner."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Box) -> float:
        """The area that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(0.0, width) * max(0.0, height)


def spread_apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions on a line, as near as possible to those wanted, in their order, at least `gap` from each other and
    within low..high. Where there is too little room they stand evenly over it."""
    count = len(wanted)
    if count == 0:
        return []
    if gap * (count - 1) >= high - low:
        gap = (high - low) / max(1, count - 1)
    order = sorted(range(count), key=lambda index: wanted[index])
    # Blocks of labels that touch: each stands where the sum of its squared distances is least.
    blocks: list[list[float]] = []  # sum of wanted places, each less its offset in the block; number of labels
    for index in order:
        blocks.append([wanted[index], 1])
        while len(blocks) > 1 and _start(blocks[-2], low, high, gap) + blocks[-2][1] * gap > _start(
            blocks[-1], low, high, gap
        ):
            total, number = blocks.pop()
            blocks[-1][0] += total - number * blocks[-1][1] * gap
            blocks[-1][1] += number
    places = [_start(block, low, high, gap) + step * gap for block in blocks for step in range(int(block[1]))]
    found = [0.0] * count
    for index, place in zip(order, places, strict=True):
        found[index] = place
    return found


def _start(block: Sequence[float], low: float, high: float, gap: float) -> float:
    total, number = block
    return min(max(total / number, low), high - (number - 1) * gap)


def place_labels(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    frame: Box,
    obstacles: Sequence[Box] = (),
) -> list[tuple[float, float]]:
    """For each point the centre of its label, all in points.

    sizes: width and height of each label. frame: what labels must stay within. obstacles: what they should not cover,
    such as markers and intervals, also the points' own. One label after the other takes the best of its places.
    """
    taken: list[Box] = []
    centres = []
    for (x, y), (width, height) in zip(points, sizes, strict=True):
        best, least = (x, y), math.inf
        for distance in DISTANCES:
            for step in range(DIRECTIONS):
                angle = 2 * math.pi * step / DIRECTIONS
                across, up = math.cos(angle), math.sin(angle)
                centre_x = x + across * distance + width / 2 * _side(across)
                centre_y = y + up * distance + height / 2 * up
                box = Box(centre_x - width / 2, centre_y - height / 2, centre_x + width / 2, centre_y + height / 2)
                cost = _cost(box, taken, obstacles, frame) + distance * 0.3
                if cost < least:
                    best, least = (centre_x, centre_y), cost
        centres.append(best)
        width, height = width + 1, height + 0.5
        taken.append(Box(best[0] - width / 2, best[1] - height / 2, best[0] + width / 2, best[1] + height / 2))
    return centres


def room_for_all(centres: Sequence[tuple[float, float]], sizes: Sequence[tuple[float, float]]) -> bool:
    """Whether no two labels at these places cover each other by more than a hair."""
    boxes = [
        Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        for (x, y), (width, height) in zip(centres, sizes, strict=True)
    ]
    return all(box.overlap(other) < HAIR for index, box in enumerate(boxes) for other in boxes[:index])


def _side(across: float) -> float:
    """A label to the right begins at the point, one above or below is centred."""
    return 0.0 if abs(across) < 0.3 else math.copysign(1.0, across)


def _cost(box: Box, taken: Sequence[Box], obstacles: Sequence[Box], frame: Box) -> float:
    area = (box.right - box.left) * (box.top - box.bottom)
    outside = area - box.overlap(frame)
    names = sum(box.overlap(other) for other in taken)
    return 20 * outside + 10 * names + CROSSED * 10 * sum(box.overlap(other) for other in obstacles)
