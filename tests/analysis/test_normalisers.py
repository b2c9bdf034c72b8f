"""Which normaliser is meant, and a measured one as YAML."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from lst_robust.analysis.evaluation import Evaluation
from lst_robust.analysis.normalisers import (
    chosen_normaliser,
    known_normaliser,
    require_all_cells,
    resolve_normaliser,
    to_yaml,
)
from lst_robust.errors import NothingToEvaluateError, UsageError
from lst_robust.suites import load_suite
from lst_robust.suites.normaliser import Normaliser, load_normaliser, published_normaliser
from tests.analysis.simulated import ALL_CELLS, HALF, measured


def test_each_choice_gives_its_normaliser(tmp_path):
    suite = load_suite("digits-c")
    file = tmp_path / "half.yaml"
    file.write_text(yaml.safe_dump(HALF.model_dump(mode="json")))
    assert resolve_normaliser("suite", suite) == suite.normaliser
    assert resolve_normaliser(None, suite) is None and resolve_normaliser("none", suite) is None
    assert resolve_normaliser("alexnet-imagenet-c", suite) == published_normaliser()
    assert resolve_normaliser(HALF, suite) is HALF and resolve_normaliser(str(file), suite) == HALF
    assert chosen_normaliser("suite") == "suite"


@pytest.mark.parametrize(("choice", "words"), [("alexnet", "unknown normaliser 'alexnet'"), (3, "give a Normaliser")])
def test_what_is_none_is_refused(choice, words):
    with pytest.raises(UsageError, match=words):
        chosen_normaliser(choice)


def test_a_normaliser_needs_all_cells():
    require_all_cells(ALL_CELLS)
    with pytest.raises(UsageError, match="needs all 96 cells, and 95 are asked for"):
        require_all_cells(ALL_CELLS[1:])


def test_measured_errors_become_a_file_that_is_read_again(tmp_path):
    wrong = {cell: np.arange(50) < 5 + cell.severity for cell in ALL_CELLS}
    found = measured("alexnet", wrong)
    text = to_yaml(Evaluation(found.run, found.records, None), "made by hand")
    (tmp_path / "n.yaml").write_text(text)
    normaliser = load_normaliser(tmp_path / "n.yaml")
    assert isinstance(normaliser, Normaliser) and normaliser.name == "own-alexnet-digits-c"
    assert normaliser.clean_error == 10 and normaliser.errors["fog"] == (12, 14, 16, 18, 20)
    assert normaliser.made_with["command"] == "made by hand" and normaliser.made_with["n"] == 50
    del found.records[ALL_CELLS[5]]
    with pytest.raises(NothingToEvaluateError, match=f"1 are missing, such as {ALL_CELLS[5].name}"):
        to_yaml(Evaluation(found.run, found.records, None), "made by hand")


@pytest.mark.parametrize("suite", ["imagenet-c", "digits-c"])
def test_only_the_known_errors_are_written_under_a_known_name(suite):
    """`alexnet-imagenet-c` is published, and `alexnet-digits-c` ships with its suite."""
    wrong = {cell: np.arange(50) < 5 for cell in ALL_CELLS}
    found = measured("alexnet", wrong, suite=suite)
    written = yaml.safe_load(to_yaml(Evaluation(found.run, found.records, None), "made by hand"))
    assert written["name"] == f"own-alexnet-{suite}"
    known = load_suite(suite).normaliser
    assert known_normaliser(f"alexnet-{suite}", suite) == known and known_normaliser("mine", suite) is None


@pytest.mark.parametrize(("without_errors", "named"), [("clean", "clean_error"), ("fog", "fog: all five errors are 0")])
def test_errors_that_a_normaliser_may_not_have_are_not_written(without_errors, named):
    """A good network on few images may be right on all of them."""
    wrong = {cell: np.arange(50) < (0 if cell.corruption == without_errors else 5) for cell in ALL_CELLS}
    found = measured("alexnet", wrong)
    with pytest.raises(NothingToEvaluateError) as refused:
        to_yaml(Evaluation(found.run, found.records, None), "made by hand")
    message = str(refused.value)
    assert named in message and "without --limit" in message and "\n" not in message


def test_a_corruption_needs_errors_at_one_severity_only(tmp_path):
    wrong = {cell: np.arange(50) < (0 if cell.severity in (1, 2, 3, 4) else 5) for cell in ALL_CELLS}
    found = measured("alexnet", wrong)
    (tmp_path / "n.yaml").write_text(to_yaml(Evaluation(found.run, found.records, None), "made by hand"))
    assert load_normaliser(tmp_path / "n.yaml").errors["fog"] == (0, 0, 0, 0, 10)
