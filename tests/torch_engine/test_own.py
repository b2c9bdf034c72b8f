"""Corruptions from outside that have a function of tensors: what they are promised, and each mistake in one line."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import lst_robust
from lst_robust.corruptions import corruption_digest, register_corruption
from lst_robust.errors import DeviceError, UsageError
from lst_robust.torch_engine import corrupt_tensor

pytestmark = pytest.mark.usefixtures("no_plugins")
IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (5, 20, 17, 3), dtype=np.uint8))


def registered(function, name: str = "mine") -> None:
    register_corruption(name, torch=function)(plain)


def plain(image, c, rng):
    return image // 2


def returns(value):
    def function(images, streams, c):
        return value(images)

    return function


def raises(error: Exception):
    def function(images, streams, c):
        raise error

    return function


def test_it_is_one_of_the_names_of_the_package():
    assert lst_robust.corrupt_tensor is corrupt_tensor and "corrupt_tensor" in dir(lst_robust)


def test_it_gets_a_copy_the_draws_and_the_constant_of_the_severity():
    seen = []

    def function(images, streams, c):
        seen.append((streams.integers(3, (), 0, 100).flatten().tolist(), c))
        images.zero_()
        return images

    registered(function)
    before = IMAGES.clone()
    assert not corrupt_tensor(IMAGES, "mine", 4, preset="cifar", ids=list("abcda")).any()
    assert torch.equal(IMAGES, before)
    [(draws, c)] = seen
    assert c == 4 and draws[0] == draws[4] and len(set(draws)) == 4


def test_without_one_the_host_makes_the_images():
    register_corruption("mine")(plain)
    assert torch.equal(corrupt_tensor(IMAGES, "mine", 1, preset="cifar"), IMAGES // 2)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (raises(KeyError("colour")), r"failed on images of 17x20 pixels \(KeyError: 'colour'\): correct its code"),
        (raises(RuntimeError("two\nlines")), r"\(RuntimeError: two lines\)"),
        (
            returns(lambda images: images.numpy()),
            r"returned ndarray: return a uint8 tensor of shape \(5, 20, 17, 3\) on",
        ),
        (returns(lambda images: images.float()), r"returned torch.float32 \(5, 20, 17, 3\) on cpu: return a uint8"),
        (returns(lambda images: images[1:]), r"returned torch.uint8 \(4, 20, 17, 3\) on cpu"),
        (returns(lambda images: images.to("meta")), r"returned torch.uint8 \(5, 20, 17, 3\) on meta"),
        (returns(lambda images: None), "returned NoneType"),
    ],
)
def test_a_mistake_in_it_is_one_line(function, words):
    registered(function)
    with pytest.raises(UsageError, match=f"corruption mine {words}" if not words.startswith("\\(") else words):
        corrupt_tensor(IMAGES, "mine", 1, preset="cifar")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (torch.cuda.OutOfMemoryError("out of memory"), torch.cuda.OutOfMemoryError),
        (MemoryError(), MemoryError),
        (RuntimeError("CUDA error: unspecified launch failure"), DeviceError),
        (UsageError("too small"), UsageError),
    ],
)
def test_what_is_no_mistake_of_its_code_stays_what_it_is(error, kind):
    registered(raises(error))
    with pytest.raises(kind) as raised:
        corrupt_tensor(IMAGES, "mine", 1, preset="cifar")
    assert "correct its code" not in str(raised.value)


def test_its_code_is_part_of_the_digest_of_its_engine_only():
    by_torch, by_cpu = set(), set()
    for function in (None, returns(lambda images: images), returns(lambda images: images // 2)):
        registered(function)
        by_torch.add(corruption_digest("mine", by_torch=True))
        by_cpu.add(corruption_digest("mine"))
    assert len(by_torch) == 3 and by_cpu < by_torch and len(by_cpu) == 1


def test_a_set_of_the_cpus_engine_stays_what_it_is_when_torchs_engine_gets_a_function(tmp_path):
    from PIL import Image

    from lst_robust.generation import engine_for_sets, generate, open_images, settings_for

    (tmp_path / "in" / "cat").mkdir(parents=True)
    Image.fromarray(IMAGES[0].numpy()).save(tmp_path / "in" / "cat" / "0.png")
    registered(None)
    source, settings = (
        open_images(tmp_path / "in", None),
        settings_for(corruptions=("mine",), severities=(1,), size=None),
    )

    def written(engine: str) -> int:
        return generate(source, tmp_path / engine, settings, engine=engine_for_sets(engine, "cpu", 32, "cifar")).written

    assert written("cpu") == written("torch") == 1
    registered(returns(lambda images: images // 2))
    assert written("cpu") == 0
    with pytest.raises(UsageError, match="made when mine had other code"):
        written("torch")
