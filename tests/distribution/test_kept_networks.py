"""Which networks stay in a worker's memory."""

from __future__ import annotations

from lst_robust.distribution.kept_networks import KeptNetworks


def loads(kept: KeptNetworks[str], task: range, size: int = 10) -> int:
    """How many networks of a task have to be loaded."""
    loaded = 0
    kept.begin(task)
    for number in task:
        if kept.get(number) is None:
            kept.add(number, f"network {number}", size)
            loaded += 1
    return loaded


def test_the_next_task_of_the_same_networks_loads_none_however_many_they_are():
    kept: KeptNetworks[str] = KeptNetworks(100)
    assert [loads(kept, range(30)) for _ in range(2)] == [30, 0]


def test_those_that_were_used_last_stay_as_long_as_there_is_room():
    kept: KeptNetworks[str] = KeptNetworks(100)
    assert loads(kept, range(6)) == 6 and loads(kept, range(6, 10)) == 4
    assert loads(kept, range(10)) == 0, "all of them fit"
    assert loads(kept, range(6)) == 0 and loads(kept, range(20, 24)) == 4
    assert [number for number in range(24) if kept.get(number)] == [0, 1, 2, 3, 4, 5, 20, 21, 22, 23]


def test_a_network_that_is_larger_than_the_room_is_kept_alone():
    kept: KeptNetworks[str] = KeptNetworks(100)
    loads(kept, range(5))
    assert loads(kept, range(9, 10), size=500) == 1 and loads(kept, range(9, 10)) == 0
    assert not any(kept.get(number) for number in range(5))
