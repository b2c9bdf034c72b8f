"""`corrupt` and its promises, over all functions the engine has: same bytes however cut, clear refusals."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from enum import Enum

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lst_robust.corruptions import corrupt, corruption_names, engine
from lst_robust.corruptions.presets import PRESETS
from lst_robust.corruptions.registry import built_in, constants
from lst_robust.corruptions.streams import Streams
from lst_robust.errors import UsageError


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", corruption_names())
def test_every_function_and_severity(any_images, name, preset):
    """Same shape and dtype, input untouched, repeatable, and more severe means further away (on the whole)."""
    size = {"imagenet": 96, "tiny-imagenet": 64, "cifar": 32}[preset]
    images = any_images(2, size, size)
    before = images.copy()
    distances = []
    for severity in range(1, 6):
        result = corrupt(images, name, severity, preset=preset)
        assert result.dtype == np.uint8 and result.shape == images.shape
        np.testing.assert_array_equal(result, corrupt(images, name, severity, preset=preset))
        distances.append(abs(result.astype(int) - images).mean())
    np.testing.assert_array_equal(images, before)
    assert min(distances) > 0
    if name not in ("saturate", "elastic_transform", "glass_blur", "spatter", "snow"):  # these change their kind
        assert distances[4] > distances[0]


@given(
    name=st.sampled_from(corruption_names()),
    order=st.permutations(list(range(7))),
    cut=st.integers(1, 6),
    workers=st.integers(1, 3),
    chunk=st.sampled_from([1, 4000, 1 << 20]),
    seed=st.integers(0, 2**70),
)
@settings(max_examples=60, deadline=None)
def test_ids_decide_whatever_the_batch_order_and_threads(name, order, cut, workers, chunk, seed):
    images = np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)
    ids = np.array(["a", "b", "3", "dir/ü 1.jpg", "10", "-1", "x"])
    whole = corrupt(images, name, 4, preset="cifar", seed=seed, ids=list(ids))
    parts = []
    previous, engine.CHUNK_BYTES = engine.CHUNK_BYTES, chunk
    try:
        for part in (order[:cut], order[cut:]):
            parts.append(corrupt(images[part], name, 4, preset="cifar", seed=seed, ids=ids[part], workers=workers))
    finally:
        engine.CHUNK_BYTES = previous
    np.testing.assert_array_equal(np.concatenate(parts), whole[order])


def test_one_image_is_a_batch_of_one(any_images):
    images = any_images(3, 32, 40)
    batch = corrupt(images, "gaussian_noise", 3, preset="cifar")
    np.testing.assert_array_equal(corrupt(images[0], "gaussian_noise", 3, preset="cifar"), batch[0])
    np.testing.assert_array_equal(corrupt(images[2], "gaussian_noise", 3, preset="cifar", ids=[2]), batch[2])
    strided = np.asfortranarray(images)[:, :, ::-1]
    np.testing.assert_array_equal(
        corrupt(strided, "shot_noise", 3, preset="cifar"),
        corrupt(strided.copy(order="C"), "shot_noise", 3, preset="cifar"),
    )
    read_only = images.copy()
    read_only.setflags(write=False)
    np.testing.assert_array_equal(corrupt(read_only, "gaussian_noise", 3, preset="cifar"), batch)


def test_seed_severity_and_id_change_the_noise_and_equal_ids_share_it():
    flat = np.full((2, 32, 32, 3), 128, dtype=np.uint8)
    base = corrupt(flat, "gaussian_noise", 3, preset="cifar")
    assert (base[0] != base[1]).any()
    assert (base != corrupt(flat, "gaussian_noise", 3, preset="cifar", seed=1)).any()
    twins = corrupt(flat, "gaussian_noise", 3, preset="cifar", ids=[5, "5"])
    np.testing.assert_array_equal(twins[0], twins[1])


def test_global_random_state_is_left_alone(any_images):
    np.random.seed(1)  # noqa: NPY002
    expected = np.random.random(3)  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    for name in corruption_names():
        corrupt(any_images(1, 32, 32), name, 3, preset="cifar")
    np.testing.assert_array_equal(np.random.random(3), expected)  # noqa: NPY002


def test_calls_from_many_threads_at_once(any_images):
    images = any_images(8, 32, 32)
    expected = {name: corrupt(images, name, 3, preset="cifar") for name in corruption_names()}
    with ThreadPoolExecutor(4) as pool:
        futures = [
            (n, pool.submit(corrupt, images, n, 3, preset="cifar", workers=2)) for n in expected for _ in range(2)
        ]
        for name, future in futures:
            np.testing.assert_array_equal(future.result(), expected[name])


@pytest.mark.parametrize("name", corruption_names())
@pytest.mark.parametrize("shape", [(1, 16, 16, 3), (2, 17, 40, 3), (1, 61, 33, 3)])
def test_odd_sizes(any_images, name, shape):
    for preset in PRESETS:
        result = corrupt(any_images(*shape[:3]), name, 5, preset=preset)
        assert result.shape == shape


def test_no_images_give_no_images():
    empty = np.zeros((0, 32, 32, 3), dtype=np.uint8)
    for workers in (1, 2):
        assert corrupt(empty, "fog", 1, preset="cifar", workers=workers).shape == empty.shape


IMAGE = np.zeros((2, 32, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": [[1]]}, "images must be a NumPy array, not list"),
        ({"images": IMAGE.astype(np.float32)}, "images must be uint8 in 0..255, not float32"),
        ({"images": IMAGE[..., :1]}, r"images must be \(N, H, W, 3\) or \(H, W, 3\), not \(2, 32, 32, 1\)"),
        ({"images": IMAGE[0, 0]}, "images must be"),
        ({"images": IMAGE.transpose(0, 3, 1, 2)}, "convert them to RGB, NHWC"),
        ({"images": IMAGE[:, :8]}, "images of 32x8 pixels are too small: each side needs at least 16"),
        ({"corruption": "gausian_noise"}, "unknown corruption 'gausian_noise': did you mean gaussian_noise"),
        ({"severity": 0}, "severity is 0: give a whole number from 1 to 5"),
        ({"severity": 6}, "severity is 6: give a whole number from 1 to 5"),
        ({"severity": True}, "severity is True: give a whole number from 1 to 5"),
        ({"preset": "imagnet"}, "unknown preset 'imagnet': did you mean imagenet"),
        ({"style": "torch"}, "unknown style 'torch'"),
        ({"style": "imagecorruptions"}, "preset 'imagenet' only, not 'cifar'"),
        ({"ids": [1]}, "1 ids for 2 images: give one id an image"),
        ({"ids": "ab"}, "ids is 'ab': give a list"),
        ({"ids": [1.5, 2]}, r"ids\[0\] is 1.5: give a whole number or a text"),
        ({"ids": [True, 2]}, r"ids\[0\] is True: give a whole number or a text"),
        ({"seed": 1.5}, "seed is 1.5: give a whole number"),
        ({"workers": 0}, "workers is 0: give a whole number of at least 1"),
        ({"ids": 5}, "ids is 5: give a list"),
        ({"ids": b"ab"}, "ids is b'ab': give a list"),
        ({"ids": ["a", "\ud800"]}, r"ids\[1\] is '\\ud800': give a text that UTF-8 can encode"),
        ({"seed": True}, "seed is True: give a whole number"),
        ({"workers": True}, "workers is True: give a whole number of at least 1"),
        ({"workers": 1.5}, "workers is 1.5: give a whole number of at least 1"),
    ],
)
def test_refusals_are_one_clear_line(arguments, message):
    call = {"images": IMAGE, "corruption": "fog", "severity": 1, "preset": "cifar", **arguments}
    with pytest.raises(ValueError, match=message) as raised:
        corrupt(call.pop("images"), call.pop("corruption"), call.pop("severity"), **call)
    assert isinstance(raised.value, UsageError) and "\n" not in str(raised.value)


def test_a_wrong_choice_of_kernels_is_refused(monkeypatch):
    monkeypatch.setenv("LST_ROBUST_CORRUPTION_KERNELS", "turbo")
    with pytest.raises(UsageError, match="LST_ROBUST_CORRUPTION_KERNELS is 'turbo': set it to 'fast' or 'plain'"):
        corrupt(IMAGE, "fog", 1, preset="cifar")


@pytest.fixture
def recorded(monkeypatch) -> list[tuple[int, int, int, bool]]:
    """fog stands for a corruption without a kernel; of each part of the work: images, height, width, and whether it
    is done in the calling thread."""
    parts, caller = [], threading.get_ident()

    def draw(streams: Streams, height: int, width: int, c: object) -> dict[str, np.ndarray]:
        parts.append((len(streams), height, width, threading.get_ident() == caller))
        return {"word": streams.words(0, 1)[:, 0]}

    def apply(images: np.ndarray, draws: dict[str, np.ndarray], c: object) -> np.ndarray:
        assert c == constants("fog", 2, "cifar") and len(images) == len(draws["word"])
        return images + draws["word"].astype(np.uint8)[:, None, None, None]

    monkeypatch.setitem(built_in(), "fog", replace(built_in()["fog"], draw=draw, apply=apply, kernel=None))
    return parts


SEVEN = np.arange(7 * 16 * 20 * 3, dtype=np.uint8).reshape(7, 16, 20, 3)
IMAGE_BYTES = 16 * 20 * 3


@pytest.mark.parametrize(
    ("chunk_images", "workers", "sizes"),
    [
        (9, 1, [7]),
        (4, 1, [4, 3]),
        (2, 1, [2, 2, 2, 1]),
        (0, 1, [1] * 7),  # larger than a chunk: one at a time all the same
        (9, 2, [4, 3]),
        (9, 3, [3, 3, 1]),
        (2, 3, [2, 2, 2, 1]),
        (9, 10, [1] * 7),
    ],
)
def test_the_work_is_cut_into_chunks_and_shared_among_the_workers(monkeypatch, recorded, chunk_images, workers, sizes):
    monkeypatch.setattr(engine, "CHUNK_BYTES", 9 * IMAGE_BYTES)
    whole = corrupt(SEVEN, "fog", 2, preset="cifar")
    recorded.clear()
    monkeypatch.setattr(engine, "CHUNK_BYTES", chunk_images * IMAGE_BYTES)
    np.testing.assert_array_equal(corrupt(SEVEN, "fog", 2, preset="cifar", workers=workers), whole)
    assert sorted((part[0] for part in recorded), reverse=True) == sizes
    assert {part[1:] for part in recorded} == {(16, 20, workers == 1)}


def test_one_worker_is_the_caller_and_more_are_as_many_threads(monkeypatch, recorded):
    asked = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, workers: int) -> None:
            asked.append(workers)
            super().__init__(workers)

    monkeypatch.setattr(engine, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(engine, "CHUNK_BYTES", 3 * IMAGE_BYTES)
    corrupt(SEVEN, "fog", 2, preset="cifar")
    assert asked == [] and {part[3] for part in recorded} == {True}
    for workers in (2, 50):
        corrupt(SEVEN, "fog", 2, preset="cifar", workers=workers)
    assert asked == [2, 7]


def test_the_plain_definitions_may_be_asked_for(monkeypatch):
    kernel_calls = []

    def kernel(images: np.ndarray, streams: Streams, c: object) -> np.ndarray:
        kernel_calls.append(c)
        return images + 1

    def draw(streams: Streams, height: int, width: int, c: object) -> dict[str, np.ndarray]:
        assert (len(streams), height, width) == (7, 16, 20)
        return {"of": np.array(c)}

    def apply(images: np.ndarray, draws: dict[str, np.ndarray], c: object) -> np.ndarray:
        assert draws["of"].tolist() == list(c)
        return images + 2

    monkeypatch.setitem(built_in(), "contrast", replace(built_in()["contrast"], draw=draw, apply=apply, kernel=kernel))
    for choice, added in (("fast", 1), ("plain", 2)):
        monkeypatch.setenv("LST_ROBUST_CORRUPTION_KERNELS", choice)
        np.testing.assert_array_equal(corrupt(SEVEN, "contrast", 1, preset="cifar"), SEVEN + added)
    monkeypatch.delenv("LST_ROBUST_CORRUPTION_KERNELS")
    corrupt(SEVEN, "contrast", 1, preset="cifar")
    assert kernel_calls == [constants("contrast", 1, "cifar")] * 2


def test_a_batch_is_copied_only_where_it_must_be():
    assert np.shares_memory(engine.checked_batch(SEVEN), SEVEN)
    assert engine.checked_batch(SEVEN[0]).shape == (1, 16, 20, 3)
    read_only = SEVEN.copy()
    read_only.setflags(write=False)
    assert engine.checked_batch(read_only).flags.writeable
    turned = engine.checked_batch(SEVEN[:, :, ::-1])
    assert turned.flags.c_contiguous
    np.testing.assert_array_equal(turned, SEVEN[:, :, ::-1])


def test_the_smallest_image_and_no_smaller():
    assert engine.checked_batch(np.zeros((16, 16, 3), np.uint8)).shape == (1, 16, 16, 3)
    for shape in ((15, 16, 3), (16, 15, 3)):
        with pytest.raises(UsageError, match=f"images of {shape[1]}x{shape[0]} pixels are too small: each side needs"):
            engine.checked_batch(np.zeros(shape, np.uint8))


def test_a_member_of_an_enumeration_is_the_text_that_it_is(any_images):
    class Name(str, Enum):
        NOISE = "gaussian_noise"

    images = any_images(2, 32, 32)
    np.testing.assert_array_equal(
        corrupt(images, Name.NOISE, 3, preset="cifar"), corrupt(images, "gaussian_noise", 3, preset="cifar")
    )
