"""Batches: those of earlier releases on the CPU, and the same ones made on a device."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from PIL import Image

from lst_robust.data import open_source
from lst_robust.errors import DataError
from lst_robust.models import resident
from lst_robust.models.preprocess import Preprocess
from lst_robust.runtime.process_group import Ranks
from lst_robust.training import feeds
from lst_robust.training.batches import Plan
from lst_robust.training.feeds import DeviceFeed, Feed, HostFeed, feed_of
from tests.training.conftest import PIXELS, RECIPE

CPU = torch.device("cpu")
AUGMENTATIONS = [{"crop_padding": 2, "flip": True}, {"crop_padding": 5}, {"flip": True}, {}]


def made(kind, source, recipe=RECIPE, ranks=Ranks(), device=CPU) -> Feed:  # noqa: B008 - immutable
    preprocess = Preprocess(PIXELS.mean, PIXELS.std, device)
    return kind(source, recipe, Plan.of(recipe, len(source), ranks.world), preprocess, 2, ranks)


def alike(one: Feed, other: Feed, epoch: int = 1) -> None:
    pairs = list(zip(one.epoch(epoch), other.epoch(epoch), strict=True))
    assert pairs
    for a, b in pairs:
        assert a.n == b.n and torch.equal(a.images, b.images) and torch.equal(a.labels, b.labels)
        assert b.images.is_contiguous(memory_format=torch.channels_last)


def test_the_cpu_gets_the_batches_of_earlier_releases(source):
    """The digest was recorded before there were feeds. Its numbers come from one subtraction and one product each."""
    digest = hashlib.sha256()
    for epoch in (0, 2):
        for batch in made(HostFeed, source).epoch(epoch):
            digest.update(batch.images.contiguous().numpy().tobytes() + batch.labels.numpy().tobytes())
    assert digest.hexdigest()[:16] == "8127fd079ab36403"


@pytest.mark.parametrize("free", [2**30, 0], ids=["resident", "sent"])
@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
@pytest.mark.parametrize("drop_last", [True, False])
def test_a_device_makes_the_same_batches(source, as_device, free, augmentation, drop_last):
    as_device(free)
    recipe = RECIPE.changed({"augmentation": augmentation, "drop_last": drop_last})
    feed = made(feed_of, source, recipe)
    assert isinstance(feed, DeviceFeed) and (feed.resident is not None) == (free > 0)
    alike(made(HostFeed, source, recipe), feed)


@pytest.mark.parametrize("free", [2**30, 0], ids=["resident", "sent"])
def test_each_rank_gets_its_share_of_them(source, as_device, free):
    as_device(free)
    for rank in range(3):
        alike(made(HostFeed, source, ranks=Ranks(rank, 3)), made(DeviceFeed, source, ranks=Ranks(rank, 3)))


def test_half_of_the_free_memory_may_be_images(source, as_device):
    needed = 70 * 16 * 16 * 3
    as_device(2 * needed)
    images = made(DeviceFeed, source).resident
    assert images.shape == (70, 16, 16, 3) and images.dtype is torch.uint8
    assert np.array_equal(images.numpy(), source.read(range(70)))
    as_device(2 * needed - 1)
    assert made(DeviceFeed, source).resident is None


def test_memory_that_is_gone_meanwhile_is_no_error(source, as_device, monkeypatch):
    as_device()

    def full(*arguments, **options):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")

    with monkeypatch.context() as patched:
        patched.setattr(resident.torch, "empty", full)
        feed = made(DeviceFeed, source)
    assert feed.resident is None
    alike(made(HostFeed, source), feed)


def test_images_that_cannot_be_read_are_named(tmp_path, as_device):
    as_device()
    source = folder_of(tmp_path, "png")
    (tmp_path / "train" / "dog" / "1.png").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"1 of 8 images .*dog/1\.png"):
        made(DeviceFeed, source)


@pytest.mark.parametrize("augmentation", [{"random_resized_crop": 0.3, "flip": True}, {"flip": True}])
def test_other_sets_are_decoded_by_threads_for_the_device(tmp_path, as_device, augmentation):
    """PNG files go through PIL on both ways; torchvision scales them to within one level, see test_decoding.py."""
    as_device(0)
    recipe = RECIPE.changed({"batch_size": 4, "augmentation": augmentation})
    source = folder_of(tmp_path, "png")
    both = (made(kind, source, recipe).epoch(0) for kind in (HostFeed, DeviceFeed))
    for host, device in zip(*both, strict=True):
        assert torch.equal(host.labels, device.labels)
        torch.testing.assert_close(device.images, host.images, rtol=0, atol=1.01 / 255 / 0.25)


def test_free_memory_does_not_decide_about_pixels(tmp_path, as_device):
    """JPEG files that are scaled: those that stay on the device are those that would be sent."""
    source = folder_of(tmp_path, "jpg")
    as_device(2**30)
    stays = made(DeviceFeed, source, RECIPE.changed({"batch_size": 4}))
    as_device(0)
    is_sent = made(DeviceFeed, source, RECIPE.changed({"batch_size": 4}))
    assert stays.resident is not None and is_sent.resident is None
    alike(stays, is_sent)


def test_ctrl_c_is_seen_between_batches(source, as_device, monkeypatch):
    as_device()
    monkeypatch.setattr(feeds, "check_interrupted", interrupt := Interrupts(after=2))
    with pytest.raises(KeyboardInterrupt):
        list(made(DeviceFeed, source).epoch(0))
    assert interrupt.calls == 3


class Interrupts:
    def __init__(self, after: int) -> None:
        self.calls, self.after = 0, after

    def __call__(self) -> None:
        self.calls += 1
        if self.calls > self.after:
            raise KeyboardInterrupt


def folder_of(tmp_path, kind: str):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "train" / name).mkdir(parents=True)
        for i in range(4):
            pixels = rng.integers(0, 256, (40 + i, 36, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "train" / name / f"{i}.{kind}")
    return open_source({"kind": "image_folder"}, "train", image_size=32, data_dir=tmp_path)
