"""A suite's clean test images: its size, its subset and its limit decide which they are."""

from __future__ import annotations

import pytest

from lst_robust.errors import UsageError
from lst_robust.suites import load_suite
from lst_robust.suites.images import open_test_images


def test_all_test_images_at_the_suites_size():
    suite = load_suite("digits-c")
    images = open_test_images(suite, None)
    assert len(images) > 100
    assert images.image_size == suite.image_size


def test_a_limit_leaves_that_many(written):
    images = open_test_images(load_suite(written(limit=30)), None)
    assert len(images) == 30
    assert images.classes == open_test_images(load_suite("digits-c"), None).classes


def test_a_subset_that_the_data_does_not_have_is_refused(written):
    with pytest.raises(UsageError, match="subset"):
        open_test_images(load_suite(written(subset="no-such-choice")), None)
