"""CIFAR-C's layout: arrays that are read back as the official ones, and made again where they are lost."""

from __future__ import annotations

import numpy as np
import pytest

from lst_robust.corruptions import corrupt
from lst_robust.data import open_corrupted
from lst_robust.generation import generate, open_images, settings_for
from tests.fixtures.files import contents
from tests.generation.pets import StopsAfter


def test_arrays_can_be_read_back_as_cifar_c(pets, tmp_path):
    """All five severities, 32 pixels, ten classes: exactly the layout of CIFAR-10-C."""
    for name in "abcdefgh":
        (pets / name).symlink_to(pets / "cat")
    source = open_images(pets, 32)
    generate(source, tmp_path / "out", settings_for(format="npy", size=32, preset="cifar", corruptions=["contrast"]))
    labels = np.load(tmp_path / "out" / "labels.npy")
    assert labels.dtype == np.uint8 and labels.tolist() == source.labels.tolist() * 5
    corrupted = open_corrupted({"kind": "cifar", "name": "cifar10"}, image_size=32, data_dir=tmp_path / "out")
    assert corrupted.cells() == [("contrast", severity) for severity in range(1, 6)]
    for severity in (1, 5):
        expected = corrupt(source.read(range(30)), "contrast", severity, preset="cifar", ids=source.ids)
        assert np.array_equal(corrupted.cell("contrast", severity).read(range(30)), expected)


def test_lost_arrays_of_unfinished_work_are_made_again(make, tmp_path):
    """Marks of finished chunks must not be believed for an array that is not the one they speak of."""
    make(tmp_path / "whole", format="npy")
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "out", format="npy", observer=StopsAfter(13))
    (tmp_path / "out" / ".unfinished" / "pixelate.npy").unlink()
    make(tmp_path / "out", format="npy")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
