"""Trained weights of several folders in one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from lst_robust import merge_results
from lst_robust.errors import DataError
from lst_robust.records import merge_checkpoints as module

NAME = "lst18-seed0-0123456789"


def trained(results: Path, value: float, name: str = NAME, *, log: bool = True) -> Path:
    folder = results / "digits-c" / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.safetensors"
    save_file({"weight": np.full(4, value, np.float32)}, path)
    if log:
        path.with_suffix(".csv").write_text(f"epoch,loss\n1,{value}\n")
    return path


def names(results: Path) -> list[str]:
    return sorted(path.name for path in (results / "digits-c" / "checkpoints").iterdir())


def test_weights_are_copied_with_their_log_and_once(tmp_path):
    first, second = trained(tmp_path / "a", 1), trained(tmp_path / "b", 1)
    first.with_suffix(".resume").write_text("of this machine")
    merged = merge_results([tmp_path / "a", tmp_path / "b"], tmp_path / "c")
    assert merged.checkpoints == [tmp_path / "c" / first.relative_to(tmp_path / "a")]
    assert (merged.equal_checkpoints, merged.complete) == (1, True)
    assert names(tmp_path / "c") == [f"{NAME}.csv", f"{NAME}.safetensors"]
    assert merged.checkpoints[0].read_bytes() == second.read_bytes()
    again = merge_results([tmp_path / "a"], tmp_path / "c")
    assert (again.checkpoints, again.equal_checkpoints) == ([], 1)


def test_other_weights_of_the_same_name_get_a_name_of_their_own(tmp_path):
    """The same recipe on another processor gives other weights, and the name comes from the recipe."""
    trained(tmp_path / "a", 1), trained(tmp_path / "b", 2)
    sources = [tmp_path / "a", tmp_path / "b"]
    merged = merge_results(sources, tmp_path / "c", dry_run=True)
    digest = hashlib.sha256(trained(tmp_path / "b", 2).read_bytes()).hexdigest()[:8]
    assert [path.name for path in merged.checkpoints] == [f"{NAME}.safetensors", f"{NAME}-{digest}.safetensors"]
    assert not (tmp_path / "c").exists()
    assert merge_results(sources, tmp_path / "c").checkpoints == merged.checkpoints
    assert (merged.checkpoints[1].with_suffix(".csv")).read_text().endswith("1,2\n")
    assert merge_results(sources, tmp_path / "c").checkpoints == []
    assert len(names(tmp_path / "c")) == 4


def test_the_same_weights_of_another_name_are_there(tmp_path):
    trained(tmp_path / "a", 1), trained(tmp_path / "c", 1, "best")
    merged = merge_results([tmp_path / "a"], tmp_path / "c")
    assert (merged.checkpoints, merged.equal_checkpoints) == ([], 1)


def test_a_copy_in_the_target_leaves_no_name_free(tmp_path):
    here, other = trained(tmp_path / "c", 1), trained(tmp_path / "a", 2)
    trained(tmp_path / "c", 1, "a-copy"), trained(tmp_path / "c", 1, "z-copy")
    merged = merge_results([tmp_path / "a"], tmp_path / "c")
    assert here.read_bytes() != other.read_bytes() == merged.checkpoints[0].read_bytes()
    assert merged.checkpoints[0].name != here.name


def test_a_training_that_ends_meanwhile_is_not_written_over(tmp_path, monkeypatch):
    other = trained(tmp_path / "a", 2)
    check = module._check

    def a_training_ends(file):
        check(file)
        trained(tmp_path / "c", 1)

    monkeypatch.setattr(module, "_check", a_training_ends)
    merged = merge_results([tmp_path / "a"], tmp_path / "c")
    assert merged.checkpoints[0].name != other.name and merged.checkpoints[0].read_bytes() == other.read_bytes()
    assert merged.checkpoints[0].with_suffix(".csv").read_text().endswith("1,2\n")
    here = tmp_path / "c" / "digits-c" / "checkpoints" / other.name
    assert here.read_bytes() == trained(tmp_path / "d", 1).read_bytes()
    assert here.with_suffix(".csv").read_text().endswith("1,1\n")


def test_damaged_weights_are_named_and_left(tmp_path):
    path, whole = trained(tmp_path / "a", 1), trained(tmp_path / "a", 2, "lst20")
    path.write_bytes(path.read_bytes()[:-3])
    merged = merge_results([tmp_path / "a"], tmp_path / "c")
    assert list(merged.left) == [path] and merged.left[path].startswith(f"{path}: damaged (")
    assert names(tmp_path / "c") == ["lst20.csv", "lst20.safetensors"] and whole.exists()


def test_what_the_disk_does_not_hold_is_an_error(tmp_path, monkeypatch):
    trained(tmp_path / "a", 1, log=False)

    def lost(path, content):
        path.parent.mkdir(parents=True)
        path.touch()
        return True

    monkeypatch.setattr(module, "write_unless_there", lost)
    with pytest.raises(DataError, match="is not as it was written"):
        merge_results([tmp_path / "a"], tmp_path / "c")
