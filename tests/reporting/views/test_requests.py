"""The list of networks that are to be evaluated."""

from __future__ import annotations

from lst_robust.evaluation.choice import requests_of
from lst_robust.reporting.views.requests import description, requests_view


def test_each_network_stands_with_its_weights(shown, tmp_path):
    (tmp_path / "networks.txt").write_text("alexnet checkpoint=a.pth\nlst18\ntorchvision:resnet18 weights=DEFAULT\n")
    requests = requests_of([f"@{tmp_path / 'networks.txt'}"], "digits-c", corruptions=["fog"])
    text = shown(requests_view(requests), 200)
    assert "3 networks, 6 cells each, of digits-c" in text
    for network, weights in [
        ("alexnet", str(tmp_path / "a.pth")),
        ("lst18", "an earlier training on the suite, or a new one"),
        ("torchvision:resnet18", "weights=DEFAULT"),
    ]:
        assert any(line.startswith(network) and weights in line for line in text.splitlines())


def test_one_network_and_no_training(shown):
    text = shown(requests_view(requests_of(["lst18"], "digits-c", train=False)))
    assert "1 network, 96 cells each" in text
    assert "an earlier training on the suite" in text and "new one" not in text


def test_the_description_is_plain_data(tmp_path):
    [request] = requests_of(["lst18"], "digits-c", checkpoint=tmp_path / "a.pth")
    assert description(request) == {
        "model": "lst18",
        "checkpoint": str(tmp_path / "a.pth"),
        "options": dict(request.suite.model_options),
        "suite": "digits-c",
        "cells": 96,
    }
