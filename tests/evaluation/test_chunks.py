"""Chunks of images: no batch is cut in two, and each image is loaded once."""

from __future__ import annotations

import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lst_robust.evaluation import chunks as module
from lst_robust.evaluation.chunks import Chunk, batches_within, common_chunks, loaded_chunks


def batches(size: int, n: int) -> list[range]:
    return [range(start, min(start + size, n)) for start in range(0, n, size)]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(1, 300), st.integers(1, 200))
def test_chunks_hold_all_images_in_order_and_cut_no_batch_in_two(sizes, n, most):
    cut = [batches(size, n) for size in sizes]
    chunks = common_chunks(cut, most)
    assert [position for chunk in chunks for position in chunk] == list(range(n))
    for one in cut:
        assert all(any(set(batch) <= set(chunk) for chunk in chunks) for batch in one)


def test_a_chunk_is_as_large_as_it_may_be_and_larger_only_where_it_must():
    assert common_chunks([batches(10, 100), batches(15, 100)], 60) == [range(0, 60), range(60, 100)]
    assert common_chunks([batches(10, 100), batches(15, 100)], 50) == [range(0, 30), range(30, 60), range(60, 100)]
    assert common_chunks([batches(7, 60), batches(8, 60)], 20) == [range(0, 56), range(56, 60)], "7 x 8 is common"
    assert common_chunks([batches(64, 50)], 10) == [range(0, 50)]


@given(st.integers(1, 20), st.integers(1, 100), st.integers(0, 100), st.integers(0, 100))
def test_the_batches_that_begin_within_a_chunk(size, n, start, length):
    within = range(start, start + length)
    assert list(batches_within(batches(size, n), within)) == [one for one in batches(size, n) if one.start in within]


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("workers", [1, 3])
def test_each_image_is_loaded_once_and_lies_at_its_position(monkeypatch, ahead, workers):
    monkeypatch.setattr(module, "LOADED_BYTES", 2 * 4 * 4 * 3)
    loaded, lock = Counter(), threading.Lock()

    def load(positions):
        with lock:
            loaded.update(positions)
        return np.stack([np.full((4, 4, 3), position, np.uint8) for position in positions])

    whole = [range(0, 11), range(11, 13)]
    found = list(loaded_chunks(load, whole, 4, workers, ahead=ahead))
    assert [chunk.positions for chunk in found] == whole
    assert loaded == Counter(range(13))
    for chunk in found:
        assert (chunk.images == np.arange(chunk.positions.start, chunk.positions.stop)[:, None, None, None]).all()
    assert np.array_equal(found[1].load(range(12, 13)), np.full((1, 4, 4, 3), 12)), "positions count from the first"


def test_only_one_chunk_is_loaded_at_a_time_unless_it_shall_be_ahead():
    begun = []

    def load(positions):
        begun.append(positions.start)
        return np.zeros((len(positions), 4, 4, 3), np.uint8)

    chunks = loaded_chunks(load, [range(0, 2), range(2, 4)], 4, 1, ahead=False)
    next(chunks)
    assert begun == [0]


def test_an_error_while_loading_surfaces():
    def load(positions):
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        list(loaded_chunks(load, [range(4)], 4, 2, ahead=True))


def test_what_a_chunk_gives_is_no_copy():
    chunk = Chunk(range(5, 9), np.zeros((4, 2, 2, 3), np.uint8))
    assert np.shares_memory(chunk.load(range(6, 8)), chunk.images)
