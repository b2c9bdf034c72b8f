"""Arguments of evaluate: each mistake is one line with the argument's name, before any work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

import lst_robust
from lst_robust.analysis.normalisers import resolve_normaliser
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.evaluation.inference import InferenceRunner
from lst_robust.runtime.progress import Silent
from lst_robust.suites import load_suite
from tests.analysis.simulated import HALF
from tests.fixtures.networks import PixelSum
from tests.fixtures.refusals import (
    NAN,
    WRONG_COUNTS,
    WRONG_FLAGS,
    WRONG_LISTS,
    WRONG_NORMALISERS,
    WRONG_PATHS,
    WRONG_SEEDS,
    Other,
    cases,
    refusal,
)

SUITE = load_suite("digits-c").model_copy(update={"limit": 40, "training": None})
ALEXNET = lst_robust.published_normaliser()
ASKED = {"corruptions": ["fog"], "severities": [3], "limit": 20}

EVALUATE = {
    "model": [None, 3, b"lst18", PixelSum, ["lst18"], Path("lst18"), Other()],
    "suite": [None, 3, b"digits-c", ["digits-c"], "", "digits", Path("digits"), True],
    "checkpoint": WRONG_PATHS,
    "model_options": [["a=1"], "a=1", 3, {1: 1}, {"a": None}, {"a": [1]}, {"a": NAN}, {"a": b"1"}],
    "name": ["x" * 300, "x" * 101, "", "a\nb", "\udcff", b"x", 3, Path("x"), True],
    "data_dir": WRONG_PATHS,
    "corrupted_dir": WRONG_PATHS,
    "corruptions": [wrong for wrong in WRONG_LISTS if wrong is not None] + [[], "", ["fogg"]],
    "severities": [[3.0], [NAN], [True], ["3"], [None], [6], [0], [], 3, "3", {3: 1}, np.array([3.0]), [2**70], [[3]]],
    "limit": WRONG_COUNTS,
    "seed": WRONG_SEEDS,
    "normaliser": WRONG_NORMALISERS,
    "batch_size": WRONG_COUNTS,
    "workers": [*WRONG_COUNTS, 2**70],
    "device": [None, 0, b"cpu", ["cpu"], "tpu", ""],
    "engine": [None, 1, b"cpu", "", "gpu", ["cpu"], True],
    "amp": [None, 1, np.int64(1), b"bf16", "", "fp8", ["bf16"], torch.bfloat16],
    "compile": [None, 1, b"no", "", "fast", ["no"], True],
    "train": WRONG_FLAGS,
    "train_seed": [2**32, *WRONG_SEEDS],
    "skip_unreadable": WRONG_FLAGS,
    "results_dir": [None, *WRONG_PATHS],
    "overwrite": WRONG_FLAGS,
    "observer": [3, "loud", Other(), Silent],
}


@pytest.mark.parametrize(("argument", "value"), cases(EVALUATE))
def test_evaluate_refuses_before_any_work(argument, value, results, monkeypatch):
    monkeypatch.setattr(InferenceRunner, "_logits", lambda *_, **__: pytest.fail("the network ran"))
    asked = {"model": PixelSum(), "suite": SUITE, "results_dir": results, argument: value}
    line = refusal(lst_robust.evaluate, **asked)
    word = {"corruptions": "corruption", "normaliser": ""}.get(argument, argument)  # a file's name says enough
    assert word in line
    assert not results.exists()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"model": PixelSum(), "checkpoint": "w.safetensors"}, "checkpoint is 'w.safetensors': leave it out"),
        ({"model": PixelSum(), "model_options": {"a": 1}}, "model_options is {'a': 1}: leave it out"),
        ({"model": PixelSum(), "train_seed": 0}, "train_seed is 0: leave it out"),
        ({"model": "lst18", "name": "mine"}, "name is 'mine': leave it out"),
        ({"model": "lst18", "checkpoint": "w.safetensors", "train_seed": 3}, "train_seed is 3: leave it out"),
        (
            {"model": "torchvision:resnet18", "model_options": {"weights": "DEFAULT"}, "train_seed": 3},
            "train_seed is 3: leave it out",
        ),
        ({"model": "lst81"}, "did you mean lst18"),
        ({"model": "lst18", "model_options": {"colour": 1}}, "no option 'colour'"),
        ({"model": "lst18", "model_options": {"a": True}}, "option 'a' is True"),
        ({"model": "lst18", "model_options": {"image_size": 64}}, "image_size is set by the suite"),
        ({"model": f"{'folder/' * 4}net.py:build"}, "there is no file"),
        ({"model": PixelSum(), "suite": "imagenet-c", "seed": 1}, "leave out the seed"),
    ],
)
def test_what_would_be_ignored_is_refused(asked, words, results):
    assert words in refusal(lst_robust.evaluate, **{"suite": SUITE, "results_dir": results, **asked})
    assert not results.exists()


def test_the_path_of_a_network_that_is_too_long_for_a_folders_name(tmp_path, results):
    deep = tmp_path / "/".join(["folder" * 10] * 5)
    deep.mkdir(parents=True)
    (deep / "net.py").write_text("")
    line = refusal(lst_robust.evaluate, f"{deep}/net.py:build", SUITE, results_dir=results)
    assert "at most 200 characters" in line and not results.exists()


def test_messages_name_the_argument_the_value_and_the_fix(results):
    def line(**asked) -> str:
        return refusal(lst_robust.evaluate, PixelSum(), SUITE, results_dir=results, **asked)

    assert line(limit=20.5) == "limit is 20.5: give a whole number of at least 1, or None"
    assert line(corruptions="fog") == "corruptions is 'fog': give a list, such as corruptions=[\"fog\"], or None"
    assert line(severities=3) == "severities is 3: give a list, such as severities=[3], or None"
    assert line(severities=[1, 3.0]) == "severities[1] is 3.0: give a whole number from 1 to 5"
    assert line(train="no") == "train is 'no': give True or False"
    assert line(normaliser="/no/such.yaml").startswith("/no/such.yaml: cannot be read")


def evaluated(folder, **asked) -> lst_robust.Evaluation:
    return lst_robust.evaluate(PixelSum(), SUITE, results_dir=folder, **{**ASKED, **asked})


def bits(evaluation: lst_robust.Evaluation) -> dict[Cell, str]:
    return {cell: record.correct for cell, record in evaluation.records.items()}


@pytest.mark.parametrize(
    "asked",
    [
        {"severities": np.array([3]), "seed": np.int64(7), "limit": np.uint16(20), "workers": np.int8(2)},
        {
            "severities": np.array([3, 3], np.uint8),
            "seed": np.array(7),
            "limit": np.array(20),
            "batch_size": np.array(9),
        },
        {"severities": (severity for severity in (3, 3)), "corruptions": (name for name in ("fog", "fog"))},
        {"severities": {3}, "corruptions": {"fog"}, "amp": np.False_, "overwrite": np.True_},
        {"severities": range(3, 4), "corruptions": np.array(["fog"]), "device": np.str_("cpu")},
        {"severities": [3, 3], "corruptions": pd.Series(["fog"]), "device": torch.device("cpu"), "data_dir": Path()},
    ],
)
def test_numbers_of_numpy_and_lists_of_all_kinds_give_the_same_records(asked, plain, results):
    evaluation = evaluated(results, **{"seed": 7, **asked})
    assert evaluation.measured == 2 and list(evaluation.records) == [CLEAN_CELL, Cell("fog", 3)]
    assert (evaluation.run, bits(evaluation)) == (plain.run, bits(plain))
    assert type(evaluation.run.protocol.seed) is int and not isinstance(evaluation.run.protocol.n, np.integer)
    assert evaluated(results, seed=7).measured == 0, "and the same folder"


def test_a_set_of_corruptions_has_one_order(results):
    names = {"snow", "fog", "contrast", "pixelate"}
    cells = list(evaluated(results, corruptions=names).records)
    assert [cell.corruption for cell in cells[1:]] == sorted(names)


def test_large_numbers_that_can_be_meant(results):
    evaluation = evaluated(results, seed=2**70, limit=2**70, batch_size=2**70)
    assert evaluation.run.protocol.seed == 2**70 and evaluation.run.protocol.n == 500
    assert evaluated(results, seed=2**70, limit=2**70).measured == 0, "the record can be read again"


@pytest.mark.parametrize("name", ["x" * 100, np.str_("Größe 3 (mine)"), "..", " "])
def test_names_that_can_be_meant(name, results):
    assert evaluated(results, name=name).run.model.name == name
    assert type(evaluated(results, name=name).run.model.name) is str


@pytest.mark.parametrize("config", [3, {"name": "mine"}, "a\nb", "x" * 300, None])
def test_a_network_whose_config_is_not_ours_is_named_by_its_class(config, results):
    class Network(PixelSum):
        class config:
            name = config

    assert lst_robust.evaluate(Network(), SUITE, results_dir=results, **ASKED).run.model.name == "Network"


def test_the_suite_as_a_path(results):
    evaluation = lst_robust.evaluate(PixelSum(), Path("digits-c"), results_dir=results, **ASKED)
    assert evaluation.run.protocol.suite == "digits-c"


def test_what_a_normaliser_may_be(tmp_path):
    own = tmp_path / "mine.yaml"
    own.write_text(yaml.safe_dump(HALF.model_dump(mode="json")))
    for choice, name in [
        ("suite", "alexnet-digits-c"), ("none", None), (None, None), ("alexnet-imagenet-c", ALEXNET.name),
        (HALF, "half"), (str(own), "half"), (own, "half"), (np.str_("none"), None),
    ]:  # fmt: skip
        found = evaluated(tmp_path / "results", normaliser=choice).normaliser
        assert found == resolve_normaliser(choice, SUITE)
        assert (found.name if found else None) == name
