"""What a plan takes over from an earlier run, and what it refuses."""

from __future__ import annotations

import json
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn

import lst_robust
from lst_robust import workflow
from lst_robust.analysis.networks import collect_summaries
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.data import digits as digits_module
from lst_robust.errors import CheckpointError, DataError, UsageError
from lst_robust.evaluation import plan as plan_module
from lst_robust.evaluation.plan import plan
from lst_robust.evaluation.request import EvalRequest
from lst_robust.records.folder import RUN_FILE
from lst_robust.records.indexed import numbers_of
from lst_robust.records.migration import migrate
from lst_robust.records.packed_files import PACKED
from lst_robust.records.record import Run
from lst_robust.records.store import Store
from lst_robust.runtime.files import write_output
from lst_robust.runtime.process_group import Ranks
from lst_robust.suites import load_suite
from tests.fixtures.networks import classifier


@pytest.fixture
def make_plan(suite, model, tmp_path):
    """make_plan(**options) -> the plan of clean, and of fog-3 where no other cells are asked for."""

    def call(**options):
        cells = {} if "corruptions" in options else {"corruptions": ["fog"], "severities": [3]}
        return plan(EvalRequest.of(model, suite, **{"results_dir": tmp_path / "results"} | cells | options))

    return call


def errors(evaluation) -> list[float]:
    return [found.top1_error for found in numbers_of(evaluation.records).values()]


def test_answers_that_change_from_call_to_call_are_warned_of(evaluate):
    class Restless(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.randn(len(images), 10)

    _, lines = evaluate(Restless())
    assert [line for line in lines if "gives other answers each time" in line]


def test_other_pixels_under_the_same_names_are_measured(evaluate, draw_images):
    suite = load_suite("imagefolder").model_copy(update={"training": None})
    torch.manual_seed(0)
    model = nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(192, 2))
    options = {"suite": suite, "data_dir": draw_images(0)}
    before, _ = evaluate(model, **options)
    draw_images(1)
    after, lines = evaluate(model, **options)
    alone, _ = evaluate(model, folder="alone", **options)
    assert after.measured == 2 and errors(after) == errors(alone)
    assert after.run.protocol.images == before.run.protocol.images
    assert after.run.protocol.pixels != before.run.protocol.pixels
    assert [line for line in lines if "but other pixels" in line]
    with pytest.raises(DataError, match="pixels"):
        lst_robust.compare(before, after)
    draw_images(0)
    assert evaluate(model, **options)[0].measured == 0


def test_bundled_images_that_have_changed_are_other_images_too(evaluate, model, monkeypatch):
    before, _ = evaluate(model)
    pixels, labels = digits_module._digits()
    monkeypatch.setattr(digits_module, "_digits", lambda: (255 - pixels, labels))
    after, lines = evaluate(model)
    assert after.measured == 2 and after.run.protocol.pixels != before.run.protocol.pixels
    assert [line for line in lines if "but other pixels" in line]


def test_the_run_says_what_it_is(evaluate, model):
    run = evaluate(model)[0].run
    assert run.protocol.preprocess == "suite" and len(run.protocol.pixels) == 32
    assert run.protocol.geometry.described() == "scaled to 32 x 32 (bicubic)"
    assert len(run.model.structure) == 64 and len(run.model.probe) == 32 and run.model.code is None


