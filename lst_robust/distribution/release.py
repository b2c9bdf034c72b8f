"""Which release of lst-robust has made a task: workers with another one refuse it, and say so."""

from __future__ import annotations

from typing import Any

from lst_robust._version import __version__
from lst_robust.errors import LstRobustError


class Release:
    """Stands first in the pickle of a task, and is unpickled by the same release only: another one may not understand
    what follows, or may measure something else."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _same_release, (__version__,)


def _same_release(version: str) -> Release:
    if version != __version__:
        raise LstRobustError(
            f"this worker has lst-robust {__version__}, and the task was made by {version}: install the same release "
            "on all machines"
        )
    return Release()
