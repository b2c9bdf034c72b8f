"""What ends a training from outside: no memory, a device that is gone, a compiler that is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lst_robust.errors import LstRobustError
from lst_robust.runtime.compiler import compiler_errors
from lst_robust.runtime.devices import device_errors, not_enough_memory
from lst_robust.runtime.resources import Resources
from lst_robust.suites.recipe import Recipe


@contextmanager
def training_errors(resources: Resources, recipe: Recipe) -> Iterator[None]:
    """Each of them as an LstRobustError of one line, with what to do."""
    device, kept = resources.device, "finished epochs are kept"
    try:
        with device_errors(device, kept), compiler_errors():
            yield
    except RuntimeError as error:
        if not not_enough_memory(error):
            raise
        parts = 2 * recipe.accumulate
        in_parts = "" if recipe.accumulate == 1 else f" in {recipe.accumulate} parts"
        advice = (
            f"train in more parts (lst-robust train --accumulate {parts})"
            if 2 * parts <= recipe.batch_size
            else f"train in smaller batches (lst-robust train --batch-size {recipe.batch_size // 2})"
        )
        asked = f"batches of {recipe.batch_size} images{in_parts}"
        raise LstRobustError(f"{device} has not enough memory for {asked}: free some, or {advice}; {kept}") from error
