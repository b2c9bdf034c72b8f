"""Corruptions from outside: the two forms, what they promise, and every mistake in one line."""

from __future__ import annotations

from functools import partial
from textwrap import dedent
from typing import NamedTuple

import numpy as np
import pytest

import lst_robust
from lst_robust.benchmark import known_corruptions
from lst_robust.corruptions import (
    constants,
    corrupt,
    corruption_digest,
    corruption_named,
    corruption_names,
    no_draws,
    own,
    register_corruption,
)
from lst_robust.errors import DataError, UsageError

pytestmark = pytest.mark.usefixtures("no_plugins")
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 20, 17, 3), dtype=np.uint8)


def test_the_example_of_the_documentation():
    example = dedent("\n".join(line for line in (own.__doc__ or "").splitlines() if line.startswith("    ")))
    exec(example, {"__name__": "example"})
    np.testing.assert_array_equal(corrupt(IMAGES, "posterize", 3, preset="cifar"), IMAGES // 16 * 16)


def test_a_function_of_one_image(darken):
    before = IMAGES.copy()
    result = corrupt(IMAGES, "darken", 3, preset="cifar")
    np.testing.assert_array_equal(IMAGES, before)
    taken = np.maximum(IMAGES.astype(int) - 30, 0) - result
    assert set(np.unique(taken)) == {0, 1}
    assert corruption_names("own") == ("darken",) and known_corruptions()[-1] == "darken"
    assert (corruption_named("darken").group, corruption_named("darken").label) == ("own", "Darken")
    assert [constants("darken", s, preset) for s in (1, 5) for preset in ("imagenet", "cifar")] == [10, 10, 50, 50]
    assert constants("darken", 2, "imagenet", "imagecorruptions") == 20, "it is the same in every style"
    assert darken(IMAGES[0], 5, np.random.default_rng(0)).shape == (20, 17, 3), "the function is as it was"


def test_the_id_decides_the_noise_whatever_the_batch_and_the_threads(darken, monkeypatch):
    ids = ["a", "b", 3, "d", "e"]
    monkeypatch.setattr("lst_robust.corruptions.engine.CHUNK_BYTES", 2 * IMAGES[0].nbytes)
    whole = corrupt(IMAGES, "darken", 4, preset="cifar", ids=ids, workers=3)
    for place, image_id in enumerate(ids):
        alone = corrupt(IMAGES[place], "darken", 4, preset="cifar", ids=[image_id])
        np.testing.assert_array_equal(alone, whole[place])
    flat = np.full((1, 20, 17, 3), 128, np.uint8)
    variants = [
        corrupt(flat, "darken", severity, preset="cifar", seed=seed, ids=[image_id]) + 10 * severity
        for severity, seed, image_id in [(1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1)]
    ]
    assert len({variant.tobytes() for variant in variants}) == 4, "severity, seed and id each change it"


def test_the_generator_is_the_same_in_every_process():
    @register_corruption("stamp")
    def stamp(image, severity, rng):
        return np.full_like(image, rng.integers(0, 256))

    first = corrupt(IMAGES, "stamp", 2, preset="cifar", seed=7)[:, 0, 0, 0]
    assert first.tolist() == STAMPS


STAMPS = [62, 183, 25, 39, 212]


def test_without_constants_the_function_is_given_the_severity():
    given = []

    @register_corruption("nothing")
    def nothing(image, c, rng):
        given.append(c)
        return image

    for severity in (1, 5):
        np.testing.assert_array_equal(corrupt(IMAGES[0], "nothing", severity, preset="imagenet"), IMAGES[0])
    assert given == [1, 5]


class Spots(NamedTuple):
    count: int
    level: int


FIVE = [Spots(count, 255) for count in range(1, 6)]


def draw_spots(streams, height, width, c):
    return {"place": streams.integers(0, (c.count,), 0, height * width)}


def spots(images, draws, c):
    result = images.reshape(len(images), -1, 3)  # a view: the engine hands over a copy
    for image, places in zip(result, draws["place"], strict=True):
        image[places] = c.level
    return result.reshape(images.shape)


def test_a_function_of_a_batch_with_its_own_draws():
    register_corruption("spots", group="weather", label="Spots", constants=FIVE, draw=draw_spots)(spots)
    before = IMAGES.copy()
    result = corrupt(IMAGES, "spots", 5, preset="cifar")
    np.testing.assert_array_equal(IMAGES, before)
    assert 0 < (result != IMAGES).any(axis=3).sum() <= 25
    np.testing.assert_array_equal(corrupt(IMAGES[2], "spots", 5, preset="cifar", ids=[2]), result[2])
    assert corruption_named("spots").group == "weather"


def test_a_kernel_is_used_unless_it_is_switched_off(monkeypatch):
    def kernel(images, streams, c):
        return images ^ 1

    register_corruption("flip", draw=no_draws, kernel=kernel)(lambda images, draws, c: images ^ 2)
    np.testing.assert_array_equal(corrupt(IMAGES, "flip", 1, preset="cifar"), IMAGES ^ 1)
    monkeypatch.setenv("LST_ROBUST_CORRUPTION_KERNELS", "plain")
    np.testing.assert_array_equal(corrupt(IMAGES, "flip", 1, preset="cifar"), IMAGES ^ 2)


def test_constants_by_preset():
    two = {"cifar": [1, 2, 3, 4, 5], "imagenet": np.arange(10.0, 60, 10)}
    register_corruption("add", constants=two, draw=no_draws)(lambda images, draws, c: images)
    assert [constants("add", 2, preset) for preset in ("cifar", "imagenet")] == [2, 20.0]
    assert type(constants("add", 2, "imagenet")) is float
    with pytest.raises(UsageError, match="add has constants for cifar, imagenet only, not 'tiny-imagenet'"):
        corrupt(IMAGES, "add", 1, preset="tiny-imagenet")


def test_a_notebook_s_cell_may_be_run_again_but_no_other_module_takes_the_name(darken):
    def again(image, c, rng):
        return np.zeros_like(image)

    again.__module__ = darken.__module__
    register_corruption("darken", label="Darker")(again)
    assert not corrupt(IMAGES, "darken", 1, preset="cifar").any()
    assert known_corruptions().count("darken") == 1 and corruption_named("darken").label == "Darker"

    def other(image, c, rng):
        return image

    other.__module__ = "other_plugin"
    with pytest.raises(UsageError, match=r"darken is registered already, by tests\.fixtures\.corruptions: choose"):
        register_corruption("darken")(other)
    assert not corrupt(IMAGES, "darken", 1, preset="cifar").any()


def unchanged(image, c, rng):
    return image


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "fog"}, "fog is a corruption of the papers"),
        ({"name": "My blur"}, "the corruption's name is 'My blur': give up to 50"),
        ({"name": 3}, "the corruption's name is 3: give up to 50"),
        ({"name": None}, "the corruption's name is None: give up to 50"),
        ({"group": "My group"}, "the group of mine is 'My group'"),
        ({"group": None}, "the group of mine is None"),
        ({"label": ""}, "the label of mine is ''"),
        ({"label": 5}, "the label of mine is 5"),
        ({"constants": [1, 2, 3, 4]}, "constants of mine has 4 values: give five, one for each severity"),
        ({"constants": 3}, "constants of mine is 3: give a list"),
        ({"constants": "abcde"}, "constants of mine is 'abcde': give a list"),
        ({"constants": {}}, "constants of mine is empty"),
        ({"constants": {"cifer": [1] * 5}}, "unknown preset 'cifer': did you mean cifar?"),
        ({"constants": {"cifar": [1] * 6}}, "constants of mine has 6 values"),
        (
            {"constants": [object()] * 5},
            r"constants\[0\] of mine is of type object: give a number or a text",
        ),
        ({"constants": [1, (2, [object()]), 3, 4, 5]}, r"constants\[1\] of mine is of type object"),
        ({"version": "2"}, "version is '2': give a whole number of at least 1"),
        ({"version": 0}, "version is 0"),
        ({"draw": 3}, "draw is 3: give a function"),
        ({"draw": no_draws, "kernel": 3}, "kernel is 3: give a function"),
        ({"kernel": no_draws}, "the kernel of mine has no plain definition"),
        ({"torch": 3}, "torch is 3: give a function"),
        ({"function": 3}, "what is registered as mine is 3: give a function"),
    ],
)
def test_mistakes_are_one_line_and_register_nothing(arguments, message):
    given = {"name": "mine", "function": unchanged, **arguments}
    name, function = given.pop("name"), given.pop("function")
    with pytest.raises(UsageError, match=message) as refused:
        lst_robust.register_corruption(name, **given)(function)
    assert "\n" not in str(refused.value)
    assert len(known_corruptions()) == 19


