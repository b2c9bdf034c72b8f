"""Names of classes, and images with what networks said about them."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.corruptions import corrupt
from lst_robust.records.store import Store
from lst_robust.report.classes import Classes, classes_of
from lst_robust.report.examples import EXAMPLES, example_groups
from lst_robust.report.measured import measured_networks
from lst_robust.report.network_pages import _confusions, network_page
from lst_robust.report.request import ReportRequest
from lst_robust.report.sizes import Size
from tests.report.conftest import SOME, store_network

FOG = Cell("fog", 3)


def test_bundled_images_are_opened_without_a_folder(measured, request_of, digits):
    classes = classes_of(measured, request_of())
    assert classes.labels.tolist() == digits.labels.tolist() and classes.name(3) == digits.classes[3]
    assert classes.images.clean.ids == digits.ids


def test_other_images_than_those_measured_are_not_used(tmp_path, digits, caplog):
    store = Store(tmp_path)
    wrong = {CLEAN_CELL: np.arange(40) < 3, FOG: np.arange(40) < 30}
    store_network(store, "lst20", 0, wrong, digits.labels, "0" * 16)
    request = ReportRequest.of(results_dir=tmp_path)
    (measured,) = measured_networks(request, predictions=True)
    classes = classes_of(measured, request)
    assert classes.images is None and "are not those that were measured" in caplog.text
    assert classes.why_no_images.startswith("the images in ")
    assert classes.labels.tolist() == [*[-1] * 3, *digits.labels[3:]] and classes.name(3) == "class 3"
    assert example_groups(measured, classes, print) == ([], [])


@pytest.mark.parametrize(("pixels", "used"), [(None, True), ("right", True), ("0" * 32, False)])
def test_images_of_other_pixels_are_not_used(tmp_path, digits, pixels, used):
    pixels = digits.pixels_digest() if pixels == "right" else pixels
    wrong = {CLEAN_CELL: np.arange(40) < 3, FOG: np.arange(40) < 30}
    store_network(Store(tmp_path), "lst20", 0, wrong, digits.labels, digits.fingerprint(), pixels=pixels)
    request = ReportRequest.of(results_dir=tmp_path)
    (measured,) = measured_networks(request, predictions=True)
    assert (classes_of(measured, request).images is not None) is used


@pytest.fixture
def two(tmp_path, digits):
    """Of fog at severity 3: the last three images flip for a, the last and the first for b."""
    store = Store(tmp_path)
    place = np.arange(40)
    for name, wrong in (("a", place >= 37), ("b", (place == 39) | (place == 0))):
        cells = {CLEAN_CELL: place == 38, FOG: wrong, Cell("snow", 1): np.zeros(40, bool)}
        store_network(store, name, 0, cells, digits.labels, digits.fingerprint())
    request = ReportRequest.of(results_dir=tmp_path)
    (measured,) = measured_networks(request, predictions=True)
    return measured, classes_of(measured, request)


def test_the_worst_flips_come_first_with_what_each_network_said(two, digits):
    groups = example_groups(*two, print)[0]
    (group,) = groups  # nothing flips in snow
    assert group.title == "Fog, severity 3"
    chosen = [digits.ids.index(example.name) for example in group.examples]
    assert chosen[0] == 39 and 38 not in chosen and set(chosen) <= {39, 37, 0}  # 38 was wrong when clean, too
    first = group.examples[0]
    label = digits.labels[39]
    assert first.label == digits.classes[label]
    assert [answer.network for answer in first.answers] == ["b", "a"]
    assert {answer.label for answer in first.answers} == {digits.classes[(label + 1) % 10]}
    assert all(not answer.right and answer.clean_label == first.label for answer in first.answers)
    assert first.answers[0].confidence == pytest.approx(0.99, abs=1e-3)


def test_the_picture_is_the_corrupted_image(two, digits):
    (group,) = example_groups(*two, print)[0]
    shown = np.array(Image.open(io.BytesIO(group.examples[0].image)))
    image = digits.read([39])
    expected = corrupt(image, "fog", 3, preset="cifar", ids=[digits.ids[39]], seed=0)
    suite = two[0].suite
    expected = corrupt(image, "fog", 3, preset=suite.preset, style=suite.style, ids=[digits.ids[39]], seed=0)
    np.testing.assert_array_equal(shown, expected[0])


def test_each_example_is_of_another_class_and_there_are_few(measured, request_of):
    groups, notes = example_groups(measured, classes_of(measured, request_of()), print)
    assert len(groups) == 19 and notes == []
    for group in groups:
        labels = [example.label for example in group.examples]
        assert 0 < len(labels) <= EXAMPLES and len(set(labels)) == len(labels)


def test_a_page_lists_worst_cells_confusions_provenance_and_commands(two, tmp_path, digits):
    measured, classes = two
    network = next(network for label, network in measured.labelled() if label == "a")
    size = Size("LST-Net", 1234567, 89)
    request = ReportRequest.of(results_dir=tmp_path)
    page = network_page(
        "key", network, measured, title="digits", size=size, pictures=(), classes=classes, request=request
    )
    assert (page.name, page.family, page.suite) == ("a", "LST-Net", "digits")
    assert page.worst_cells.rows[0][:3] == ("Fog", "3", "7.5") and page.worst_cells.rows[0][4] == "+5.0"
    confused = {(row[0], row[1]) for row in page.confusions.rows}
    flipped = {(digits.classes[digits.labels[i]], digits.classes[(digits.labels[i] + 1) % 10]) for i in (37, 38, 39)}
    assert confused == flipped
    facts = {fact.term: fact.text for fact in page.facts}
    assert facts["Size"] == "1,234,567 parameters, 89 multiply-accumulates an image"
    assert facts["Run"] == network.runs[0].run.digest and facts["Device"] == "cpu"
    assert facts["Images"] == "digits/test, n = 40" and facts["Hash of pixels"].startswith("not taken")
    commands = [command.text.split()[:2] for command in page.commands]
    assert commands == [["lst-robust", "eval"], ["lst-robust", "table"]] and page.notes == network.summary.notes


def test_what_is_confused_on_clean_images_is_a_dash_where_no_clean_cell_was_measured(tmp_path, digits):
    wrong = {cell: np.arange(40) < 10 for cell in SOME}
    for name, cells in (("with", SOME), ("without", SOME[1:])):
        store = Store(tmp_path / name)
        store_network(store, "lst20", 0, {cell: wrong[cell] for cell in cells}, digits.labels, digits.fingerprint())
        (measured,) = measured_networks(ReportRequest.of(results_dir=store.results_dir), predictions=True)
        (network,) = measured.networks
        found = _confusions(network, Classes(digits.classes, digits.labels))
        assert {row[3] == "–" for row in found.rows} == {name == "without"}


def test_imagenets_classes_are_called_in_words():
    pytest.importorskip("timm")
    classes = Classes(("n02106662", "n02012849", "n03126707", "daisy"), None)
    assert [classes.name(label) for label in range(4)] == [
        "German shepherd", "crane (n02012849)", "crane (n03126707)", "daisy",
    ]  # fmt: skip


def test_a_corruption_that_is_not_registered_today_ends_nothing(two):
    """Its records are there; its images cannot be made."""
    measured, classes = two
    unknown = {Cell("zebra", 3): measured.networks[0].runs[0].records[FOG]}
    networks = [
        replace(network, runs=tuple(run._replace(records={**run.records, **unknown}) for run in network.runs))
        for network in measured.networks
    ]
    groups, notes = example_groups(replace(measured, networks=tuple(networks)), classes, print)
    assert [group.title for group in groups] == ["Fog, severity 3"]
    assert len(notes) == 1 and notes[0].startswith("No examples of zebra: ")
