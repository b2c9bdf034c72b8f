"""How epochs are cut into batches and batches into shares: every image once, whoever takes it."""

from __future__ import annotations

import pytest

from lst_robust.errors import DataError, UsageError
from lst_robust.suites.recipe import Recipe
from lst_robust.training.batches import Plan

RECIPE = Recipe(epochs=3, batch_size=16, optimizer="sgd", lr=0.1, weight_decay=0)
EVERY_IMAGE = RECIPE.changed({"drop_last": False})


def test_the_plan_fits_into_max_steps():
    recipe = RECIPE.changed({"epochs": 10, "max_steps": 25})
    plan = Plan.of(recipe, 160)
    assert (plan.steps_per_epoch, plan.total_steps, plan.epochs) == (10, 25, 3)
    assert [len(plan.batches(epoch)) for epoch in range(3)] == [10, 10, 5]
    assert Plan.of(RECIPE, 5).batch_size == 5
    with pytest.raises(DataError, match="too few"):
        Plan.of(RECIPE, 1)


@pytest.mark.parametrize("n", [2, 15, 16, 17, 33, 160, 161, 1297])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_an_epoch_covers_every_image_exactly_once_over_all_ranks(n, world):
    if n < 2 * world:
        with pytest.raises(UsageError, match=f"{world} processes are too many"):
            Plan.of(EVERY_IMAGE, n, world)
        return
    batches = Plan.of(EVERY_IMAGE, n, world).batches(1)
    shares = [list(range(start, stop))[rank::world] for start, stop in batches for rank in range(world)]
    assert sorted(position for share in shares for position in share) == list(range(n))
    assert max(stop - start for start, stop in batches) <= 16
    assert min(len(share) for share in shares) >= min(2, n // world)


def test_the_last_smaller_batch_may_wait_for_another_epoch():
    assert Plan.of(RECIPE, 40).batches(0) == [(0, 16), (16, 32)]
    assert Plan.of(EVERY_IMAGE, 40).batches(0) == [(0, 13), (13, 26), (26, 40)]


@pytest.mark.parametrize("n", [2, 3, 5, 6, 7, 17])
def test_no_batch_has_one_image_alone(n):
    batches = Plan.of(EVERY_IMAGE.changed({"batch_size": 2}), n).batches(0)
    sizes = [stop - start for start, stop in batches]
    assert sum(sizes) == n and sorted(sizes) == [2] * (n // 2 - n % 2) + [3] * (n % 2)


def test_the_papers_epochs_have_391_steps():
    plan = Plan.of(RECIPE.changed({"batch_size": 128, "drop_last": False, "epochs": 160}), 50_000)
    assert plan.steps_per_epoch == 391
    assert {stop - start for start, stop in plan.batches(0)} == {127, 128}
