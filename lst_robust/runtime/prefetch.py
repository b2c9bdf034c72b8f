"""Work that runs ahead of its reader in threads, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from lst_robust.runtime.interruption import check_interrupted

Batch = TypeVar("Batch")
Result = TypeVar("Result")


def prefetch(
    work: Callable[[Batch], Result],
    batches: Iterable[Batch],
    workers: int,
    prepare_thread: Callable[[], object] | None = None,
    stop: Callable[[], object] = lambda: None,
) -> Generator[Result, None, None]:
    """What `work` makes of each batch, in order, by `workers` threads at most `workers + 1` batches ahead.

    With `workers` 1 one thread works while the caller does. `prepare_thread` is called first in each of the threads.
    `stop` is called once at the end, also after an error, before the threads are waited for. An error in one of them
    surfaces here, and so does Ctrl-C between two batches. Close the iterator (contextlib.closing) where it may not come
    to its end.
    """
    remaining = iter(batches)
    with ThreadPoolExecutor(workers, thread_name_prefix="worker", initializer=prepare_thread) as pool:
        pending: deque[Future[Result]] = deque()
        try:
            pending.extend(pool.submit(work, batch) for batch in islice(remaining, workers + 1))
            while pending:
                check_interrupted()
                done = pending.popleft().result()
                pending.extend(pool.submit(work, batch) for batch in islice(remaining, 1))
                yield done
        finally:
            stop()
            for future in pending:
                future.cancel()
