"""The same work for many things at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from threadpoolctl import threadpool_limits

from lst_robust.runtime.cores import available_cores

R = TypeVar("R")


def in_threads(work: Callable[..., R], *each: Iterable[object]) -> list[R]:
    """As `list(map(work, *each))`, by a thread a core. The first error ends it, and what has not begun is left out."""
    pool = ThreadPoolExecutor(available_cores(), thread_name_prefix="work")
    try:
        return list(pool.map(work, *each))
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def one_thread_a_product() -> Iterator[None]:
    """Within it a product of numpy's matrices takes one core: for `in_threads`, which has one for each thread. Else all
    of the threads' products would want all cores, which took twice the processor time."""
    with threadpool_limits(1, "blas"):
        yield
