"""Arguments of the functions that write corrupted sets: each mistake is one line with the argument's name."""

from __future__ import annotations

import numpy as np
import pytest

from lst_robust.generation import (
    CleanShards,
    cut_of_size,
    generate,
    generate_shards,
    open_images,
    open_suite_images,
    parse_size,
    settings_for,
    verify,
    verify_shards,
)
from lst_robust.runtime.progress import Silent
from tests.fixtures.refusals import WRONG_PATHS, cases, refusal
from tests.fixtures.shards import write_tar

SETTINGS = {
    "format": [None, 3, "zip"],
    "image_format": [3, "gif"],
    "preset": [None, 3, "imagnet"],
    "style": [None, 3, "torch"],
    "seed": [1.5, True, "1", None, -1],
    "size": [True, 32.0, "32", 0, 2**70],
    "corruptions": ["fog", [], 3, [None]],
    "severities": [[3.0], [], 3, [None], [True], [6]],
}


@pytest.mark.parametrize(("argument", "value"), cases(SETTINGS))
def test_settings_refuse(argument, value):
    assert argument in refusal(settings_for, **{argument: value})


def test_settings_take_numbers_of_numpy():
    plain = settings_for(seed=3, size=32, corruptions=["fog"], severities=[1, 3])
    asked = {
        "seed": np.int64(3),
        "size": np.int64(32),
        "corruptions": np.array(["fog"]),
        "severities": np.array([3, 1]),
    }
    assert settings_for(**asked) == plain


GENERATE = {
    "source": [None, "images"],
    "folder": WRONG_PATHS,
    "settings": [None, {}],
    "workers": [0, 1.0, True, None],
    "observer": [3, Silent],
}


@pytest.mark.parametrize(("argument", "value"), cases(GENERATE))
def test_generate_refuses_before_any_work(argument, value, small_suite, tmp_path):
    call = {"source": open_suite_images(small_suite, None), "folder": tmp_path / "out", "settings": settings_for()}
    assert argument in refusal(generate, **{**call, argument: value})
    assert not (tmp_path / "out").exists()


def test_images_and_sets_to_verify_are_paths(small_suite, tmp_path):
    for wrong in WRONG_PATHS:
        assert "root" in refusal(open_images, wrong, 32)
        assert "folder" in refusal(verify, wrong)
        assert "data_dir" in refusal(open_suite_images, small_suite, wrong)
    for wrong in (True, 32.0, "32", 3):
        assert "size" in refusal(open_images, tmp_path, wrong)
    assert "workers" in refusal(verify, tmp_path, workers=1.5)
    assert "suite" in refusal(open_suite_images, "digits-c", None)
    assert "size" in refusal(parse_size, 32)


SHARDS = {
    "clean": [None, ["a.tar"]],
    "folder": WRONG_PATHS,
    "settings": [None, {}],
    "share": [None, "0/2", (0,), (2, 2), (-1, 2), (0, 0), (0.5, 2)],
    "workers": [0, 1.0, True, None],
    "skip_unreadable": ["yes", 1.5],
    "observer": [3, Silent],
    "engine": [3, "cpu"],
}


@pytest.mark.parametrize(("argument", "value"), cases(SHARDS))
def test_generate_shards_refuses_before_any_work(argument, value, tmp_path):
    clean = CleanShards([write_tar(tmp_path / "a.tar", [("c/x.jpg", b"")])], cut_of_size(32))
    call = {"folder": tmp_path / "out", "settings": settings_for(format="tar", size=32), "clean": clean}
    assert argument in refusal(generate_shards, **{**call, argument: value})
    assert not (tmp_path / "out").exists()


def test_a_set_of_shards_is_no_set_of_files(tmp_path):
    clean = CleanShards([tmp_path / "a.tar"], cut_of_size(None))
    assert "format tar" in refusal(generate_shards, clean=clean, folder=tmp_path / "out", settings=settings_for())
    for wrong in WRONG_PATHS:
        assert "folder" in refusal(verify_shards, wrong)
    assert "share" in refusal(verify_shards, tmp_path, share=(2, 2))
