"""Where a training's checkpoint lies, and that it is never another training's."""

from __future__ import annotations

import pytest

from lst_robust.errors import CheckpointError
from lst_robust.suites import load_suite
from lst_robust.training.trained import find_checkpoint, plan_training


def test_a_training_belongs_to_the_pixels_it_saw(draw_images, tmp_path):
    folder = draw_images(0)
    (folder / "test").rename(folder / "train")
    suite = load_suite("imagefolder")
    names = [plan_training("resnet18", suite, data_dir=folder).checkpoint]
    other = draw_images(1)
    (other / "train").rename(tmp_path / "old")
    (other / "test").rename(other / "train")
    names.append(plan_training("resnet18", suite, data_dir=folder).checkpoint)
    assert names[0] != names[1]


def test_a_checkpoint_of_an_earlier_release_is_named_and_not_taken(draw_images, tmp_path):
    folder = draw_images(0)
    (folder / "test").rename(folder / "train")
    training = plan_training("resnet18", load_suite("imagefolder"), data_dir=folder)
    assert find_checkpoint(training, tmp_path) == tmp_path / training.checkpoint
    (tmp_path / training.earlier_checkpoint).write_text("")
    with pytest.raises(CheckpointError, match="--checkpoint, or move it away"):
        find_checkpoint(training, tmp_path)
    (tmp_path / training.checkpoint).write_text("")
    assert find_checkpoint(training, tmp_path) == tmp_path / training.checkpoint
