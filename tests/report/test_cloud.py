"""Which published networks stand behind one's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lst_robust.analysis.metrics import METRICS
from lst_robust.report.cloud import cloud, of_same_images
from lst_robust.report.drawings import Drawer
from lst_robust.report.request import ReportRequest
from lst_robust.suites import load_suite

ASKED = ReportRequest.of(published=["testbed", "robustbench", "paper"])
RESULTS = ASKED.published


@pytest.fixture
def imagenet(measured):
    """As if these networks had been measured on a suite of ImageNet."""

    def of(suite: str, normaliser: str = ""):
        chosen = load_suite(suite)
        network = measured.networks[0]
        runs = tuple(run._replace(suite=chosen) for run in network.runs)
        divisor = chosen.normaliser.name if chosen.normaliser else ""
        changes = {"protocol": chosen.protocol, "normaliser": normaliser or divisor}
        table = measured.table._replace(protocol={**measured.table.protocol, **changes})
        return replace(measured, networks=(replace(network, runs=runs),), table=table)

    return of


@pytest.mark.parametrize(
    ("suite", "protocol"),
    [
        ("imagenet-c", "official files"),
        ("imagenet-c-jpeg", "official files"),
        ("imagenet-c-generated", "official files"),
    ],
)
def test_it_is_the_group_whose_protocol_is_the_most_alike(imagenet, suite, protocol):
    """Those that were measured in memory lack corruptions, and so have no mCE."""
    found = cloud(ASKED, imagenet(suite), METRICS["mce15"])
    divisor = load_suite(suite).normaliser
    against = divisor.name if divisor else "alexnet-testbed-on-disk"
    assert found.source == f"imagenet-testbed, {protocol}, CE against {against}"
    assert {result.group.protocol for result in found.results} == {protocol}
    assert len(found.results) > 50
    if divisor is None:  # another divisor than theirs: no distances on one scale
        assert found.line is None
    else:
        assert found.line.n == len(found.results) and found.line.slope > 0


def test_networks_on_other_images_are_never_behind(measured, imagenet):
    assert cloud(ASKED, measured, METRICS["mce15"]) is None  # digits
    assert of_same_images(RESULTS, None) == []
    cifar = imagenet("cifar10-c")
    assert {result.group.suite for result in of_same_images(RESULTS, cifar.suite)} == {"cifar10-c"}
    assert cloud(ASKED, cifar, METRICS["mce15"]) is None  # no AlexNet, so no mCE
    assert cloud(ASKED, cifar, METRICS["mean_corruption_error"]) is None  # RobustBench has no clean errors of them


def test_their_ces_are_divided_as_ones_own(imagenet):
    """ResNet-50 of the testbed has another mCE by each AlexNet, so a distance between two would be one of divisors."""

    def resnet50(normaliser: str) -> float:
        found = cloud(ASKED, imagenet("imagenet-c", normaliser), METRICS["mce15"])
        return next(result.metrics["mce15"] for result in found.results if result.model == "resnet50")

    assert resnet50("alexnet-imagenet-c") == pytest.approx(78.2, abs=0.1)
    assert resnet50("alexnet-testbed-on-disk") == pytest.approx(76.5, abs=0.1)
    for name in ("my own", "alexnet-imagenet-c (0123456789ab)"):  # the latter has other errors than the published one
        other = cloud(ASKED, imagenet("imagenet-c", name), METRICS["mce15"])
        assert other.line is None and other.no_line == "their CEs are divided by another normaliser"
        assert len(other.results) > 50


def test_their_plain_means_are_over_the_cells_of_ones_own(imagenet):
    """Severity 5 alone is much harder than all five. The testbed has no glass_blur in memory."""
    metric = METRICS["mean_corruption_error"]

    def behind(suite: str, severities: tuple[int, ...]):
        one = imagenet(suite)
        runs = [
            run._replace(records={cell: record for cell, record in run.records.items() if cell.severity in severities})
            for run in one.networks[0].runs
        ]
        return cloud(ASKED, replace(one, networks=(replace(one.networks[0], runs=tuple(runs)),)), metric)

    whole, hardest = behind("imagenet-c", (0, 1, 2, 3, 4, 5)), behind("imagenet-c", (0, 5))
    place = [result.model for result in hardest.results].index("resnet50")
    assert whole.points[place][1] == whole.results[place].metrics["mean_corruption_error"]
    errors = [row[4] for row in hardest.results[place].errors.values()]
    assert hardest.points[place][1] == pytest.approx(np.mean(errors)) and np.mean(errors) > whole.points[place][1] + 15
    assert whole.line is not None and hardest.line is not None and hardest.no_line == ""
    in_memory = behind("imagenet-c-generated", (0, 1, 2, 3, 4, 5))
    assert "in memory" in in_memory.source and in_memory.line is None
    assert in_memory.no_line == "they lack cells that our means are made of"


def test_published_networks_of_other_images_are_not_left_out_silently(measured, caplog):
    drawing = Drawer(measured, ASKED).drawing("scatter")
    assert "None of the published networks has a clean error and mCE (15 standard) on these images." in drawing.caption
    assert caplog.messages == [
        "digits-c: none of the published networks has a clean error and mCE (15 standard) on these images"
    ]
