"""Which published networks stand behind one's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lst_robust.analysis.metrics import METRICS
from lst_robust.analysis.published import published_results
from lst_robust.report.cloud import cloud, of_same_images
from lst_robust.suites import load_suite

RESULTS = published_results(["testbed", "robustbench", "paper"])


@pytest.fixture
def imagenet(measured):
    """As if these networks had been measured on a suite of ImageNet."""

    def of(suite: str):
        chosen = load_suite(suite)
        network = measured.networks[0]
        runs = tuple(run._replace(suite=chosen) for run in network.runs)
        table = measured.table._replace(protocol={**measured.table.protocol, "protocol": chosen.protocol})
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
    found = cloud(RESULTS, imagenet(suite), METRICS["mce15"])
    assert found.source.startswith(f"imagenet-testbed, {protocol}, CE against ")
    assert {result.group.protocol for result in found.results} == {protocol}
    assert found.line.n == len(found.results) > 50 and found.line.slope > 0


def test_networks_on_other_images_are_never_behind(measured, imagenet):
    assert cloud(RESULTS, measured, METRICS["mce15"]) is None  # digits
    assert of_same_images(RESULTS, None) == []
    cifar = imagenet("cifar10-c")
    assert {result.group.suite for result in of_same_images(RESULTS, cifar.suite)} == {"cifar10-c"}
    assert cloud(RESULTS, cifar, METRICS["mce15"]) is None  # no AlexNet, so no mCE
    assert cloud(RESULTS, cifar, METRICS["mean_corruption_error"]) is None  # RobustBench has no clean errors of them
