"""Which nodes are avoided, and for how long."""

from __future__ import annotations

import pytest

from lst_robust.distribution.nodes import AVOID, Nodes
from tests.distribution.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def nodes(clock) -> Nodes:
    return Nodes(clock)


def test_a_node_that_fails_beside_one_that_works_is_avoided(nodes):
    nodes.ended("good", worked=True)
    nodes.ended("bad", worked=False)
    assert nodes.avoided == ["bad"] and nodes.working == ["good"]


def test_where_no_node_works_none_is_avoided(nodes):
    nodes.ended("one", worked=True)
    for node in ("one", "two"):
        nodes.ended(node, worked=False)
    assert nodes.avoided == [] and nodes.working == []


def test_a_node_that_works_again_is_not_avoided(nodes):
    nodes.ended("good", worked=True)
    nodes.ended("bad", worked=False)
    nodes.ended("bad", worked=True)
    assert nodes.avoided == [] and nodes.working == ["good", "bad"]


def test_after_some_time_a_node_gets_another_chance(nodes, clock):
    nodes.ended("good", worked=True)
    nodes.ended("bad", worked=False)
    clock.now += AVOID - 1
    assert nodes.avoided == ["bad"]
    clock.now += 1
    assert nodes.avoided == []


def test_an_end_on_an_unknown_node_changes_nothing(nodes):
    nodes.ended("good", worked=True)
    nodes.ended(None, worked=False)
    assert nodes.avoided == [] and nodes.working == ["good"]
