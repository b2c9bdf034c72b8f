"""Counts are stated only of a network that is built again as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lst_robust.evaluation.identity.structure import structure_digest
from lst_robust.models import create_model
from lst_robust.models.profile import count
from lst_robust.report.sizes import Size, _classes, images_per_second, size_of
from tests.analysis.simulated import with_identity


def with_structure(network, **changes):
    return replace(network, runs=tuple(with_identity(run, **changes) for run in network.runs))


def test_a_network_of_the_same_structure_is_counted(measured, results, monkeypatch):
    model = create_model("lst20", 10, image_size=32)
    network = with_structure(measured.networks[0], structure=structure_digest(model))
    assert size_of(network, results) == Size("lst", None, None)  # no run of that identity is in the folder
    monkeypatch.setattr("lst_robust.report.sizes._classes", lambda run, folder: 10)
    expected = count(model, 32)
    assert size_of(network, results) == Size("lst", expected.params, expected.macs)


def test_the_number_of_classes_is_that_of_the_answers_to_the_probe(measured, results):
    assert _classes(measured.networks[0].runs[0].run, results) == 10
    assert _classes(measured.networks[0].runs[0].run, results / "elsewhere") is None


@pytest.mark.parametrize("structure", [None, "of another network"])
def test_another_structure_is_not_counted(measured, results, structure, monkeypatch):
    monkeypatch.setattr("lst_robust.report.sizes._classes", lambda run, folder: 10)
    assert size_of(with_structure(measured.networks[0], structure=structure), results)[1:] == (None, None)


@pytest.mark.parametrize(
    ("name", "family"),
    [("hf:owner/name", "hf"), ("folder/net.py:make", "file"), ("no-such", ""), ("timm:no_such", "timm")],
)
def test_what_cannot_be_built_has_no_size(measured, results, name, family):
    assert size_of(with_structure(measured.networks[0], name=name), results) == Size(family, None, None)


def test_the_speed_is_the_median_over_the_cells(measured):
    assert images_per_second(measured.networks[0]) == 1.0
