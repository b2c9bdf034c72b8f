"""Decoded images on disk."""

from __future__ import annotations

import errno
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lst_robust.data import spill
from lst_robust.data.image_folder import ImageFolderSource
from lst_robust.data.source import Cached
from lst_robust.data.spill import Spilled, decoded_once, spilled
from lst_robust.errors import DataError


@pytest.fixture
def source(image_tree):
    return ImageFolderSource(image_tree, "train", 32)


def test_each_image_is_decoded_once(source, tmp_path, monkeypatch):
    plain = source.read(range(6))
    kept = spilled(source, tmp_path)
    assert np.array_equal(kept.read([4, 1]), plain[[4, 1]]) and np.array_equal(kept.read(range(6)), plain)
    monkeypatch.setattr(source, "load", None)
    assert np.array_equal(kept.read([5, 0, 5]), plain[[5, 0, 5]])
    assert kept.fingerprint() == source.fingerprint()
    assert [entry.name for entry in tmp_path.iterdir()] == ["pets"]  # nothing stays behind


def test_many_threads_read_their_own_images(source, tmp_path):
    plain, kept = source.read(range(6)), spilled(source, tmp_path)
    with ThreadPoolExecutor(4) as pool:
        orders = [np.random.default_rng(i).permutation(6) for i in range(40)]
        for order, images in zip(orders, pool.map(kept.read, orders), strict=True):
            assert np.array_equal(images, plain[order])


def test_an_unreadable_image_is_still_refused(source, image_tree, tmp_path):
    (image_tree / "train" / "cat" / "1.png").write_bytes(b"damaged")
    kept = spilled(source, tmp_path)
    for _ in range(2):
        with pytest.raises(DataError, match=r"1 of 6 images .*cat/1\.png"):
            kept.read([0, 1])
    assert kept.read([0]).any()


def test_a_full_disk_only_costs_time(source, tmp_path, monkeypatch):
    plain, kept = source.read(range(6)), spilled(source, tmp_path)

    class Full:
        def seek(self, position): ...

        def write(self, content):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(kept, "_file", Full())
    assert np.array_equal(kept.read(range(6)), plain) and np.array_equal(kept.read(range(6)), plain)


def test_without_room_on_the_disk_the_source_stays_as_it_is(source, tmp_path, monkeypatch):
    monkeypatch.setattr(spill.shutil, "disk_usage", lambda folder: namedtuple("Usage", "free")(2**30))
    assert spilled(source, tmp_path) is source


def test_memory_comes_before_the_disk(source, tmp_path):
    assert isinstance(decoded_once(source, tmp_path), Cached)
    assert isinstance(decoded_once(source, tmp_path, max_bytes=1000), Spilled)
