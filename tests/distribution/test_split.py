"""Cells of networks, divided into tasks: nothing is lost or done twice, and tasks get smaller."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lst_robust.distribution.split import split


def one(network: object, cell: object) -> float:
    return 1.0


@given(
    networks=st.integers(0, 12),
    cells=st.integers(0, 30),
    workers=st.integers(1, 40),
    most=st.none() | st.integers(1, 50),
    least=st.floats(0, 100),
    costs=st.lists(st.floats(0, 1e4), min_size=30, max_size=30),
)
def test_each_cell_of_each_network_is_in_one_block(networks, cells, workers, most, least, costs):
    blocks = split(
        range(networks), range(cells), lambda network, cell: costs[cell] * (network + 1), workers, most, least
    )
    units = [(network, cell) for bundle, part, _ in blocks for network in bundle for cell in part]
    assert sorted(units) == [(network, cell) for network in range(networks) for cell in range(cells)]
    for bundle, part, cost in blocks:
        assert bundle and part
        assert cost == pytest.approx(sum(costs[cell] * (network + 1) for network in bundle for cell in part))


@given(networks=st.integers(1, 12), cells=st.integers(1, 40), workers=st.integers(1, 40), most=st.integers(3, 60))
def test_there_are_no_more_blocks_than_asked_for(networks, cells, workers, most):
    assert len(split(range(networks), range(cells), one, workers, most)) <= most


def test_all_networks_are_in_each_block_where_there_are_cells_enough():
    """An image is corrupted once for all networks of a block."""
    blocks = split(["a", "b"], range(95), one, 4)
    assert all(bundle == ["a", "b"] for bundle, _, _ in blocks)


def test_networks_are_divided_where_there_are_too_few_cells_for_the_workers():
    blocks = split(["a", "b", "c", "d"], range(2), one, 4)
    assert [(bundle, part) for bundle, part, _ in blocks] == [([name], [cell]) for name in "abcd" for cell in range(2)]


def test_the_first_blocks_are_long_and_the_last_ones_single_cells():
    sizes = [len(part) for _, part, _ in split(["a"], range(95), one, 4)]
    assert sizes[0] == 11 and sizes[-1] == 1, "95 / (2 * 4) at first"
    assert sizes == sorted(sizes, reverse=True)


def test_where_each_task_takes_time_to_begin_none_is_shorter_than_that():
    costs = [cost for _, _, cost in split(["a"], range(95), one, 4, least=5.0)]
    assert min(costs[:-1]) >= 5.0


def test_one_cell_is_one_block():
    assert split(["a"], ["fog"], lambda *_: 7.0, 100) == [(["a"], ["fog"], 7.0)]
