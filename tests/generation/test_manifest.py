"""MANIFEST.json says what a set is, keeps others out, and whatever has changed is named in one line."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from lst_robust.errors import DataError, UsageError
from lst_robust.generation import manifest as module
from lst_robust.generation import settings_for, verify
from tests.generation.pets import CHEAP, IDS, StopsAfter


def test_the_manifest_says_what_the_set_is(make, tmp_path):
    make(tmp_path / "out", format="npy", seed=5)
    manifest = json.loads((tmp_path / "out" / "MANIFEST.json").read_text())
    assert manifest["settings"] == {
        "format": "npy", "preset": "cifar", "style": "hendrycks", "seed": 5, "size": "32",
        "corruptions": list(CHEAP), "severities": [1, 4],
    }  # fmt: skip
    assert "severities 1, 4 one after the other" in manifest["layout"]
    assert manifest["engine"].startswith("lst-robust ") and manifest["images"] == list(IDS)
    assert set(manifest["cells"]) == {f"{name}/{severity}" for name in CHEAP for severity in (1, 4)}
    assert {cell["images"] for cell in manifest["cells"].values()} == {6}
    assert np.load(tmp_path / "out" / "contrast.npy").shape == (12, 32, 32, 3)


def test_other_versions_of_packages_are_said_and_kept(make, tmp_path, monkeypatch, caplog):
    today = cv2.__version__
    for version in ("3.0.0", "4.0.0"):
        monkeypatch.setattr(cv2, "__version__", version)
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path / "out", observer=StopsAfter(3))
    monkeypatch.undo()
    make(tmp_path / "out")
    assert f"begun with other versions (opencv 3.0.0, 4.0.0, now {today})" in caplog.text
    versions = json.loads((tmp_path / "out" / "MANIFEST.json").read_text())["versions"]
    assert versions["opencv"] == f"3.0.0, 4.0.0, {today}" and versions["numpy"] == np.__version__
    caplog.clear()
    make(tmp_path / "out")
    assert caplog.text == "", "a set that is whole stays as it is"


def test_a_folder_of_something_else_is_refused(make, pets, tmp_path):
    make(tmp_path / "out")
    with pytest.raises(UsageError, match=r"holds another set \(seed 0, not 1; severities 1,4, not 1\)"):
        make(tmp_path / "out", seed=1, severities=[1])
    with pytest.raises(UsageError, match=r"holds another set \(size 32, not 24\): choose"):
        make(tmp_path / "out", size=24)
    (pets / "cat" / "2.png").unlink()
    with pytest.raises(UsageError, match="made from 6 other images"):
        make(tmp_path / "out")
    with pytest.raises(UsageError, match=r"is not empty and has no MANIFEST\.json"):
        make(tmp_path)
    with pytest.raises(UsageError, match="lies inside the images' folder"):
        make(pets / "corrupted")
    with pytest.raises(DataError, match="cannot be written"):
        make(Path("/proc/nowhere"))


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"corruptions": ["fogg"]}, "did you mean fog"),
        ({"severities": [6]}, "from 1 to 5"),
        ({"severities": []}, "severities is empty"),
        ({"preset": "cifar", "style": "imagecorruptions"}, "preset 'imagenet' only"),
        ({"format": "npy", "image_format": "png"}, "arrays have no image format"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(chosen, message):
    with pytest.raises(UsageError, match=message):
        settings_for(**chosen)


def change_a_byte(path, position=-100):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def refused(folder):
    with pytest.raises(DataError) as caught:
        verify(folder, workers=2)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_whole_set_passes(make, tmp_path):
    for format in ("tree", "npy"):
        make(tmp_path / format, format=format)
        assert len(verify(tmp_path / format).cells) == 6


def test_a_changed_byte_is_found(make, tmp_path):
    make(tmp_path / "tree")
    change_a_byte(tmp_path / "tree" / "contrast" / "4" / "dog" / "1.JPEG")
    assert "contrast/4 has changed" in refused(tmp_path / "tree")
    make(tmp_path / "npy", format="npy")
    change_a_byte(tmp_path / "npy" / "contrast.npy")  # the last image of the highest severity
    assert "contrast/4 has changed" in refused(tmp_path / "npy")


def test_a_missing_and_a_strange_file_are_named(make, tmp_path):
    out = tmp_path / "out"
    make(out)
    (out / "contrast" / "4" / "dog" / "1.JPEG").rename(out / "contrast" / "4" / "dog" / "7.JPEG")
    assert "contrast/4/dog/1.JPEG is missing" in refused(out)
    (out / "contrast" / "4" / "dog" / "1.JPEG").write_bytes(b"")
    said = refused(out)
    assert "contrast/4/dog/7.JPEG is not of this set" in said
    assert said.endswith("remove what has changed or is strange, and run the command that makes the set again")


@pytest.mark.parametrize("lost", ["pixelate.npy", "labels.npy"])
def test_a_missing_array_is_named_once(make, tmp_path, lost):
    make(tmp_path / "out", format="npy")
    (tmp_path / "out" / lost).unlink()
    said = refused(tmp_path / "out")
    assert said.count("is missing") == 1 and f"{lost} is missing" in said


def test_damaged_arrays_are_named(make, tmp_path):
    out = tmp_path / "out"
    make(out, format="npy")
    whole = (out / "contrast.npy").read_bytes()
    for content, message in (
        (whole[:-1], r"contrast.npy holds 36863 bytes"),
        (b"", "contrast.npy is no array of uint8"),
        (whole[:40], "contrast.npy is no array of uint8"),
    ):
        (out / "contrast.npy").write_bytes(content)
        assert message in refused(out)
    (out / "contrast.npy").write_bytes(whole)
    np.save(out / "pixelate.npy", np.zeros((12, 32, 32, 3), np.int8))
    assert "pixelate.npy is no array of uint8 (it holds int8)" in refused(out)


def test_changed_labels_are_found(make, tmp_path):
    make(tmp_path / "out", format="npy")
    change_a_byte(tmp_path / "out" / "labels.npy", -1)
    assert "labels have changed" in refused(tmp_path / "out")


def test_what_is_no_finished_set_is_refused(make, tmp_path):
    assert "MANIFEST.json cannot be read (No such file or directory)" in refused(tmp_path)
    make(tmp_path / "out")
    manifest = tmp_path / "out" / "MANIFEST.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"seed": 0', '"seed": "zero"'))
    assert "MANIFEST.json is damaged (settings.seed)" in refused(tmp_path / "out")
    manifest.write_text(text[:100])
    assert "MANIFEST.json is damaged (not JSON)" in refused(tmp_path / "out")


def test_a_set_is_not_blessed_again_after_it_has_changed(make, tmp_path):
    """Making up for a lost file must not put the digests of changed files into the manifest."""
    out = tmp_path / "out"
    make(out)
    change_a_byte(out / "contrast" / "4" / "dog" / "1.JPEG")
    (out / "contrast" / "4" / "dog" / "0.JPEG").unlink()
    with pytest.raises(DataError, match="contrast/4 has changed"):
        make(out)
    assert "contrast/4 has changed" in refused(out)


def test_of_two_calls_that_begin_at_the_same_time_one_is_refused(make, tmp_path, monkeypatch):
    """The other one claims the folder after this one has found no manifest there."""
    alone = module.write_unless_there

    def after_the_other(path: Path, content: bytes) -> bool:
        monkeypatch.setattr(module, "write_unless_there", alone)
        make(tmp_path / "out", seed=7)
        return alone(path, content)

    monkeypatch.setattr(module, "write_unless_there", after_the_other)
    with pytest.raises(UsageError, match=r"holds another set \(seed 7, not 0\)"):
        make(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "MANIFEST.json").read_text())["settings"]["seed"] == 7
