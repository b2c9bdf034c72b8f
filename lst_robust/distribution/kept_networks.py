"""Networks that stay in a worker's memory for its next task."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class KeptNetworks(Generic[T]):
    """The networks of the task in hand, and those that were used last, as long as all of them together have no more
    than so many bytes of weights.

    A count would not do: a task of more networks than that would find none of its own, because each of them takes the
    place of the one that is needed next.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._networks: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()  # the one that was used last is the last
        self._of_task: frozenset[Hashable] = frozenset()

    def begin(self, of_task: Iterable[Hashable]) -> None:
        """Says which networks the next task needs. They are not let go before another one begins."""
        self._of_task = frozenset(of_task)

    def get(self, key: Hashable) -> T | None:
        if key not in self._networks:
            return None
        self._networks.move_to_end(key)
        return self._networks[key][0]

    def add(self, key: Hashable, network: T, size: int) -> None:
        """size: bytes of its weights."""
        self._networks[key] = network, size
        held = sum(size for _, size in self._networks.values())
        for other in [one for one in self._networks if one != key and one not in self._of_task]:
            if held <= self._most:
                break
            held -= self._networks.pop(other)[1]

    def clear(self) -> None:
        self._networks.clear()
