"""What cells are expected to cost: times that were measured count more than the estimate."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from torch import nn

from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.distribution.costs import Costs, Size, size_of
from tests.fixtures.records import PROBED

NOISE, GLASS, FOG = (Cell(name, 3) for name in ("gaussian_noise", "glass_blur", "fog"))
SMALL, LARGE = Size(1e6, 0), Size(1e10, 0)
PLAN = SimpleNamespace(run=PROBED)
OTHER = SimpleNamespace(run=SimpleNamespace(digest="another run", protocol=PROBED.protocol))


def test_without_any_record_slow_corruptions_and_large_networks_cost_more():
    costs = Costs([])
    assert (
        costs.seconds(PLAN, CLEAN_CELL, SMALL) < costs.seconds(PLAN, NOISE, SMALL) < costs.seconds(PLAN, GLASS, SMALL)
    )
    assert costs.seconds(PLAN, NOISE, SMALL) < costs.seconds(PLAN, NOISE, LARGE)
    assert all(costs.seconds(PLAN, cell, SMALL) > 0 for cell in (CLEAN_CELL, NOISE, GLASS))


def test_of_a_network_that_hides_the_corruption_all_cells_cost_about_the_same():
    costs = Costs([])
    assert costs.seconds(PLAN, GLASS, LARGE) < 1.01 * costs.seconds(PLAN, NOISE, LARGE)


@pytest.mark.parametrize("plan", [PLAN, OTHER], ids=["of this run", "of another run"])
def test_measured_times_change_the_order(plan):
    """Glass blur is the slowest by the estimate; here fog was, of whatever network."""
    records = {GLASS: 1.0, NOISE: 2.0, FOG: 30.0}
    estimate, observed = Costs([]), Costs([(plan, SMALL, records)])
    assert estimate.seconds(PLAN, FOG, SMALL) < estimate.seconds(PLAN, GLASS, SMALL)
    order = sorted([GLASS, NOISE, FOG], key=lambda cell: observed.seconds(PLAN, cell, SMALL))
    assert order == [GLASS, NOISE, FOG]


def test_times_of_this_run_are_what_its_cells_are_expected_to_cost():
    costs = Costs([(PLAN, SMALL, {GLASS: 1.0, NOISE: 2.0, FOG: 30.0})])
    assert costs.seconds(PLAN, Cell("fog", 5), SMALL) == pytest.approx(30.0), "another severity of the same"
    assert costs.seconds(PLAN, NOISE, LARGE) == pytest.approx(2.0), "whatever its size"


def test_a_corruption_that_was_not_measured_is_estimated_from_the_times_of_the_run():
    costs = Costs([(PLAN, SMALL, {NOISE: 50.0})])
    assert costs.seconds(PLAN, Cell("contrast", 1), SMALL) == pytest.approx(50.0, rel=0.01)
    assert costs.seconds(PLAN, GLASS, SMALL) > 100.0


def test_a_time_of_zero_is_no_error():
    assert Costs([(PLAN, SMALL, {NOISE: 0.0})]).seconds(PLAN, FOG, SMALL) >= 0


@pytest.mark.parametrize("seconds", [1e-5, 1.0, 1e5], ids=["on a GPU", "on a CPU", "on a slow one"])
def test_a_network_without_records_costs_as_much_as_one_of_its_size_that_has_some(seconds):
    """Else all networks of an earlier call would seem to cost nothing beside a new one, or the other way round."""
    costs = Costs([(OTHER, LARGE, {NOISE: seconds})])
    assert costs.seconds(PLAN, NOISE, LARGE) == pytest.approx(costs.seconds(OTHER, NOISE, LARGE))
    assert costs.seconds(PLAN, NOISE, SMALL) < costs.seconds(OTHER, NOISE, LARGE)


def test_a_network_has_the_size_that_is_counted():
    size = size_of(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.AdaptiveAvgPool2d(1)), 8)
    assert size.macs == 8 * 8 * 4 * 27 and size.bytes == 4 * 3 * 9 * 4


def test_a_network_that_cannot_be_counted_has_an_estimate():
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(10, 10, bias=False)

        def forward(self, x):
            raise RuntimeError("not with images of zeros")

    assert size_of(Own(), 8) == Size(macs=50.0 * 100, bytes=400)
