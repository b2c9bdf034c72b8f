"""Opening a suite's images: by a checked section or a plain dict."""

from __future__ import annotations

import pytest

from lst_robust.data import open_corrupted, open_source
from lst_robust.data.image_folder import ImageFolderDataset
from lst_robust.data.opening import expanded
from lst_robust.errors import DataError, UsageError


def test_a_section_and_a_dict_mean_the_same(image_tree):
    for dataset in (ImageFolderDataset(kind="image_folder", resize=40), {"kind": "image_folder", "resize": 40}):
        source = open_source(dataset, "test", image_size=32, data_dir=str(image_tree))
        assert (len(source), source.geometry.resize) == (4, 40)


@pytest.mark.parametrize("dataset", [{"kind": "digits"}, {"kind": "cifar", "name": "cifar10"}, {"kind": "imagenet"}])
def test_a_split_is_train_or_test(dataset):
    with pytest.raises(UsageError, match="unknown split 'val'"):
        open_source(dataset, "val", image_size=32)


def test_a_folder_of_an_unknown_user_is_not_there():
    with pytest.raises(DataError, match=r"no data folder ~nobody-here/images"):
        open_source({"kind": "image_folder"}, "test", image_size=32, data_dir="~nobody-here/images")


def test_an_unknown_kind_offers_the_known_ones():
    with pytest.raises(UsageError, match="did you mean digits"):
        open_source({"kind": "digit"}, "test", image_size=32)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ({}, "the key kind is missing: choose from cifar, digits"),
        ("digits", "give keys and values, such as {kind: digits}"),
        ({"kind": 3}, "dataset kind is 3: choose from cifar"),
        ({"kind": ["digits"]}, r"dataset kind is \['digits'\]: choose from cifar"),
        ({"kind": "digits", "resize": 40}, "^dataset: resize: Extra inputs"),
        ({"kind": "cifar"}, "^dataset: name: Field required"),
        ({"kind": "cifar", "name": "cifar11"}, "^dataset: name: Input should be 'cifar10' or 'cifar100'"),
        ({"kind": "imagenet", "resize": "256"}, "^dataset: resize: "),
    ],
)
def test_a_section_that_cannot_be_meant_is_one_line(dataset, message):
    for opened in (open_source, open_corrupted):
        with pytest.raises(UsageError, match=message) as caught:
            opened(dataset, *(["test"] if opened is open_source else []), image_size=32)
        assert "\n" not in str(caught.value)


def test_what_has_no_official_corruptions_is_refused():
    with pytest.raises(UsageError, match="unknown dataset kind 'digits': choose from cifar, image_folder"):
        open_corrupted({"kind": "digits"}, image_size=32)


def test_the_home_folder_has_a_short_name(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/data") == tmp_path / "data" and expanded(None) is None
