"""Recipes: the shipped ones, and what of a recipe decides the weights."""

from __future__ import annotations

import pytest

from lst_robust.errors import UsageError
from lst_robust.suites import load_suite, suites_folder
from lst_robust.suites.recipe import load_recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_are_valid_and_say_how_to_run_them(name):
    assert load_recipe(name).epochs > 0
    header = (suites_folder() / "recipes" / f"{name}.yaml").read_text().splitlines()[0]
    assert header.startswith("# lst-robust train ") and f"--recipe {name}" in header


def test_the_recipe_of_the_released_code():
    recipe = load_suite("cifar10-c").training
    assert recipe == load_recipe("paper-cifar")
    assert (recipe.optimizer, recipe.momentum, recipe.weight_decay, recipe.batch_size) == ("sgd", 0.9, 5e-4, 128)
    assert (recipe.epochs, recipe.lr, recipe.gamma, recipe.milestones) == (160, 0.1, 0.1, (81, 122))
    assert (recipe.augmentation.crop_padding, recipe.augmentation.flip) == (4, True)


def test_a_recipe_by_name_with_other_values(written):
    training = load_suite(written(training={"recipe": "short", "epochs": 3})).training
    assert training == load_recipe("short").changed({"epochs": 3})


def test_earlier_checkpoints_keep_their_names():
    """What was trained with the first release is found again: by these fields, in this order."""
    deciding = load_suite("digits-c").training.deciding()
    keys = "epochs max_steps batch_size optimizer lr weight_decay momentum schedule milestones gamma label_smoothing"
    assert " ".join(deciding) == f"{keys} augmentation seed"
    assert deciding["augmentation"] == {"crop_padding": 3, "flip": False}


def test_what_decides_the_weights_and_what_does_not():
    short = load_recipe("short")
    watched = short.changed({"evaluate_every": 2})
    assert watched.deciding() == short.deciding()
    assert watched.changed({"keep": "best"}).deciding() != short.deciding()
    assert short.changed({"accumulate": 2}).deciding() != short.deciding()


def test_an_unknown_recipe_offers_the_nearest(tmp_path):
    with pytest.raises(UsageError, match="unknown recipe 'papercifar': did you mean paper-cifar"):
        load_recipe("papercifar")
    with pytest.raises(UsageError, match=r"none\.yaml: cannot be read"):
        load_recipe(tmp_path / "none.yaml")


def test_a_change_that_cannot_be_meant_is_named():
    with pytest.raises(UsageError, match="recipe: epochs: Input should be greater"):
        load_recipe("short").changed({"epochs": 0})
