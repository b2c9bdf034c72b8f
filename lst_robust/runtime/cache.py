"""Where the package keeps what it can make again: compiled kernels, digests of image files."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path

MAX_AGE_DAYS = 90


def cache_root() -> Path:
    """`LST_ROBUST_CACHE_DIR`, else the folder `lst-robust` where this system keeps caches.

    That is `XDG_CACHE_HOME` or `~/.cache` on Linux. The folder may not exist yet.
    """
    own = os.environ.get("LST_ROBUST_CACHE_DIR")
    if own:
        return Path(own)
    try:
        return user_cache_path("lst-robust", appauthor=False)
    except RuntimeError:  # a user without a home folder, as in some containers
        return Path(os.path.expanduser("~/.cache/lst-robust"))


@cache
def remove_unused(folder: Path, days: int = MAX_AGE_DAYS) -> None:
    """Deletes the files of a folder in the cache that nobody has written or used for so many days, see `mark_used`.

    A process looks at each folder once. Several processes may do so at the same time, for a file that another process
    has deleted is no error.
    """
    oldest = time.time() - days * 86_400
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < oldest:
                    os.unlink(entry.path)


def mark_used(file: Path) -> None:
    """Counts a file of the cache as used now. Nothing happens where the cache cannot be written."""
    with suppress(OSError):
        os.utime(file)