def raises(image, c, rng):
    raise KeyError("a\nb")


def ends(image, c, rng):
    raise SystemExit(7)


def refuses(image, c, rng):
    raise DataError("no texture")


RETURNED = {
    "float64": (lambda image, c, rng: image / 255.0, r"returned float64 \(20, 17, 3\): return uint8 \(20, 17, 3\)"),
    "grey": (lambda image, c, rng: image[..., 0], r"returned uint8 \(20, 17\): return uint8"),
    "nothing": (lambda image, c, rng: None, "returned NoneType: return a uint8 array"),
    "raises": (raises, r"failed on images of 17x20 pixels \(KeyError: 'a\\nb'\): correct its code"),
    "ends the process": (ends, r"failed on images of 17x20 pixels \(SystemExit: 7\): correct its code"),
    "two arguments": (lambda image, c: image, r"failed on images of 17x20 pixels \(TypeError"),
}


@pytest.mark.parametrize("case", RETURNED)
def test_what_goes_wrong_in_it_is_one_line(case):
    function, message = RETURNED[case]
    register_corruption("mine")(function)
    with pytest.raises(UsageError, match=f"corruption mine {message}") as refused:
        corrupt(IMAGES, "mine", 1, preset="cifar", workers=2)
    assert "\n" not in str(refused.value)


