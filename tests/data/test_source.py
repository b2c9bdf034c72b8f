"""What holds for every source: order, subsets, the cache, and what happens to images that cannot be read."""

from __future__ import annotations

import numpy as np
import pytest

from lst_robust.data.content import digest_of_rows
from lst_robust.data.source import ImageSource, cached, decode_each, stratified, without_unreadable
from lst_robust.errors import DataError, NothingToEvaluateError, UsageError


class Squares(ImageSource):
    """Image i is filled with the value i; those in `damaged` raise. Counts what it decodes."""

    def __init__(self, labels, damaged=()):
        self.name = self.place = "squares"
        self.labels = np.array(labels)
        self.classes = tuple(str(c) for c in range(self.labels.max() + 1))
        self.ids = tuple(f"image-{i}" for i in range(len(labels)))
        self.image_size = 4
        self.damaged, self.decoded = set(damaged), []

    def load(self, indices, workers):
        return decode_each(self._decode, indices, self.image_size, workers)

    def digest_of(self, indices, workers):
        return digest_of_rows(indices.astype(np.int64))

    def _decode(self, index):
        self.decoded.append(index)
        if index in self.damaged:
            raise OSError("broken\ndata")
        return np.full((4, 4, 3), index, np.uint8)


def values(images):
    return images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("workers", [1, 3])
def test_images_come_in_the_order_asked_for(workers):
    images = Squares([0, 1] * 10).read([5, 2, 19, 2], workers)
    assert values(images) == [5, 2, 19, 2]
    assert images.shape == (4, 4, 4, 3) and images.dtype == np.uint8


def test_an_index_outside_the_source_is_refused():
    with pytest.raises(IndexError):
        Squares([0, 1]).select([0]).read([1])


def test_a_subset_is_stratified_nested_and_keeps_the_order():
    source = Squares([0] * 50 + [1] * 30 + [2] * 3)
    small, large = source.subset(9), source.subset(30)
    assert np.bincount(small.labels).tolist() == [3, 3, 3]
    assert sorted(np.bincount(large.labels).tolist()) == [3, 13, 14]  # the small class is used up
    assert set(small.ids) < set(large.ids)
    positions = [source.ids.index(i) for i in large.ids]
    assert positions == sorted(positions)
    assert values(large.read(range(30))) == positions


def test_a_subset_does_not_depend_on_the_order_of_the_listing():
    ids, labels = [f"{c}/{i}" for c in range(4) for i in range(25)], np.repeat(np.arange(4), 25)
    shuffled = np.random.default_rng(0).permutation(100)
    plain = {ids[i] for i in stratified(ids, labels, 42)}
    assert plain == {ids[shuffled[i]] for i in stratified([ids[i] for i in shuffled], labels[shuffled], 42)}


def test_a_limit_beyond_the_source_is_everything_and_below_one_is_refused():
    source = Squares([0, 1])
    assert source.subset(5) is source
    with pytest.raises(UsageError, match="limit of 0"):
        source.subset(0)


def test_the_fingerprint_is_of_ids_labels_and_size():
    source = Squares([0, 1, 1])
    print_ = source.fingerprint()
    assert print_ == "5473012ed4ed4ad1"
    assert cached(source).fingerprint() == source.select([0, 1, 2]).fingerprint() == print_
    relabelled, resized = Squares([1, 0, 1]), Squares([0, 1, 1])
    resized.image_size = 8
    assert len({print_, relabelled.fingerprint(), resized.fingerprint(), source.select([0, 1]).fingerprint()}) == 4


def test_the_cache_decodes_each_image_once():
    source = Squares([0, 1] * 4)
    kept = cached(source)
    assert source.decoded == []
    assert values(kept.read([1, 3, 1])) == [1, 3, 1]
    assert values(kept.read([7, 3, 0])) == [7, 3, 0]
    assert sorted(source.decoded) == [0, 1, 3, 7]


def test_a_source_above_the_budget_is_not_cached():
    source = Squares([0, 1] * 4)
    assert cached(source, max_bytes=8 * 4 * 4 * 3 - 1) is source
    assert cached(source, max_bytes=8 * 4 * 4 * 3) is not source


@pytest.mark.parametrize("wrap", [lambda s: s, cached, lambda s: s.select(np.arange(20))])
def test_unreadable_images_are_named_and_counted_over_the_whole_source(wrap):
    source = wrap(Squares([0, 1] * 10, damaged={2, 5, 11, 17}))
    assert values(source.read([0, 1])) == [0, 1]
    with pytest.raises(DataError) as caught:
        source.read([0, 5])
    text = str(caught.value)
    assert text.startswith("4 of 20 images of squares cannot be read: image-2 (broken data); image-5")
    assert "and 1 more" in text and "--skip-unreadable" in text and "\n" not in text


def test_only_the_images_asked_for_are_looked_at_behind_a_subset():
    source = Squares([0, 1] * 10, damaged={5, 11})
    with pytest.raises(DataError, match=r"^1 of 3 images of squares"):
        source.select([1, 5, 7]).read([1])
    assert set(source.decoded) == {1, 5, 7}


def test_unreadable_images_can_be_left_out():
    source = without_unreadable(Squares([0, 1] * 4, damaged={0, 6}), workers=2)
    assert source.skipped == ("image-0", "image-6")
    assert values(source.read(range(6))) == [1, 2, 3, 4, 5, 7]
    assert source.labels.tolist() == [1, 0, 1, 0, 1, 1]
    assert cached(source.subset(3)).skipped == source.skipped


def test_nothing_is_left_out_of_a_sound_source_and_something_must_remain():
    sound = Squares([0, 1])
    assert without_unreadable(sound) is sound
    with pytest.raises(NothingToEvaluateError, match="none of the 2 images"):
        without_unreadable(Squares([0, 1], damaged={0, 1}))
