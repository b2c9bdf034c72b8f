"""`corrupt_tensor` and its promises, over all 19: same bytes however cut, no look at the host, clear refusals."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from lst_robust.corruptions import corrupt, corruption_names
from lst_robust.corruptions.presets import PRESETS
from lst_robust.errors import UsageError
from lst_robust.torch_engine import TensorCorruptor, TensorStreams, corrupt_tensor, engine

SIZES = {"imagenet": 48, "tiny-imagenet": 33, "cifar": 32}
LOOKS_AT_THE_HOST = ("aten._local_scalar_dense", "aten.nonzero", "aten.masked_select", "aten.equal", "aten.unique")


class Operations(TorchDispatchMode):
    """Counts the operations within it that would wait for a device, and all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[str] = []
        self.all = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.all += 1
        if str(function).startswith(LOOKS_AT_THE_HOST):
            self.waiting.append(str(function))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", corruption_names())
def test_nothing_comes_back_from_the_device(name, preset):
    """On the device `meta` there are no values: whatever looked at one would fail. And no operation waits for one."""
    side = SIZES[preset]
    images = torch.zeros((3, side, side, 3), dtype=torch.uint8, device="meta")
    for severity in range(1, 6):
        corruptor = TensorCorruptor(name, severity, preset=preset)
        streams = TensorStreams(torch.zeros((3, 2), dtype=torch.int64, device="meta"))
        result = corruptor(images, streams)
        assert (result.shape, result.dtype, result.device.type) == (images.shape, torch.uint8, "meta")

    here = torch.zeros((3, side, side, 3), dtype=torch.uint8)
    corruptor = TensorCorruptor(name, 3, preset=preset)
    streams = corruptor.streams([1, 2, 3], here.device)
    corruptor(here, streams)  # the tables
    with Operations() as operations:
        corruptor(here, streams)
    assert operations.all > 0 and operations.waiting == []


@given(
    name=st.sampled_from(corruption_names()),
    severity=st.integers(1, 5),
    order=st.permutations(list(range(5))),
    cut=st.integers(1, 4),
    chunk=st.sampled_from([1, 7000, 8 << 20]),
    seed=st.integers(0, 2**70),
)
@settings(max_examples=60, deadline=None)
def test_ids_decide_whatever_the_batch_and_its_order(name, severity, order, cut, chunk, seed):
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8))
    ids = np.array(["a", "b", "3", "dir/ü 1.jpg", "-1"])
    whole = corrupt_tensor(images, name, severity, preset="cifar", seed=seed, ids=list(ids))
    previous, engine.CHUNK_BYTES = engine.CHUNK_BYTES, chunk
    try:
        parts = [
            corrupt_tensor(images[part], name, severity, preset="cifar", seed=seed, ids=ids[part])
            for part in (order[:cut], order[cut:])
        ]
    finally:
        engine.CHUNK_BYTES = previous
    assert torch.equal(torch.cat(parts), whole[order])


def test_the_input_stays_as_it_is_and_one_image_is_a_batch_of_one(any_images):
    images = torch.from_numpy(any_images(3, 32, 40))
    before = images.clone()
    batch = corrupt_tensor(images, "gaussian_noise", 3, preset="cifar")
    assert torch.equal(images, before)
    assert torch.equal(corrupt_tensor(images[0], "gaussian_noise", 3, preset="cifar"), batch[0])
    assert torch.equal(corrupt_tensor(images[2], "gaussian_noise", 3, preset="cifar", ids=[2]), batch[2])
    channels_first = images.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
    assert torch.equal(corrupt_tensor(channels_first, "gaussian_noise", 3, preset="cifar"), batch)
    assert corrupt_tensor(images[:0], "fog", 3, preset="cifar").shape == (0, 32, 40, 3)


