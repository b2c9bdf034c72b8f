"""Published weights are found by name, and only the right bytes are loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

import lst_robust
from lst_robust.errors import CheckpointError
from lst_robust.models import load_checkpoint
from lst_robust.weights import find, find_weights, state_of, weights_named

RESULTS = Path(__file__).parents[2] / "results"
SMALL = "resnet20-cifar10-jpeg-seed1"
FILE = weights_named(SMALL).file


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A machine without the repository; returns the current folder."""
    package = tmp_path / "packages" / "lst_robust" / "weights"
    monkeypatch.setattr(find, "__file__", str(package / "find.py"))
    monkeypatch.delenv("LST_ROBUST_PUBLISHED", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def copied(place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes((RESULTS / FILE).read_bytes())
    return place


def test_the_repository_has_them(monkeypatch, tmp_path):
    monkeypatch.delenv("LST_ROBUST_PUBLISHED", raising=False)
    monkeypatch.chdir(tmp_path)
    assert find_weights(SMALL) == RESULTS / FILE


@pytest.mark.parametrize("place", [FILE, f"results/{FILE}", Path(FILE).name, f"{SMALL}.safetensors"])
def test_a_release_folder_is_flat_or_laid_out_as_the_repository(nowhere, monkeypatch, place):
    file = copied(nowhere / "release" / place)
    monkeypatch.setenv("LST_ROBUST_PUBLISHED", str(nowhere / "release"))
    assert find_weights(SMALL) == file


def test_results_of_the_current_folder_have_them_too(nowhere):
    copied(nowhere / "results" / FILE)
    assert find_weights(SMALL) == Path("results", FILE)


def test_missing_files_are_one_line_that_says_where_to_put_them(nowhere, monkeypatch):
    monkeypatch.setenv("LST_ROBUST_PUBLISHED", "/no/such/folder")
    with pytest.raises(CheckpointError) as caught:
        find_weights(SMALL)
    line = str(caught.value)
    assert f"put results/{FILE} of the repository into /no/such/folder or results" in line
    assert "LST_ROBUST_PUBLISHED" in line and "\n" not in line


def test_other_bytes_are_refused(nowhere, monkeypatch):
    file = copied(nowhere / "release" / Path(FILE).name)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    monkeypatch.setenv("LST_ROBUST_PUBLISHED", str(file.parent))
    assert state_of(weights_named(SMALL)) == (file, "damaged")
    with pytest.raises(CheckpointError, match=f"is not the published file of {SMALL}: its SHA-256 is not") as caught:
        lst_robust.create_model("resnet20", checkpoint=f"published:{SMALL}")
    assert caught.value.exit_code == 3
    whole = copied(nowhere / "results" / FILE)  # a right file further on is taken
    assert find_weights(SMALL) == whole.relative_to(nowhere)


def test_a_file_that_was_cut_short_is_refused(nowhere, monkeypatch):
    file = copied(nowhere / f"{SMALL}.safetensors")
    file.write_bytes(file.read_bytes()[:-1])
    monkeypatch.setenv("LST_ROBUST_PUBLISHED", str(nowhere))
    assert state_of(weights_named(SMALL)).state == "damaged"


def test_python_takes_the_name_wherever_it_takes_a_checkpoint(monkeypatch, tmp_path):
    monkeypatch.delenv("LST_ROBUST_PUBLISHED", raising=False)
    name = f"published:{SMALL}"
    model = lst_robust.create_model("resnet20", checkpoint=name)
    assert model.config.num_classes == 10
    assert load_checkpoint(model, name)["train_seed"] == 1
    assert lst_robust.checkpoint_sha256(name) == weights_named(SMALL).sha256
    request = lst_robust.EvalRequest.of("resnet20", "digits-c", checkpoint=name)
    assert request.checkpoint == RESULTS / FILE
    converted = lst_robust.convert_checkpoint(name, tmp_path / "own.safetensors", "resnet20")
    assert lst_robust.create_model("resnet20", checkpoint=converted).config.input_size == 32


def test_a_line_of_a_file_of_networks_takes_it(monkeypatch, tmp_path):
    monkeypatch.delenv("LST_ROBUST_PUBLISHED", raising=False)
    (tmp_path / "networks.txt").write_text(f"resnet20 checkpoint=published:{SMALL}\n")
    (request,) = lst_robust.requests_of([f"@{tmp_path}/networks.txt"], "digits-c")
    assert request.checkpoint == RESULTS / FILE
