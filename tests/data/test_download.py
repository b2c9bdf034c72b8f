"""Downloads, without a network: what is asked of torchvision, and what people are told."""

from __future__ import annotations

import pytest
from torchvision import datasets

from lst_robust.data.download import download
from lst_robust.errors import DataError, UsageError


@pytest.mark.parametrize(
    "dataset, attribute, expected",
    [
        ({"kind": "cifar", "name": "cifar10"}, "CIFAR10", {"download": True}),
        ({"kind": "cifar", "name": "cifar100"}, "CIFAR100", {"download": True}),
        ({"kind": "places365"}, "Places365", {"download": True, "split": "val", "small": True}),
    ],
)
def test_torchvision_downloads_what_it_can(tmp_path, monkeypatch, dataset, attribute, expected):
    calls = []
    monkeypatch.setattr(datasets, attribute, lambda folder, **options: calls.append((folder, options)))
    assert download(dataset, tmp_path / "new") == tmp_path / "new"
    assert calls == [(tmp_path / "new", expected)] and (tmp_path / "new").is_dir()


def test_a_failed_download_is_one_line(tmp_path, monkeypatch):
    def fail(folder, **options):
        raise RuntimeError("File not found or corrupted.")

    monkeypatch.setattr(datasets, "CIFAR10", fail)
    with pytest.raises(DataError, match=r"cifar10 could not be downloaded to .*corrupted"):
        download({"kind": "cifar", "name": "cifar10"}, tmp_path)


@pytest.mark.parametrize("kind, told", [("imagenet", "val/<wnid>"), ("tiny_imagenet", "cs231n"), ("digits", "nothing")])
def test_for_the_rest_people_are_told(tmp_path, kind, told):
    with pytest.raises(UsageError, match=told):
        download({"kind": kind}, tmp_path)
