"""Which training it is: what differs is named, and what an earlier release left is known by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from lst_robust.errors import CheckpointError
from lst_robust.training.identity import Identity, differences

FIELDS = {"model": "lst18", "options": {}, "pixels": {"mean": [0.5]}, "recipe": {"lr": 0.1, "seed": 0}, "content": "a1"}


def changed(**fields) -> dict:
    return FIELDS | fields


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (FIELDS, ""),
        (changed(model="lst20"), "model was lst18 and is lst20 now"),
        (changed(pixels={"mean": [0.4]}), "pixels.mean was [0.5] and is [0.4] now"),
        (changed(content="b2"), "the images' content was a1 and is b2 now"),
        (
            changed(recipe={"lr": 0.1, "seed": 1, "accumulate": 2}),
            "recipe.seed was 0 and is 1 now, recipe.accumulate was the default and is 2 now",
        ),
        (changed(recipe={"lr": 0.1}), "recipe.seed was 0 and is the default now"),
        (changed(model="x" * 99), f"model was lst18 and is {'x' * 40}... now"),
    ],
)
def test_differences_are_named_with_both_values(now, words):
    assert differences(FIELDS, now) == words


def test_of_many_differences_the_first_are_named():
    words = differences(FIELDS, {"model": "a", "options": {"k": 1}, "pixels": {"mean": [1]}, "recipe": {}})
    assert words.count(" was ") == 3 and words.endswith(", and 3 more")


def test_another_training_is_refused_and_the_same_is_not():
    identity, path = Identity(FIELDS), Path("x.resume")
    identity.require_same(changed(), path)
    with pytest.raises(CheckpointError) as raised:
        identity.require_same(changed(recipe={"lr": 0.2, "seed": 0}), path)
    assert str(raised.value) == (
        "x.resume: the interrupted training in this file is another one (recipe.lr was 0.2 and is 0.1 now): start anew "
        "with lst-robust train --no-resume, or give another --out"
    )


def test_a_file_of_an_earlier_release_is_known_by_its_name_only():
    identity = Identity(FIELDS)
    identity.require_same(None, Path(f"lst18-seed0-{identity.digest}.resume"))
    for name in ("x.resume", f"lst18-seed0-{Identity(changed(content='b2')).digest}.resume"):
        with pytest.raises(CheckpointError, match=r"resume: an earlier release .* --no-resume, or give another --out"):
            identity.require_same(None, Path(name))
