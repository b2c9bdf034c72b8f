"""How a number came about."""

from __future__ import annotations

import subprocess

import torch

import lst_robust
from lst_robust.benchmark import CLEAN_CELL
from lst_robust.evaluation import provenance as module
from lst_robust.evaluation.inference import InferenceSettings
from lst_robust.evaluation.provenance import provenance


def test_it_says_on_what_and_how_fast_it_was_measured():
    found = provenance(InferenceSettings(torch.device("cpu"), 8, 1), "as it is", 2.0, 50)
    assert found.versions["lst_robust"] == lst_robust.__version__
    assert set(found.versions) == {"lst_robust", "torch", "numpy", "pillow", "opencv", "python"}
    assert found.device.startswith("cpu (")
    assert (found.transform, found.seconds, found.images_per_second) == ("as it is", 2.0, 25.0)


def test_a_record_has_it(evaluate, model):
    evaluation, _ = evaluate(model)
    found = evaluation.records[CLEAN_CELL].provenance
    normalised = "minus mean (0.31, 0.31, 0.31), by std (0.31, 0.31, 0.31)"
    assert found.transform == f"scaled to 32 x 32 (bicubic), then corruption, {normalised}"
    assert found.seconds > 0 and found.finished.endswith("+00:00")


def test_the_revision_is_not_that_of_a_repository_around_the_package(monkeypatch, tmp_path):
    """Such as of somebody's project with an environment in it."""

    def git(*words: str) -> None:
        settings = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", str(tmp_path), *settings, *words], check=True)

    (tmp_path / "provenance.py").touch()
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "theirs")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "provenance.py"))
    assert module._git_revision.__wrapped__() is None
    git("add", ".")
    git("commit", "-q", "-m", "ours")
    assert len(module._git_revision.__wrapped__()) >= 7
