"""Evaluations of the same images in class folders and in shards: equal records, and one run."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import lst_robust
from lst_robust.data import content
from lst_robust.errors import DataError
from lst_robust.suites import load_suite
from tests.data.test_shards import FORMS, IMAGES, folder, hub
from tests.evaluation.test_cell_images import MODEL, PIXELS


def suite(name: str):
    shipped = load_suite(name)
    changes = {"image_size": 32, "dataset": shipped.dataset.model_copy(update={"resize": 36}), "pixels": PIXELS}
    cells = {"severities": (3,), "corruptions": ("gaussian_noise", "fog"), "normaliser": None}
    return shipped.model_copy(update=changes | cells)


def evaluate(root, results, name="imagenet-c-generated", **options):
    return lst_robust.evaluate(MODEL, suite(name), data_dir=root, results_dir=results, name="sum", workers=2, **options)


@pytest.mark.parametrize("form", FORMS)
def test_the_records_are_those_of_the_folder_and_a_run_goes_on(tmp_path, form):
    files, shards = folder(tmp_path), form(tmp_path)
    measured = evaluate(files, tmp_path / "a", batch_size=3)
    elsewhere = evaluate(shards, tmp_path / "b")
    assert elsewhere.measured == measured.measured == 3 and elsewhere.run == measured.run
    for cell, record in measured.records.items():
        other = elsewhere.records[cell]
        for field in ("correct", "predicted", "confidence", "top1_error", "calibration"):
            assert getattr(other, field) == getattr(record, field), (cell, field)
    assert evaluate(shards, tmp_path / "a").measured == 0
    some = evaluate(shards, tmp_path / "c", limit=4)
    assert some.run == evaluate(files, tmp_path / "d", limit=4).run


def test_official_files_stand_beside_shards_of_the_clean_images(tmp_path):
    place = hub(tmp_path)
    for name in IMAGES:
        for corruption in ("gaussian_noise", "fog"):
            path = place / "ImageNet-C" / corruption / "3" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((32, 32, 3), len(path.parent.name), np.uint8)).save(path)
    assert evaluate(place, tmp_path / "a", "imagenet-c").measured == 3
    with pytest.raises(DataError, match=r"no folder of corrupted images .*parquet: give an existing one with --corru"):
        evaluate(place / "data" / "val*.parquet", tmp_path / "b", "imagenet-c")
    apart = evaluate(place / "data" / "val*.parquet", tmp_path / "b", "imagenet-c", corrupted_dir=place)
    assert apart.measured == 3


@pytest.mark.parametrize("form", FORMS)
def test_a_shard_that_changes_while_it_is_measured_is_noticed(tmp_path, monkeypatch, form):
    monkeypatch.setattr(content, "SETTLED", 0)
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", str(tmp_path / "cache"))
    place = form(tmp_path)

    class Changing(type(MODEL)):
        def forward(self, x):
            name = sorted(IMAGES)[0]
            monkeypatch.setitem(IMAGES, name, (IMAGES[name][0], IMAGES[name][1] + b"\0"))
            for shard in tmp_path.rglob("*.arrow"):
                shard.unlink()  # one that is mapped must not be cut
            form(tmp_path)
            return super().forward(x)

    request = {"data_dir": place, "results_dir": tmp_path / "a", "name": "sum"}
    with pytest.raises(DataError, match=r"the images of .* changed while clean was measured"):
        lst_robust.evaluate(Changing(0, 999, classes=1000), suite("imagenet-c-generated"), **request)
    assert not list((tmp_path / "a").rglob("clean.json"))
    again = evaluate(place, tmp_path / "b").run.protocol.pixels
    assert again == evaluate(folder(tmp_path), tmp_path / "c").run.protocol.pixels, (
        "the cache has no digest from before"
    )
