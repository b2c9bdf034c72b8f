"""`lst-robust data`: what is wrong with the data, or where to get it."""

from __future__ import annotations

import json

import pytest

from tests.fixtures.commands import parsed


@pytest.mark.parametrize("name", ["verify", "get"])
def test_help_has_examples(run, name):
    result = run("data", name, "--help")
    assert result.exit_code == 0 and f"lst-robust data {name}" in result.stdout


def test_sound_data(run):
    found = parsed(run("data", "verify", "digits-c", "--json"))
    assert found["ok"] and found["suite"] == "digits-c"
    assert {"what": "test images", "expected": "500", "found": "500", "ok": True} in found["findings"]
    assert "1297" in run("data", "verify", "digits-c").stdout


def test_missing_data_is_code_3_and_named(run, tmp_path):
    result = run("data", "verify", "cifar10-c", "--data-dir", str(tmp_path), "--json")
    assert result.exit_code == 3
    findings = {finding["what"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert "cifar-10-batches-py" in findings["test images"]["found"]
    assert "CIFAR-10-C" in findings["corrupted cells"]["found"]
    assert "checks of cifar10-c's data failed" in result.stderr


def test_corrupted_images_elsewhere_are_looked_at(run, tmp_path):
    (tmp_path / "c" / "fog" / "1").mkdir(parents=True)
    asked = ("data", "verify", "imagenet-c", "--data-dir", str(tmp_path), "--json")
    for options in (("--corrupted-dir", str(tmp_path / "c")), ()):
        found = json.loads(run(*asked, *options).stdout)["findings"]
        assert any(finding["what"] == "fog 1" for finding in found) == bool(options)


def test_a_suite_that_makes_its_images_has_no_corrupted_ones_to_look_at(run, tmp_path):
    result = run("data", "verify", "imagenet-c-jpeg", "--data-dir", str(tmp_path), "--corrupted-dir", "nowhere")
    assert result.exit_code == 2 and result.stdout == ""
    assert "suite 'imagenet-c-jpeg' makes its corrupted images: leave out --corrupted-dir" in result.stderr


def test_get_says_where_to_get_what_cannot_be_downloaded(run):
    for suite, words in (("imagenet-c", "image-net.org"), ("digits-c", "nothing to download")):
        result = run("data", "get", suite, "--data-dir", "folder")
        assert result.exit_code == 2 and words in result.stderr
    assert "--data-dir" in run("data", "get", "cifar10-c").stderr


def test_get_downloads_into_the_data_folder(run, tmp_path, monkeypatch):
    asked = {}

    def fake(folder, download):
        asked.update(folder=folder, download=download)

    monkeypatch.setattr("torchvision.datasets.CIFAR10", fake)
    made = parsed(run("data", "get", "cifar10-c", "--data-dir", str(tmp_path / "data"), "--json"))
    assert made == {"suite": "cifar10-c", "data_dir": str(tmp_path / "data")}
    assert asked == {"folder": tmp_path / "data", "download": True}
