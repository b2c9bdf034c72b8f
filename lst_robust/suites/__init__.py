"""What is evaluated, and how: suites, their training recipes, their normalisers, read from YAML and checked."""

from lst_robust.suites.config import suites_folder
from lst_robust.suites.normaliser import Normaliser, load_normaliser
from lst_robust.suites.recipe import Augmentation, Recipe
from lst_robust.suites.suite import PixelStatistics, Preprocessing, Suite, load_suite, resolve_suite, suite_names

__all__ = [
    "Augmentation", "Normaliser", "PixelStatistics", "Preprocessing", "Recipe", "Suite",
    "load_normaliser", "load_suite", "resolve_suite", "suite_names", "suites_folder",
]  # fmt: skip
