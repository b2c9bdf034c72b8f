"""The same work for many things at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lst_robust.runtime.cores import available_cores

R = TypeVar("R")


def in_threads(work: Callable[..., R], *each: Iterable[object]) -> list[R]:
    """As `list(map(work, *each))`, by a thread a core. The first error ends it, and what has not begun is left out."""
    pool = ThreadPoolExecutor(available_cores(), thread_name_prefix="work")
    try:
        return list(pool.map(work, *each))
    finally:
        pool.shutdown(cancel_futures=True)
