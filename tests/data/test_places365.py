"""Places365 in the layout in which it is distributed."""

from __future__ import annotations

import pytest

from lst_robust.data import open_source
from lst_robust.data.checks import verify
from lst_robust.errors import DataError, NothingToEvaluateError, UsageError


def opened(root, split="test", size=32, **options):
    return open_source({"kind": "places365", **options}, split, image_size=size, data_dir=root)


@pytest.fixture
def places(tmp_path, photographs, saved):
    for i in range(3):
        saved(photographs[i], tmp_path / "val_256" / f"Places365_val_{i}.jpg")
    (tmp_path / "places365_val.txt").write_text(
        "".join(f"Places365_val_{i}.jpg {label}\n" for i, label in enumerate([1, 0, 1]))
    )
    (tmp_path / "categories_places365.txt").write_text("/a/airfield 0\n/a/airport terminal 1\n")
    return tmp_path


def test_places365_follows_its_lists(places):
    source = opened(places, resize=40)
    assert source.labels.tolist() == [1, 0, 1] and source.classes == ("/a/airfield", "/a/airport terminal")
    assert source.geometry.resize == 40
    assert source.ids[1] == "Places365_val_1.jpg" and source.read([0, 2]).shape == (2, 32, 32, 3)


def test_places365_without_its_parts_is_refused(places):
    with pytest.raises(UsageError, match="nothing to train on"):
        opened(places, "train")
    (places / "places365_val.txt").write_text("Places365_val_0.jpg 7\n")
    with pytest.raises(DataError, match=r"labels that categories_places365\.txt does not name"):
        opened(places)
    (places / "places365_val.txt").write_text("Places365_val_0.jpg\n")
    with pytest.raises(DataError, match="not a list of name, space, label"):
        opened(places)
    (places / "places365_val.txt").write_text("")
    with pytest.raises(NothingToEvaluateError, match="places365/test has no images"):
        opened(places)
    first = next(iter(verify({"kind": "places365"}, image_size=32, data_dir=places)))
    assert first.what == "test images" and not first.ok and first.found.startswith("places365/test has no images")
    (places / "places365_val.txt").unlink()
    with pytest.raises(DataError, match=r"places365_val\.txt cannot be read"):
        opened(places)
