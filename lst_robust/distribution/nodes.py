"""Which nodes of a cluster get no tasks for some time, because the last task there has failed."""

from __future__ import annotations

import time
from collections.abc import Callable

AVOID = 600.0  # seconds for which a node is avoided after a failure


class Nodes:
    """The nodes on which tasks have ended, by their names.

    A node whose last task has failed is avoided, so that a retry runs elsewhere. It is avoided only while another node
    is known to work: where all fail, this is not the fault of a node. After AVOID seconds it gets tasks again, because
    it may have been mended, or the task itself may have been to blame.

    clock: gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: dict[str, float] = {}  # when, of each node whose last task has failed
        self._working: dict[str, None] = {}  # a set in the order of the first success

    def ended(self, node: str | None, *, worked: bool) -> None:
        """A task has ended on a node; None: nobody knows on which one."""
        if node is None:
            return
        if worked:
            self._failed.pop(node, None)
            self._working[node] = None
        else:
            self._working.pop(node, None)
            self._failed[node] = self._clock()

    @property
    def working(self) -> list[str]:
        """Nodes whose last task has succeeded."""
        return list(self._working)

    @property
    def avoided(self) -> list[str]:
        """Nodes that get no tasks now, sorted."""
        if not self._working:
            return []
        return sorted(node for node, failed in self._failed.items() if self._clock() - failed < AVOID)
