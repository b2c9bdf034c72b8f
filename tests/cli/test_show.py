"""`lst-robust show`."""

from __future__ import annotations

import json

import pytest

from tests.fixtures.commands import PUBLISHED, parsed

ALEXNET = ("--model", "alexnet", "--checkpoint", str(PUBLISHED / "alexnet.safetensors"))


@pytest.fixture
def record(run, tiny, tmp_path):
    run("eval", *ALEXNET, "--suite", str(tiny), "--corruptions", "fog", "--severities", "3")
    return next(tmp_path.rglob("fog-3.json"))


def test_a_record_with_everything_that_led_to_it(run, record):
    shown = run("show", str(record))
    assert shown.exit_code == 0
    for words in (
        "alexnet on tiny: fog-3",
        "of 20 images",
        "protocol.suite_digest",
        "protocol.images",
        "model.checkpoint_sha256",
        "provenance.git_revision",
        "provenance.versions",
        "provenance.images_per_second",
        "scaled to 32 x 32 (bicubic)",
        "lst-robust 1",
    ):
        assert words in shown.stdout
    assert shown.stderr == ""


def test_as_json(run, record):
    shown = parsed(run("show", str(record), "--json"))
    stored = json.loads(record.read_text())
    assert {key: shown[key] for key in stored} == stored
    wrong = 100 - 5 * shown["numbers"]["correct"]  # of 20 images
    assert shown["numbers"]["top1_error"] == wrong == shown["top1_error"]
    assert 0 <= shown["numbers"]["top5_error"] <= wrong
    assert 0 <= shown["numbers"]["ece"] <= 100
    assert 0 <= shown["numbers"]["brier"] <= 2


def test_what_is_no_record_is_refused_in_one_line(run, record):
    stored = json.loads(record.read_text())
    record.write_text(json.dumps(stored | {"top1_error": 99.0}))
    for path, words in (
        (record, "does not follow from the correctness bits"),
        (record.parent, "is a folder"),
        (record.parent / "none.json", "cannot be read"),
    ):
        shown = run("show", str(path))
        assert shown.exit_code == 3
        assert words in shown.stderr
        assert len(shown.stderr.splitlines()) == 1


def test_names_are_not_read_as_markup(run, tiny, tmp_path):
    """A model's name may be a path, and a path may look like rich's markup."""
    folder = tmp_path / "x[" / "y]"
    folder.mkdir(parents=True)
    (folder / "m.py").write_text(
        "from torch import nn\n\ndef net(num_classes, **_):\n"
        "    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, num_classes))\n"
    )
    asked = ("--suite", str(tiny), "--corruptions", "fog", "--severities", "3")
    evaluated = run("eval", "--model", "x[/y]/m.py:net", *asked)
    assert evaluated.exit_code == 0, evaluated.stderr
    assert "x[/y]/m.py:net on tiny" in evaluated.stdout
    shown = run("show", str(next(tmp_path.rglob("fog-3.json"))))
    assert shown.exit_code == 0 and "x[/y]/m.py:net on tiny" in shown.stdout
