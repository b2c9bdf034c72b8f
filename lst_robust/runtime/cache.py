"""Where the package keeps what it can make again: compiled kernels, digests of image files."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """`LST_ROBUST_CACHE_DIR`, else `lst-robust` in `XDG_CACHE_HOME` or `~/.cache`. The folder may not exist yet."""
    own = os.environ.get("LST_ROBUST_CACHE_DIR")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # which never fails, home or none
    return Path(base) / "lst-robust"
