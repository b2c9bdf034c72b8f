"""How an epoch is cut into batches, and the batches shared among processes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lst_robust.errors import DataError, UsageError
from lst_robust.suites.recipe import Recipe


@dataclass(frozen=True)
class Plan:
    """How many steps there are, worked out from the recipe and the number of images `n`."""

    n: int
    batch_size: int
    steps_per_epoch: int
    total_steps: int
    drop_last: bool

    @classmethod
    def of(cls, recipe: Recipe, n: int, world: int = 1) -> Plan:
        """DataError for too few images; UsageError where a process would get fewer than two images a batch."""
        if n < 2:
            raise DataError(f"{n} training image(s) are too few to train on")
        batch_size = min(recipe.batch_size, n)
        # Without drop_last a batch never has one image alone, of which BN on 1x1 maps has no variance.
        steps_per_epoch = n // batch_size if recipe.drop_last else min(math.ceil(n / batch_size), n // 2)
        total = recipe.epochs * steps_per_epoch
        plan = cls(n, batch_size, steps_per_epoch, min(total, recipe.max_steps or total), recipe.drop_last)
        smallest = min(stop - start for start, stop in plan.batches(0))
        if world > 1 and smallest < 2 * world:
            raise UsageError(f"{world} processes are too many for batches of {smallest} images: each needs two")
        return plan

    @property
    def epochs(self) -> int:
        return math.ceil(self.total_steps / self.steps_per_epoch)

    def batches(self, epoch: int) -> list[tuple[int, int]]:
        """(start, stop) of each batch in the shuffled order of an epoch, counted from 0.

        With `drop_last` all have `batch_size` images and the rest waits for another epoch's order; without, they are
        even and cover every image once; of an odd number in batches of two, one batch has three.
        """
        steps = min(self.steps_per_epoch, self.total_steps - epoch * self.steps_per_epoch)
        if self.drop_last:
            return [(step * self.batch_size, (step + 1) * self.batch_size) for step in range(steps)]
        return [
            (self.n * step // self.steps_per_epoch, self.n * (step + 1) // self.steps_per_epoch)
            for step in range(steps)
        ]
