"""`lst-robust weights`, and `--checkpoint published:NAME`."""

from __future__ import annotations

import json

import pytest

from lst_robust.weights import published_weights, weights_named


def test_the_table_has_every_name(run):
    result = run("weights")
    assert result.exit_code == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines()]
    for weights in published_weights():
        digits = f"{weights.sha256[:12]}..."
        assert [weights.name, weights.suite, f"{weights.bytes:,}", digits, "here"] in rows
    assert "14,895,748" in result.stdout and "not here" not in result.stdout


def test_json(run):
    rows = {row["name"]: row for row in json.loads(run("weights", "--json").stdout)}
    row = rows["lst18-digits-c"]
    assert row["sha256"] == weights_named("lst18-digits-c").sha256 and row["state"] == "whole"
    assert row["checkpoint"] == "published:lst18-digits-c" and row["path"].endswith("digits-c/lst18.safetensors")


def test_other_bytes_are_an_error(run, tmp_path, monkeypatch):
    monkeypatch.setattr("lst_robust.weights.find.__file__", str(tmp_path / "lst_robust" / "weights" / "find.py"))
    (tmp_path / "lst18-digits-c.safetensors").write_bytes(b"no weights")
    result = run("weights", LST_ROBUST_PUBLISHED=str(tmp_path))
    assert result.exit_code == 3 and "other bytes" in result.stdout and "not here" in result.stdout
    (line,) = result.stderr.splitlines()
    assert "lst18-digits-c.safetensors has not the published SHA-256" in line
    rows = json.loads(run("weights", "--json", LST_ROBUST_PUBLISHED=str(tmp_path)).stdout)
    assert {row["state"] for row in rows} == {"damaged", "missing"}


def test_eval_loads_by_name(run, tiny):
    result = run(
        *("eval", "-m", "lst18", "-s", str(tiny), "--checkpoint", "published:lst18-digits-c", "--no-train"),
        *("--corruptions", "contrast", "--severities", "1", "--json"),
    )
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["checkpoint_sha256"] == weights_named("lst18-digits-c").sha256


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("published:lst19-digits-c", 2, "did you mean lst18-digits-c"),
        ("published:", 2, "unknown published weights ''"),
        ("published:resnet20-cifar10-jpeg-seed0", 3, "resnet20-seed0-2fa64d78b6.safetensors: trained for 10 classes"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(run, tiny, name, code, words):
    result = run("eval", "-m", "lst18", "-s", str(tiny), "--checkpoint", name)
    (line,) = result.stderr.splitlines()
    assert result.exit_code == code and words in line


def test_other_commands_take_the_name(run, tmp_path):
    result = run("convert", "published:lst18-digits-c", str(tmp_path / "own.safetensors"), "-m", "lst18", "--json")
    assert result.exit_code == 0, result.stderr
    features = run("features", "-m", "lst18", "--checkpoint", "published:lst18-digits")
    assert features.exit_code == 2 and "did you mean lst18-digits-c" in features.stderr
