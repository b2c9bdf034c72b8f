"""The cache, images, results and published weights."""

from __future__ import annotations

from collections import namedtuple

import pytest

from lst_robust.diagnosis import folders
from lst_robust.weights import published_weights


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch, tmp_path):
    for name in (folders.DATA, folders.CORRUPTED, folders.RESULTS, "LST_ROBUST_PUBLISHED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def test_the_cache_and_its_size(tmp_path):
    assert "not there yet" in next(folders.cache()).text
    assert not (tmp_path / "cache").exists()
    (tmp_path / "cache" / "kernels").mkdir(parents=True)
    (tmp_path / "cache" / "kernels" / "a").write_bytes(b"0" * 3 * 2**20)
    (finding,) = folders.cache()
    assert finding.state == "ok" and finding.text.startswith(f"{tmp_path / 'cache'}, 3 MiB, ")


def test_a_cache_that_cannot_be_written_is_a_note(monkeypatch):
    monkeypatch.setattr(folders.os, "access", lambda path, mode: False)
    (finding,) = folders.cache()
    assert finding.state == "note" and "LST_ROBUST_CACHE_DIR" in finding.mend
    assert next(folders.results()).state == "note"


def test_a_cache_that_is_a_file_is_a_note(tmp_path):
    (tmp_path / "cache").touch()
    assert next(folders.cache()).state == "note"


def test_a_full_disk_is_a_note(monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(folders.shutil, "disk_usage", lambda path: usage(10, 9, 10 * 2**20))
    (finding,) = folders.cache()
    assert finding.state == "note" and "0.0 GiB free" in finding.text and finding.mend.startswith("make room")


def images(monkeypatch, **variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    return {finding.what: finding for finding in folders.images()}


def test_without_a_folder_it_says_what_needs_one(monkeypatch):
    found = images(monkeypatch)
    assert (
        found["images"].state == "ok"
        and "--data-dir" in found["images"].text
        and set(found)
        == {
            "bundled images",
            "images",
        }
    )


@pytest.mark.parametrize(
    ("place", "suites"),
    [
        ("cifar-10-batches-py", "cifar10-c, cifar10-c-generated"),
        ("tiny-imagenet-200/val", "tiny-imagenet-c, tiny-imagenet-c-jpeg"),
        ("test", "cifar10-jpeg, imagefolder"),
    ],
)
def test_a_folder_is_said_with_the_suites_that_look_for_it(monkeypatch, tmp_path, place, suites):
    (tmp_path / "data" / place).mkdir(parents=True)
    finding = images(monkeypatch, LST_ROBUST_DATA_DIR=tmp_path / "data")["images"]
    assert finding.state == "ok" and f"folders as of {suites} (" in finding.text


def test_an_empty_folder_is_a_note_and_a_missing_one_a_fault(monkeypatch, tmp_path):
    assert images(monkeypatch, LST_ROBUST_DATA_DIR=tmp_path)["images"].state == "note"
    found = images(monkeypatch, LST_ROBUST_DATA_DIR="/no/such", LST_ROBUST_CORRUPTED_DIR="/no/such")
    assert found["images"].state == found["official files"].state == "fault"
    assert "LST_ROBUST_DATA_DIR is /no/such, where no folder is" in found["images"].text
    assert images(monkeypatch, LST_ROBUST_CORRUPTED_DIR=tmp_path)["official files"].state == "ok"


def test_shards_are_not_taken_for_a_folder(monkeypatch, tmp_path):
    finding = images(monkeypatch, LST_ROBUST_DATA_DIR=tmp_path / "val-{00..01}.tar")["images"]
    assert finding.state == "fault" and "no file matches" in finding.text
    for number in range(2):
        (tmp_path / f"val-0{number}.tar").touch()
    finding = images(monkeypatch, LST_ROBUST_DATA_DIR=tmp_path / "val-{00..01}.tar")["images"]
    assert finding.state == "ok" and "names 2 shards" in finding.text
    (tmp_path / "set[1]").mkdir()
    assert images(monkeypatch, LST_ROBUST_DATA_DIR=tmp_path / "set[1]")["images"].state == "note", "it is a folder"


def test_results(tmp_path):
    assert next(folders.results()).text == f"{tmp_path / 'results'}, made when it is needed"


def test_published_weights(monkeypatch, tmp_path):
    count = len(published_weights())
    (finding,) = folders.weights()
    assert finding.state == "ok" and finding.text.startswith(f"{count} of {count}")
    monkeypatch.setattr("lst_robust.weights.find.__file__", str(tmp_path / "p" / "weights" / "find.py"))
    (finding,) = folders.weights()
    assert finding.state == "note" and finding.text.startswith(f"0 of {count}")
    assert "LST_ROBUST_PUBLISHED" in finding.mend
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "lst18.safetensors").touch()
    assert "lst18.safetensors has other bytes" in next(folders.weights()).text