def test_an_error_that_says_all_itself_stays():
    register_corruption("mine")(refuses)
    with pytest.raises(DataError, match=r"^no texture$"):
        corrupt(IMAGES, "mine", 1, preset="cifar")


LEVELS = [0.9, 0.8]
TABLE = np.arange(4)
SEEN: dict[int, int] = {}


def with_collections(image, c, rng):
    SEEN[c] = SEEN.get(c, 0) + 1
    return (image * LEVELS[0]).astype(np.uint8) ^ TABLE[c - 1].astype(np.uint8)


@pytest.mark.parametrize(("name", "value"), [("LEVELS", [0.5, 0.8]), ("TABLE", np.array([0, 1, 2, 9]))])
def test_lists_and_arrays_that_the_function_names_belong_to_it(monkeypatch, name, value):
    def digest() -> str | None:
        SEEN.clear()
        register_corruption("mine")(with_collections)
        return corruption_digest("mine")

    first = digest()
    corrupt(IMAGES, "mine", 1, preset="cifar")
    assert SEEN and corruption_digest("mine") == first, "what the function notes as it works changes nothing"
    assert digest() == first
    monkeypatch.setitem(globals(), name, value)
    assert corruption_digest("mine") != first, "also without registering it again"


def test_what_a_function_notes_before_its_code_is_asked_for_changes_nothing(monkeypatch):
    digests = []
    for work_first in (False, True):
        monkeypatch.setitem(globals(), "SEEN", {})
        register_corruption("mine")(with_collections)
        if work_first:
            corrupt(IMAGES, "mine", 1, preset="cifar")
        digests.append(corruption_digest("mine"))
    assert digests[0] == digests[1]


def test_a_batch_of_another_shape_is_refused():
    register_corruption("mine", draw=no_draws)(lambda images, draws, c: images[:-1])
    with pytest.raises(UsageError, match=r"returned uint8 \(4, 20, 17, 3\): return uint8 \(5, 20, 17, 3\)"):
        corrupt(IMAGES, "mine", 1, preset="cifar")


def test_the_digest_says_whether_the_pixels_may_have_changed():
    def digest(function=unchanged, **options) -> str | None:
        register_corruption("mine", **options)(function)
        return corruption_digest("mine")

    def other(image, c, rng):
        return image ^ 1

    first = digest()
    assert first is not None and len(first) == 16 and digest() == first
    assert digest(label="Other", group="weather") == first, "what it is called changes no pixel"
    changed = [
        digest(other),
        digest(version=2),
        digest(constants=[1, 2, 3, 4, 6]),
        digest(constants=dict.fromkeys(["cifar"], range(1, 6))),
        digest(draw=no_draws),
        digest(draw=draw_spots),
        digest(draw=draw_spots, kernel=spots),
    ]
    assert first not in changed and len(set(changed)) == len(changed)
    assert corruption_digest("fog") is None


def test_there_is_no_digest_of_what_is_not_registered():
    with pytest.raises(UsageError, match="unknown corruption 'darkn'"):
        corruption_digest("darkn")


def test_a_partial_is_a_function_too():
    register_corruption("mine")(partial(lambda level, image, c, rng: image | level, 7))
    np.testing.assert_array_equal(corrupt(IMAGES, "mine", 1, preset="cifar"), IMAGES | 7)