def test_records_of_earlier_releases_are_not_gone_on_with_and_shown_once_they_are_packed(evaluate, model, tmp_path):
    first, _ = evaluate(model, name="sum")
    store = Store(tmp_path / "old")
    for record in first.records.values():
        fields = json.loads(record.model_dump_json())
        for part, names in (("protocol", ("preprocess", "geometry", "pixels")), ("model", ("structure", "probe"))):
            for name in (*names, "code", "geometry"):
                fields[part].pop(name, None)
        for name in ("pixels", "predicted", "confidence"):
            del fields[name]
        protocol, network = type(record.protocol)(**fields["protocol"]), type(record.model)(**fields["model"])
        folder = store.run_folder(Run(protocol, network))
        write_output(folder / f"{record.cell.name}.json", json.dumps(fields | {"schema_version": 2}).encode())
    assert folder.name.endswith("c8a174968155"), "the digest that the earlier release gave this run"
    again, lines = evaluate(model, folder="old", name="sum")
    assert again.measured == 2
    assert [line for line in lines if "do not say of which pixels they are" in line]
    assert migrate(store.results_dir).cells == 2
    earlier = [records for run, records in store.scan(None) if run.protocol.pixels is None]
    assert [{cell: record.correct for cell, record in records.items()} for records in earlier] == [
        {cell: record.correct for cell, record in first.records.items()}
    ]
    summaries = collect_summaries(tmp_path / "old", None, "none")
    captions = lst_robust.render(lst_robust.robustness_table(summaries), "md")
    assert len(summaries) == 2 and "pixels not hashed" in captions


def test_the_missing_cells_are_those_without_a_record(make_plan, evaluate, model):
    first = make_plan(corruptions=["fog", "contrast"], severities=[3, 1])
    assert first.cells == (CLEAN_CELL, Cell("fog", 1), Cell("fog", 3), Cell("contrast", 1), Cell("contrast", 3))
    assert first.missing == first.cells
    evaluation, _ = evaluate(model)
    second = make_plan(corruptions=["fog", "contrast"], severities=[3])
    assert second.missing == (Cell("contrast", 3),) and second.run == first.run == evaluation.run
    assert make_plan(corruptions=["fog"], overwrite=True).missing == make_plan(corruptions=["fog"]).cells


def test_a_part_of_a_plan_misses_what_was_chosen_of_it(make_plan):
    whole = make_plan(corruptions=["fog"])
    part = whole.part([Cell("fog", 4), Cell("snow", 1), Cell("fog", 2)])
    assert part.missing == (Cell("fog", 2), Cell("fog", 4))
    assert (part.cells, part.run_file, part.prepared) == (whole.cells, whole.run_file, whole.prepared)
    assert part.part([CLEAN_CELL]).missing == ()


def test_a_model_without_weights_cannot_be_planned(suite, tmp_path):
    with pytest.raises(CheckpointError, match="lst18 has no weights: give a checkpoint"):
        plan(EvalRequest.of("lst18", suite, results_dir=tmp_path))


def test_a_results_folder_that_cannot_be_written_is_named_before_anything_is_read(suite, model, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(plan_module, "prepare", lambda request: pytest.fail("the images were read"))
    with pytest.raises(DataError, match=r"results folder .*file is not writable"):
        plan(EvalRequest.of(model, suite, results_dir=tmp_path / "file"))


def test_a_damaged_run_file_is_named_and_written_again(make_plan, said):
    first = make_plan()
    path = Store(first.request.results_dir).run_folder(first.run) / RUN_FILE
    content = path.read_bytes()
    for damage in (b"", content[:100], content.replace(b'"answers": "', b'"answers": "AAAA'), b"{}"):
        path.write_bytes(damage)
        said()
        assert make_plan().run == first.run
        [line] = said()
        assert str(path) in line and "damaged" in line
        assert path.read_bytes() == content


def test_a_lost_run_file_is_written_again_without_a_word(make_plan, said):
    first = make_plan()
    path = Store(first.request.results_dir).run_folder(first.run) / RUN_FILE
    path.unlink()
    assert make_plan().run == first.run and path.is_file() and not said()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: content[: len(content) // 2], id="cut short"),
        pytest.param(lambda content: content[:200] + bytes(8) + content[208:], id="a page"),
    ],
)
def test_a_damaged_packed_run_is_named_once_and_all_of_it_is_measured_again(evaluate, model, tmp_path, damage):
    first, _ = evaluate(model)
    path = Store(tmp_path / "results").run_folder(first.run) / PACKED
    path.write_bytes(damage(path.read_bytes()))
    again, lines = evaluate(model)
    assert again.measured == 2 and again.run == first.run and errors(again) == errors(first)
    assert lines and all(str(path) in line and ("damaged" in line or "cannot be read" in line) for line in lines)
    assert sum("measured again" in line for line in lines) <= 1
    assert [file.name for file in path.parent.iterdir()] == [PACKED]
    assert evaluate(model)[0].measured == 0


