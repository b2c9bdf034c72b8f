"""Which networks stand together, and what is compared to what."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from lst_robust.analysis.metrics import METRICS
from lst_robust.benchmark import CLEAN_CELL, SEVERITIES, Cell
from lst_robust.errors import NothingToEvaluateError, UsageError
from lst_robust.records.store import Store
from lst_robust.report.drawings import Drawer
from lst_robust.report.figures import write_figure
from lst_robust.report.inputs import by_corruption, calibrated, point_of
from lst_robust.report.measured import comparisons, measured_networks, only_one, reference_of, titles_of
from lst_robust.report.request import ReportRequest
from lst_robust.report.write import write_report
from tests.analysis.simulated import ALL_CELLS
from tests.report.conftest import SOME, store_network


def test_trainings_are_folded_and_the_best_network_is_first(measured):
    labels = [label for label, _ in measured.labelled()]
    assert labels == ["lst20", "resnet20", "alexnet"] == list(measured.table.frame.index)
    assert [len(network.runs) for network in measured.networks] == [2, 2, 1]
    values = [network.summary.metrics[measured.metric.name] for network in measured.networks]
    assert measured.metric.name == "mce15" and values == sorted(values)
    assert measured.name == "digits-c" and measured.has_ce


def test_other_cells_are_another_protocol_and_a_figure_shows_one_only(tmp_path, digits):
    store = Store(tmp_path)
    for name, cells in (("lst20", SOME), ("resnet20", SOME[:2])):
        wrong = {cell: np.arange(40) < 10 for cell in cells}
        store_network(store, name, 0, wrong, digits.labels, digits.fingerprint())
    both = measured_networks(ReportRequest.of(results_dir=tmp_path))
    assert [one.networks[0].summary.label for one in both] == ["lst20", "resnet20"]
    assert only_one(both[:1]) is both[0]
    with pytest.raises(
        NothingToEvaluateError,
        match=r"records are of 2: choose a --suite, or .* such as digits-c \(severities 1,3\): --model lst20@seed0@",
    ):
        only_one(both)


def test_models_can_be_chosen(request_of):
    (one,) = measured_networks(request_of(models=["lst20@seed1", "alex*"]))
    assert [label for label, _ in one.labelled()] == ["lst20", "alexnet"] and len(one.networks[0].runs) == 1


def test_the_reference_is_the_best_one_or_the_one_that_is_named(measured):
    assert reference_of(measured, None) is measured.networks[0]
    assert reference_of(measured, "alexnet") is measured.networks[2]
    assert reference_of(measured, "resnet20@seed1") is measured.networks[1]
    assert reference_of(measured, "vgg16") is None


def test_all_others_are_compared_to_it_by_their_common_seeds(measured):
    found, notes = comparisons(measured, measured.networks[0])
    assert [label for label, _ in found] == ["resnet20"]
    difference = found[0][1].metrics["mce15"]
    assert difference.difference > 0 and difference.seeds.n == 2
    (note,) = notes  # alexnet states no training seed, lst20 has two
    assert note.startswith("alexnet is not compared to lst20: ") and "\n" not in note


def test_a_mean_over_fewer_cells_ranks_nothing_and_is_no_point(tmp_path, digits):
    """One network was measured on an easy corruption only: its mean over these cells would pass for the best one."""
    store = Store(tmp_path)
    fog, snow = (Cell(name, 1) for name in ("fog", "snow"))
    place = np.arange(40)
    store_network(
        store, "lst20", 0, {CLEAN_CELL: place < 4, fog: place < 30, snow: place < 20}, digits.labels, "i" * 16
    )
    store_network(store, "alexnet", 0, {CLEAN_CELL: place < 8, snow: place < 10}, digits.labels, "i" * 16)
    (one,) = measured_networks(ReportRequest.of(results_dir=tmp_path, normaliser=None))
    assert [label for label, _ in one.labelled()] == ["lst20", "alexnet"]
    mean = METRICS["mean_corruption_error"]
    assert one.value("lst20", mean) == 62.5 and one.value("alexnet", mean) is None
    assert one.common_cells() == {CLEAN_CELL, snow}
    assert point_of(one, "alexnet", one.networks[1], mean)[1:3] == (20.0, None)
    _, notes = comparisons(one, one.networks[0])
    assert notes == ["alexnet: only the 2 cells that all runs have are compared, of 3"]
    drawer = Drawer(one, ReportRequest.of(results_dir=tmp_path, normaliser=None))
    assert notes[0] in drawer.drawing("forest").caption
    assert calibrated("lst20", one.networks[0], one.common_cells()).corrupted.count == tuple(
        one.networks[0].runs[0].records[snow].calibration.count
    )


def test_the_heat_map_leaves_out_a_mean_over_fewer_severities(tmp_path, digits):
    """Severities 1 and 2 alone are easier than all five."""
    store, place = Store(tmp_path), np.arange(40)
    for name, severities, errors in (("alexnet", (1, 2), 16), ("resnet20", SEVERITIES, 20)):
        cells = {CLEAN_CELL: place < 4, **{Cell("snow", severity): place < 24 for severity in SEVERITIES}}
        cells |= {Cell("fog", severity): place < errors for severity in severities}
        store_network(store, name, 0, cells, digits.labels, "i" * 16)
    request = ReportRequest.of(results_dir=tmp_path, normaliser=None)
    (one,) = measured_networks(request)
    drawing = Drawer(one, request).drawing("heatmap")
    assert ("network", "Snow", "Fog") in drawing.data
    assert ("alexnet", "60.0", "–") in drawing.data and ("resnet20", "60.0", "50.0") in drawing.data
    assert "40.0" not in drawing.description


def test_without_a_metric_the_best_one_has_the_lowest_error(tmp_path, digits):
    store, place = Store(tmp_path), np.arange(40)
    for name, errors in (("alexnet", 12), ("resnet20", 3)):
        store_network(store, name, 0, {CLEAN_CELL: place < errors}, digits.labels, "i" * 16)
    (one,) = measured_networks(ReportRequest.of(results_dir=tmp_path))
    assert [label for label, _ in one.labelled()] == ["resnet20", "alexnet"]


def test_a_reference_stands_for_all_its_trainings_and_says_so(measured, request_of):
    caption = Drawer(measured, request_of(reference="lst20@seed1")).drawing("forest").caption
    assert "lst20@seed1 stands here for lst20 with all its 2 trainings" in caption
    assert "stands here" not in Drawer(measured, request_of(reference="lst20")).drawing("forest").caption


def test_a_protocol_with_ce_and_one_without_are_told_apart_in_words(tmp_path, digits):
    store = Store(tmp_path)
    for name, cells in (("lst20", ALL_CELLS), ("resnet20", [CLEAN_CELL])):
        store_network(store, name, 0, {cell: np.arange(40) < 10 for cell in cells}, digits.labels, "i" * 16)
    both = measured_networks(ReportRequest.of(results_dir=tmp_path))
    assert [title.partition(", ")[2] for title in titles_of(both)] == ["with CE)", "without CE)"]


def test_several_protocols_of_one_suite_have_titles_that_tell_them_apart(tmp_path, digits):
    store = Store(tmp_path)
    for name, cells in (("lst20", SOME), ("resnet20", SOME[:2])):
        store_network(store, name, 0, {cell: np.arange(40) < 10 for cell in cells}, digits.labels, "i" * 16)
    both = measured_networks(ReportRequest.of(results_dir=tmp_path))
    assert titles_of(both) == ["digits-c (severities 1,3)", "digits-c (severities 1)"]
    assert titles_of(both[:1]) == ["digits-c"]


def test_titles_name_the_engine_in_full_and_cut_hashes(tmp_path, digits):
    store = Store(tmp_path)
    for engine, images in (("lst-robust 1", "i" * 16), ("lst-robust-torch 1", "k" * 16)):
        wrong = {cell: np.arange(40) < 10 for cell in SOME}
        store_network(store, "lst20", 0, wrong, digits.labels, images, engine=engine)
    both = measured_networks(ReportRequest.of(results_dir=tmp_path))
    assert sorted(titles_of(both)) == [
        f"digits-c (engine lst-robust 1, images {'i' * 12})",
        f"digits-c (engine lst-robust-torch 1, images {'k' * 12})",
    ]


@pytest.mark.parametrize(
    ("option", "value"),
    [("suite", "no-such"), ("models", "lst20"), ("published", ["nobody"]), ("normaliser", "nobody"), ("reference", 3),
     ("match", ["x*"]), ("results_dir", None), ("data_dir", 3)],
)  # fmt: skip
def test_an_option_that_cannot_be_meant_is_refused(option, value):
    with pytest.raises(UsageError):
        ReportRequest.of(**{option: value})


def test_a_misspelt_option_is_not_ignored(tmp_path):
    for call in (
        ReportRequest.of,
        partial(write_report, tmp_path / "out"),
        partial(write_figure, tmp_path / "a.svg", "forest"),
    ):
        with pytest.raises(TypeError, match="a report has no option 'sutie': it has suite"):
            call(sutie="digits-c")
    assert not list(tmp_path.iterdir())


def test_the_ce_of_a_corruption_of_ones_own_is_not_the_mean_error_in_its_column():
    measured = SimpleNamespace(has_ce=True, number=lambda label, name: {"fog": 90.0, "rain": 31.2}[name])
    network = SimpleNamespace(summary=SimpleNamespace(ce={"fog": 90.0, "rain": 104.0}, errors={}))
    assert by_corruption(measured, "net", network) == {"fog": 90.0, "rain": 104.0}
