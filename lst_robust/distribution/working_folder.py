"""The folder that a call was made in, in which relative paths are meant, as a worker enters it."""

from __future__ import annotations

import os
from pathlib import Path

from lst_robust.errors import LstRobustError


def enter(folder: Path) -> None:
    """Raises LstRobustError where the worker does not see it."""
    if Path.cwd() == folder:
        return
    try:
        os.chdir(folder)
    except OSError as error:
        raise LstRobustError(
            f"{folder} cannot be entered here ({error.strerror}): all workers must see the folder that the call was "
            "made in"
        ) from error
