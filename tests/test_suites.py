"""Suites: every shipped file is valid, and every mistake is reported at once with file and key."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lst_robust.corruptions.presets import CORRUPTIONS
from lst_robust.errors import UsageError
from lst_robust.suites import load_suite, suite_names, suites_folder


def written(folder: Path, **changes: object) -> Path:
    """digits-c with some keys changed (None removes one), as a file."""
    data = yaml.safe_load((suites_folder() / "digits-c.yaml").read_text()) | changes
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in data.items() if value is not None}))
    return path


@pytest.mark.parametrize("name", suite_names())
def test_shipped_suites_are_valid_and_named_after_their_file(name):
    suite = load_suite(name)
    assert suite.name == name
    assert suite.corruptions == CORRUPTIONS
    header = (suites_folder() / f"{name}.yaml").read_text().splitlines()[0]
    assert header.startswith("# lst-robust "), "a suite's first line is the command that runs it"


def test_all_mistakes_are_reported_at_once_with_file_and_key(tmp_path):
    path = written(
        tmp_path, version="one", preset="cifra", corruptions=["snw"], image_size=32.5, epochs=3, dataset={"kind": "zip"}
    )
    with pytest.raises(UsageError) as caught:
        load_suite(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 6
    assert all(line.startswith(f"{path}: ") for line in lines)
    for key in ("version", "preset", "corruptions", "image_size", "epochs", "dataset"):
        assert any(line.startswith(f"{path}: {key}: ") for line in lines), key
    assert "did you mean snow" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"severities": [0, 1]}, "severities are 1 to 5"),
        ({"corruptions": ["fog", "fog"]}, "twice"),
        ({"style": "imagecorruptions"}, "preset 'imagenet' only"),
        ({"training": {"epochs": 0}}, "training.epochs"),
        ({"name": "../evil"}, "name"),
        ({"description": None}, "Field required"),
        ({"pixels": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5]}}, "pixels.std"),
    ],
)
def test_values_that_cannot_be_meant(tmp_path, changes, message):
    with pytest.raises(UsageError, match=message):
        load_suite(written(tmp_path, **changes))


def test_aliases_are_refused_before_they_can_expand(tmp_path):
    bomb = tmp_path / "bomb.yaml"
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    bomb.write_text("\n".join(lines))
    with pytest.raises(UsageError, match="line 2: aliases"):
        load_suite(bomb)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nname: b\n", "line 2: key 'name' twice"),
        ("- 1\n- 2\n", "expected keys and values, found list"),
        ("", "found NoneType"),
        ("a: [1,\n", "line 2"),
        ("a: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
        ("a: " + "x" * 1_000_001, "too large"),
        ("? [1, 2]\n: 3\n", "line 1"),
    ],
)
def test_files_that_are_no_suite(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_suite(path)


def test_unknown_names_offer_the_nearest(tmp_path):
    with pytest.raises(UsageError, match="did you mean digits-c"):
        load_suite("digit-c")
    with pytest.raises(UsageError, match="cannot be read"):
        load_suite(tmp_path / "missing.yaml")


def test_the_digest_follows_what_decides_the_numbers_only(tmp_path):
    digest = load_suite("digits-c").digest()
    assert load_suite(written(tmp_path, description="other", batch_size=7, training=None)).digest() == digest
    assert load_suite(written(tmp_path, preset="imagenet")).digest() != digest
    assert load_suite(written(tmp_path, version=2)).digest() != digest


def test_importing_the_package_and_its_suites_does_not_import_torch():
    code = "import sys, lst_robust; lst_robust.load_suite('digits-c'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
