"""Arguments of the public functions: each mistake is one line with the argument's name, before any work."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

import lst_robust
from lst_robust import arguments
from lst_robust.analysis.collect import collect_summaries
from lst_robust.analysis.normalisers import resolve_normaliser
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.errors import UsageError
from lst_robust.evaluation import inference
from lst_robust.generation import generate, open_images, open_suite_images, parse_size, settings_for, verify
from lst_robust.records.store import Store
from lst_robust.runtime.progress import Silent
from lst_robust.suites import load_suite
from tests.analysis.simulated import ALL_CELLS, HALF, measured, simulated, stored
from tests.fixtures.networks import PixelSum

NAN = float("nan")
SUITE = load_suite("digits-c").model_copy(update={"limit": 40, "training": None})
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
FIVE = [50.0] * 5
ALEXNET = lst_robust.published_normaliser()
ASKED = {"corruptions": ["fog"], "severities": [3], "limit": 20}


def refusal(function, *args, **kwargs) -> str:
    """The one line that a call is refused with."""
    with pytest.raises(UsageError) as caught:
        function(*args, **kwargs)
    assert len(caught.value.args) == 1 and "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500 and "pydantic" not in str(caught.value)
    return str(caught.value)


def cases(table: dict[str, list]) -> list:
    """(argument, value) of each, with readable ids."""
    return [
        pytest.param(argument, value, id=f"{argument}-{number}")
        for argument, values in table.items()
        for number, value in enumerate(values)
    ]


class Other:
    """A thing that is nothing of what is wanted, and says so over two lines."""

    def __repr__(self) -> str:
        return "a\nb"


WRONG_FLAGS = ["no", 1, None, np.int64(1)]
WRONG_PATHS = ["", 3, b"folder", "a\0b", True, Other()]
WRONG_LISTS = ["fog", b"fog", 3, None, {"fog": 1}, ["fog", None], [b"fog"], [3], [["fog"]], np.array(3)]
WRONG_COUNTS = [True, np.True_, 20.5, 20.0, np.float64(20), NAN, "20", [20], np.array([20]), np.array(2.0), 0, -1]
WRONG_SEEDS = [1.5, 1.0, True, NAN, "1", -1, 10**5000, np.timedelta64(3), [1], Other()]
WRONG_NORMALISERS = ["nothing", "", "/no/such.yaml", Path("/no/such.yaml"), "a\0.yaml", 3, True, b"none", ["suite"]]

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
    "amp": WRONG_FLAGS,
    "train": WRONG_FLAGS,
    "train_seed": [2**32, *WRONG_SEEDS],
    "skip_unreadable": WRONG_FLAGS,
    "results_dir": [None, *WRONG_PATHS],
    "overwrite": WRONG_FLAGS,
    "observer": [3, "loud", Other(), Silent],
}


@pytest.fixture
def results(tmp_path) -> Path:
    """A folder that only work would make."""
    return tmp_path / "results"


@pytest.mark.parametrize(("argument", "value"), cases(EVALUATE))
def test_evaluate_refuses_before_any_work(argument, value, results, monkeypatch):
    monkeypatch.setattr(inference, "predict", lambda *_, **__: pytest.fail("the network ran"))
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


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> lst_robust.Evaluation:
    """What plain arguments give."""
    return evaluated(tmp_path_factory.mktemp("plain"), seed=7)


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


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """Records of two models of digits-c, and of one of a suite that does not ship."""
    folder = tmp_path_factory.mktemp("records")
    generator = np.random.default_rng(0)
    for number, name in enumerate(("a", "b")):
        wrong = simulated(generator, 50, dict.fromkeys(ALL_CELLS, 0.3))
        stored(Store(folder), measured(name, wrong, str(number)))
        stored(Store(folder), measured(name, wrong, str(number), suite="mine"))
    return folder


WRONG_SUITES = [3, b"digits-c", ["digits-c"], "", "digits", True]
WRONG_MODELS = ["a", b"a", 3, {"a": 1}, ["a", None], [b"a"], [3], [""]]

COMPARE = {
    "a": [3, None, b"a", "", ["a"], Path("a"), Other()],
    "b": [3, None, b"b", "", ["b"]],
    "suite": WRONG_SUITES,
    "normaliser": WRONG_NORMALISERS,
    "results_dir": [None, *WRONG_PATHS],
}


@pytest.mark.parametrize(("argument", "value"), cases(COMPARE))
def test_compare_refuses(argument, value, store):
    line = refusal(
        lst_robust.compare, **{"a": "a", "b": "b", "suite": "digits-c", "results_dir": store, argument: value}
    )
    assert argument in line or argument == "normaliser"


def test_compare_and_tables_take_what_evaluate_takes(store, tmp_path):
    own = tmp_path / "mine.yaml"
    own.write_text(yaml.safe_dump(HALF.model_dump(mode="json")))
    for choice in (HALF, own, str(own)):
        asked = {"suite": load_suite("digits-c"), "normaliser": choice, "results_dir": store}
        assert lst_robust.compare("a", "b", **asked).normaliser == "half"
        summaries = collect_summaries(store, Path("digits-c"), choice, intervals=False)
        assert {summary.normaliser for summary in summaries} == {"half"}
    assert lst_robust.compare("a", "b", suite="digits-c", normaliser=None, results_dir=store).normaliser is None


def test_a_normaliser_that_is_given_needs_no_suite(store, caplog):
    for choice, name in [("suite", None), ("none", None), (HALF, "half"), ("alexnet-imagenet-c", ALEXNET.name)]:
        summaries = collect_summaries(store, None, choice, intervals=False)
        assert {summary.normaliser for summary in summaries if summary.protocol.suite == "mine"} == {name}
    assert len(caplog.messages) == 2, "one for each run, where the suite's own was wanted"


@pytest.mark.parametrize(("argument", "value"), cases({"normaliser": WRONG_NORMALISERS, "intervals": WRONG_FLAGS}))
def test_summaries_refuse_before_a_record_is_read(argument, value, tmp_path):
    asked = {"suite": None, "normaliser": "suite", argument: value}
    assert argument in refusal(collect_summaries, tmp_path / "nowhere", **asked) or argument == "normaliser"


@pytest.fixture(scope="module")
def baseline(store) -> lst_robust.Baseline:
    return lst_robust.make_baseline(store, suite="digits-c")


CHECK = {
    "baseline": ["baseline.json", None, 3, {}],
    "results_dir": [None, *WRONG_PATHS],
    "suite": WRONG_SUITES,
    "models": WRONG_MODELS,
    "metric": [3, None, ["mce15"], "mce", b"mce15"],
    "tolerance": [True, "1", NAN, float("inf"), -1, None, [1], 10**400, np.timedelta64(3), 1j],
}


@pytest.mark.parametrize(("argument", "value"), cases(CHECK))
def test_check_refuses(argument, value, store, baseline):
    assert argument in refusal(lst_robust.check, **{"baseline": baseline, "results_dir": store, argument: value})


def test_check_takes_numbers_and_names_of_numpy(store, baseline):
    gate = lst_robust.check(
        baseline,
        results_dir=str(store),
        suite=load_suite("digits-c"),
        models=np.array(["a"]),
        tolerance=np.float32(0.5),
        metric=np.str_("mce19"),
    )
    assert gate.exit_code == 0 and len(gate.findings) == 1
    assert (type(gate.tolerance), type(gate.metric)) == (float, str)


MAKE = {
    "results_dir": [None, *WRONG_PATHS],
    "suite": WRONG_SUITES,
    "models": WRONG_MODELS,
    "bits": WRONG_FLAGS,
}


@pytest.mark.parametrize(("argument", "value"), cases(MAKE))
def test_make_baseline_refuses(argument, value, store):
    assert argument in refusal(lst_robust.make_baseline, **{"results_dir": store, "suite": "digits-c", argument: value})


@pytest.mark.parametrize("path", [None, *WRONG_PATHS])
def test_baselines_files_are_paths(path, baseline):
    assert "path is" in refusal(lst_robust.read_baseline, path)
    assert "path is" in refusal(lst_robust.write_baseline, baseline, path)


def test_what_is_written_is_a_baseline(tmp_path):
    assert "make_baseline" in refusal(lst_robust.write_baseline, {}, tmp_path / "b.json")
    assert not (tmp_path / "b.json").exists()


CORRUPT = {
    "images": [None, IMAGES.tolist(), IMAGES.astype(float), IMAGES.astype(np.int64), IMAGES > 9, IMAGES[..., :2]],
    "corruption": [None, 3, b"fog", "fogg", ["fog"], np.array(["fog", "snow"])],
    "severity": [3.0, np.float64(3), True, np.True_, "3", None, NAN, 0, 6, [3], np.array([3]), np.array(3.0), Other()],
    "preset": [None, 3, "imagnet", ["cifar"]],
    "style": [None, 3, "torch"],
    "seed": [1.5, True, "1", None, NAN, np.timedelta64(3), 10**5000],
    "ids": [
        3,
        "ab",
        b"ab",
        {1, 2},
        {1: 1, 2: 2},
        [1],
        [1.5, 2],
        [None, 1],
        [True, 2],
        np.array(3),
        np.array([[1], [2]]),
    ],
    "workers": [0, 1.0, True, None, "2"],
}


@pytest.mark.parametrize(("argument", "value"), cases(CORRUPT))
def test_corrupt_refuses(argument, value):
    call = {"images": IMAGES, "corruption": "fog", "severity": 3, "preset": "cifar", argument: value}
    assert argument in refusal(lst_robust.corrupt, **call)


def test_corrupt_takes_numbers_of_numpy():
    plain = lst_robust.corrupt(IMAGES, "fog", 3, preset="cifar", seed=2**70, ids=[5, "x"])
    ids = (np.int64(5), np.str_("x"))
    for severity in (np.int8(3), np.array(3), np.uint64(3)):
        same = lst_robust.corrupt(IMAGES, np.str_("fog"), severity, preset="cifar", seed=2**70, ids=iter(ids))
        np.testing.assert_array_equal(same, plain)


CREATE = {
    "name": [None, 3, b"lst18", "", ["lst18"], Path("lst18"), "lst81"],
    "num_classes": [True, 10.0, np.float64(10), NAN, "10", 0, -1, 2**70, [10]],
    "checkpoint": WRONG_PATHS,
    "image_size": [True, 32.0, NAN, [32], 4, 2**70, "x", "9" * 5000],
    "a": [True, 1.0, 1.5, None, [1], "9" * 5000, b"1"],
    "tau": [True, NAN, "nan", "inf", None, "much"],
    "bottleneck": [3, None, True, ["I"], b"I"],
}


@pytest.mark.parametrize(("argument", "value"), cases(CREATE))
def test_create_model_refuses(argument, value):
    line = refusal(lst_robust.create_model, **{"name": "lst18", "num_classes": 10, "image_size": 32, argument: value})
    assert ("model" if argument == "name" else argument) in line


def test_create_model_takes_numbers_of_numpy():
    one = lst_robust.create_model("lst18", 10, image_size=32, a=2, tau=0.5)
    other = lst_robust.create_model(
        np.str_("lst18"), np.int64(10), image_size=np.int64(32), a=np.array(2), tau=np.float32(0.5)
    )
    assert one.config == other.config and type(other.config.input_size) is int


@pytest.mark.parametrize("value", [3, None, b"digits-c", "", ["digits-c"], "digits", True, SUITE])
def test_load_suite_refuses(value):
    assert "suite" in refusal(lst_robust.load_suite, value)


@pytest.mark.parametrize("value", [None, *WRONG_PATHS, ALEXNET])
def test_load_normaliser_refuses(value):
    assert "path is" in refusal(lst_robust.load_normaliser, value)


@pytest.mark.parametrize("value", [3, "", "nois", b"noise", ["noise"], np.array(["noise"])])
def test_corruption_names_refuses(value):
    assert "corruption group" in refusal(lst_robust.corruption_names, value)


ROW = {
    "not a list": "12345",
    "a number": 3,
    "NaN": [NAN] * 5,
    "truths": [True] * 5,
    "texts": ["1"] * 5,
    "a mapping": dict.fromkeys(range(5), 1),
    "nothing": None,
}


@pytest.mark.parametrize("row", ROW.values(), ids=ROW)
def test_rows_of_errors_are_numbers(row):
    assert "errors" in refusal(lst_robust.corruption_error, row, FIVE)
    assert "normaliser_errors" in refusal(lst_robust.corruption_error, FIVE, row)
    assert "errors" in refusal(lst_robust.relative_corruption_error, row, 10, FIVE, 10)
    assert "errors['fog']" in refusal(lst_robust.corruption_errors, {"fog": row}, ALEXNET)
    assert "errors['fog']" in refusal(lst_robust.relative_mce, {"fog": row}, 10, ALEXNET)
    assert "errors['fog']" in refusal(lst_robust.mean_corruption_error, {"fog": row})


@pytest.mark.parametrize("value", [NAN, "10", True, [10]])
def test_clean_errors_are_numbers(value):
    assert "clean_error" in refusal(lst_robust.relative_corruption_error, FIVE, value, FIVE, 10)
    assert "normaliser_clean_error" in refusal(lst_robust.relative_corruption_error, FIVE, 10, FIVE, value)
    assert "clean_error" in refusal(lst_robust.relative_mce, {"fog": FIVE}, value, ALEXNET)


@pytest.mark.parametrize("value", [None, "alexnet-imagenet-c", {}, lst_robust.Normaliser])
def test_metrics_take_a_normaliser(value):
    assert "normaliser" in refusal(lst_robust.corruption_errors, {"fog": FIVE}, value)
    assert "normaliser" in refusal(lst_robust.relative_mce, {"fog": FIVE}, 10, value)
    if value is not None:
        assert "normaliser" in refusal(lst_robust.bootstrap_intervals, {}, value)


@pytest.mark.parametrize("value", [None, [FIVE], "fog", 3])
def test_metrics_take_mappings(value):
    for function, more in [
        (lst_robust.corruption_errors, (ALEXNET,)), (lst_robust.relative_mce, (10, ALEXNET)),
        (lst_robust.mean_corruption_error, ()), (lst_robust.mce15, ()), (lst_robust.mce19, ()),
        (lst_robust.bootstrap_intervals, (ALEXNET,)),
    ]:  # fmt: skip
        refusal(function, value, *more)


@pytest.mark.parametrize("value", [NAN, "100", True])
def test_means_of_ce_are_of_numbers(value):
    ce = dict.fromkeys(lst_robust.corruption_names(), 100.0) | {"fog": value}
    assert "ce['fog']" in refusal(lst_robust.mce15, ce)
    assert "ce['fog']" in refusal(lst_robust.mce19, ce)


def test_rows_of_numpy_give_the_same_numbers():
    array = np.array(FIVE, np.float32)
    assert lst_robust.corruption_error(array, array) == lst_robust.corruption_error(FIVE, FIVE) == 100
    assert lst_robust.corruption_errors({"fog": array}, ALEXNET) == lst_robust.corruption_errors({"fog": FIVE}, ALEXNET)


def test_tables_are_made_of_summaries(plain):
    summary = plain.summary()
    for wrong in (summary, "x", 3, None, [3], [None], [{}], [plain]):
        assert "results" in refusal(lst_robust.robustness_table, wrong)
    for flag, wrong in itertools.product(("paper", "intervals", "calibration"), WRONG_FLAGS):
        assert flag in refusal(lst_robust.robustness_table, [summary], **{flag: wrong})
    table = lst_robust.robustness_table(iter([summary]), paper=np.True_)
    assert len(table) > 1
    for wrong in (None, summary, [summary], pd.DataFrame()):
        assert "table" in refusal(lst_robust.render, wrong, "md")
    for wrong in (None, 3, ["md"], "xml", b"md"):
        assert "format" in refusal(lst_robust.render, table, wrong)
    for wrong in ("note", 3, [3], None):
        assert "notes" in refusal(lst_robust.render, table, "md", notes=wrong)
    assert "- note" in lst_robust.render(table, np.str_("md"), notes=(note for note in ["note"]))


SETTINGS = {
    "format": [None, 3, "zip"],
    "image_format": [3, "gif"],
    "preset": [None, 3, "imagnet"],
    "style": [None, 3, "torch"],
    "seed": [1.5, True, "1", None, -1],
    "size": [True, 32.0, "32", 0, 2**70],
    "corruptions": ["fog", [], 3, [None]],
    "severities": [[3.0], [], 3, [None], [True], [6]],
}


@pytest.mark.parametrize(("argument", "value"), cases(SETTINGS))
def test_settings_refuse(argument, value):
    assert argument in refusal(settings_for, **{argument: value})


def test_settings_take_numbers_of_numpy():
    plain = settings_for(seed=3, size=32, corruptions=["fog"], severities=[1, 3])
    asked = {
        "seed": np.int64(3),
        "size": np.int64(32),
        "corruptions": np.array(["fog"]),
        "severities": np.array([3, 1]),
    }
    assert settings_for(**asked) == plain


GENERATE = {
    "source": [None, "images"],
    "folder": WRONG_PATHS,
    "settings": [None, {}],
    "workers": [0, 1.0, True, None],
    "observer": [3, Silent],
}


@pytest.mark.parametrize(("argument", "value"), cases(GENERATE))
def test_generate_refuses_before_any_work(argument, value, tmp_path):
    call = {"source": open_suite_images(SUITE, None), "folder": tmp_path / "out", "settings": settings_for()}
    assert argument in refusal(generate, **{**call, argument: value})
    assert not (tmp_path / "out").exists()


def test_images_and_sets_to_verify_are_paths(tmp_path):
    for wrong in WRONG_PATHS:
        assert "root" in refusal(open_images, wrong, 32)
        assert "folder" in refusal(verify, wrong)
        assert "data_dir" in refusal(open_suite_images, SUITE, wrong)
    for wrong in (True, 32.0, "32", 3):
        assert "size" in refusal(open_images, tmp_path, wrong)
    assert "workers" in refusal(verify, tmp_path, workers=1.5)
    assert "suite" in refusal(open_suite_images, "digits-c", None)
    assert "size" in refusal(parse_size, 32)


def test_a_list_that_never_ends_is_refused(monkeypatch):
    monkeypatch.setattr(arguments, "MOST_ITEMS", 1000)
    assert "more than 1,000 items" in refusal(arguments.names, "names", itertools.repeat("fog"))


def test_values_in_messages_are_short():
    for value in ("x" * 1000, list(range(1000)), 10**5000, np.zeros(1000), Other(), [Other()]):
        assert len(refusal(arguments.yes_or_no, "flag", value)) < 200