def test_cells_of_an_own_corruption_with_other_code_are_measured_again_or_named(
    evaluate, model, suite, darken, tmp_path
):
    asked = {"corruptions": ["darken", "fog"], "severities": [1, 2, 3]}
    first, _ = evaluate(model, name="one", **asked)
    assert evaluate(model, name="one", **asked)[0].measured == 0
    baseline = lst_robust.make_baseline(tmp_path / "results", suite=suite)

    def inverted(image: np.ndarray, levels: int, rng: np.random.Generator) -> np.ndarray:
        return 255 - image

    inverted.__module__ = darken.__module__
    lst_robust.register_corruption("darken", constants=[10, 20, 30, 40, 50])(inverted)
    again, lines = evaluate(model, name="one", **asked | {"severities": [2]})
    assert again.measured == 1 and again.run == first.run
    assert lines[0] == "the code of darken has changed since it was measured: it is measured anew"
    assert lines[1].startswith("2 cells, such as darken-1, were measured with other code of their corruption")
    complete, lines = evaluate(model, name="one", **asked)
    assert complete.measured == 2
    assert lines == ["the code of darken has changed since it was measured: it is measured anew"]
    other, _ = evaluate(model, name="other", **asked)
    assert lst_robust.compare(complete, other).corruptions
    with pytest.raises(DataError, match="with different code of a corruption: 3 cells have other pixels, such as dark"):
        lst_robust.compare(first, other)
    gate = lst_robust.check(baseline, results_dir=tmp_path / "results", suite=suite, metric="clean_error")
    assert gate.exit_code == 3
    assert "3 cells were made by other code of a corruption than the baseline's" in gate.findings[0].message


def test_ranks_with_different_networks_are_refused(evaluate, model, monkeypatch):
    class Two(Ranks):
        def gather(self, value):
            if isinstance(value, tuple) and isinstance(value[0], Run):
                other = value[0]._replace(model=value[0].model.model_copy(update={"name": "other"}))
                return [(other, value[1]), value]
            return [value]

    monkeypatch.setattr(workflow, "process_group", lambda: nullcontext(Two(1, 2)))
    with pytest.raises(UsageError, match="rank 1 evaluates another network or other images than rank 0"):
        evaluate(model)


def test_ranks_whose_networks_answer_otherwise_are_refused(evaluate, model, monkeypatch):
    class Two(Ranks):
        def gather(self, value):
            if isinstance(value, tuple) and isinstance(value[0], Run):
                return [(value[0], value[1] + 1), value]
            return [value]

    monkeypatch.setattr(workflow, "process_group", lambda: nullcontext(Two(1, 2)))
    with pytest.raises(UsageError, match="rank 1 evaluates another network"):
        evaluate(model)


def fails(images: torch.Tensor) -> torch.Tensor:
    raise AssertionError("only\ntwo images")


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (lambda: classifier(nn.ReLU()).half(), "RuntimeError: .*dtype"),
        (lambda: classifier(nn.ReLU()).to("meta"), "NotImplementedError"),
        (lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(10)), "cannot be copied to cpu|cannot classify"),
        (lambda: type("Net", (nn.Module,), {"forward": lambda self, x: fails(x)})(), "AssertionError: only two images"),
    ],
)
def test_a_network_that_cannot_be_evaluated_is_one_line(evaluate, network, words):
    with pytest.raises(UsageError, match=words) as refused:
        evaluate(network())
    assert "\n" not in str(refused.value)