def test_the_same_noise_as_on_the_host(any_images):
    """Seed, severity and ids mean the same to both engines."""
    images = any_images(2, 32, 32)
    for seed, ids in ((0, None), (7, ["x", "y"]), (2**65, [7, "7"])):
        host = corrupt(images, "gaussian_noise", 2, preset="cifar", seed=seed, ids=ids)
        device = corrupt_tensor(torch.from_numpy(images), "gaussian_noise", 2, preset="cifar", seed=seed, ids=ids)
        np.testing.assert_array_equal(device.numpy(), host)


def test_several_threads_may_call_it(any_images):
    images = torch.from_numpy(any_images(2, 32, 32))
    wanted = corrupt_tensor(images, "zoom_blur", 3, preset="cifar")
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(corrupt_tensor(images, "zoom_blur", 3, preset="cifar")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4 and all(torch.equal(result, wanted) for result in results)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((1, 32, 32, 3), np.uint8), "must be a torch tensor, not ndarray"),
        (torch.zeros(1, 32, 32, 3), "must be uint8 in 0..255, not torch.float32"),
        (torch.zeros(1, 3, 32, 32, dtype=torch.uint8), "must be (N, H, W, 3)"),
        (torch.zeros(32, 32, dtype=torch.uint8), "must be (N, H, W, 3)"),
        (
            torch.zeros(1, 32, 32, 3, dtype=torch.uint8).to_sparse(),
            "must be a dense tensor, not torch.sparse_coo: give",
        ),
        (torch.zeros(1, 15, 32, 3, dtype=torch.uint8), "32x15 pixels are too small"),
    ],
)
def test_what_is_no_batch_of_images_is_refused(images, words):
    with pytest.raises(UsageError) as refusal:
        corrupt_tensor(images, "fog", 1, preset="cifar")
    assert words in str(refusal.value)


def test_names_severities_and_ids_are_checked_as_on_the_host():
    images = torch.zeros(2, 32, 32, 3, dtype=torch.uint8)
    with pytest.raises(UsageError, match="severity"):
        corrupt_tensor(images, "fog", 6, preset="cifar")
    with pytest.raises(UsageError, match="fogg"):
        corrupt_tensor(images, "fogg", 1, preset="cifar")
    with pytest.raises(UsageError, match="3 ids for 2 images"):
        corrupt_tensor(images, "fog", 1, preset="cifar", ids=[1, 2, 3])


@pytest.mark.parametrize("name", ["fog", "pixelate", "jpeg_compression", "contrast"])
@pytest.mark.parametrize("images", [1, 4])
def test_the_result_can_be_written_to_and_used_in_a_graph(monkeypatch, name, images):
    """In one chunk and in several."""
    monkeypatch.setattr(engine, "CHUNK_BYTES", 2 * 32 * 32 * 3)
    result = corrupt_tensor(torch.full((images, 32, 32, 3), 100, dtype=torch.uint8), name, 1, preset="cifar")
    assert not result.is_inference()
    result[0] = 7
    weight = torch.ones(3, requires_grad=True)
    (result.float() * weight).sum().backward()
    assert torch.equal(weight.grad, result.float().sum((0, 1, 2)))


@pytest.mark.parametrize(("images", "chunks"), [(1, [1]), (5, [5]), (6, [3, 3]), (11, [4, 4, 3])])
def test_the_chunks_are_alike(monkeypatch, images, chunks):
    monkeypatch.setattr(engine, "CHUNK_BYTES", 5 * 32 * 32 * 3)
    corruptor, made, sizes = TensorCorruptor("fog", 1, preset="cifar"), TensorCorruptor._made, []

    def counted(self, images, streams):
        sizes.append(len(images))
        return made(self, images, streams)

    monkeypatch.setattr(TensorCorruptor, "_made", counted)
    batch = torch.zeros((images, 32, 32, 3), dtype=torch.uint8)
    assert corruptor(batch, corruptor.streams(range(images), batch.device)).shape == batch.shape
    assert sizes == chunks
