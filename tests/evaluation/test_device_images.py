"""The images that torch's engine makes of a suite's, on their way to a network that is on a device."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import lst_robust
from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.corruptions import corrupt, register_corruption
from lst_robust.corruptions.jpeg import as_official_files
from lst_robust.errors import DataError, UsageError
from lst_robust.evaluation import cell_feed
from lst_robust.evaluation.cell_feed import CellFeed
from lst_robust.evaluation.cell_images import open_cell_images
from lst_robust.evaluation.device_corruption import DeviceCorruption
from lst_robust.evaluation.request import EvalRequest
from lst_robust.geometry import Geometry
from tests.fixtures.networks import PixelSum

NOISE = Cell("gaussian_noise", 4)
PARTS = [range(0, 16), range(16, 32), range(32, 40)]
CPU = torch.device("cpu")


@pytest.fixture
def images_of(suite, tmp_path):
    """images_of(protocol, own_geometry=None, **options) -> the cells' images, torch's engine."""

    def opened(protocol="generated", own_geometry=None, engine="torch", **options):
        chosen = suite.model_copy(update={"protocol": protocol})
        asked = {"results_dir": tmp_path, "engine": engine, "device": "cpu", **options}
        return open_cell_images(EvalRequest.of(PixelSum(), chosen, **asked), own_geometry)

    return opened


@pytest.fixture
def jpeg(monkeypatch) -> list[int]:
    """The qualities of the JPEG on a device, for which the host's stands here."""
    qualities: list[int] = []

    def round_trip(images, quality):
        qualities.append(quality)
        return torch.from_numpy(as_official_files(images.numpy()))

    monkeypatch.setitem(sys.modules, "lst_robust.torch_engine.jpeg", SimpleNamespace(jpeg_round_trip=round_trip))
    return qualities


@pytest.fixture(autouse=True)
def in_parts(monkeypatch):
    """16 images at a time, for one network and for several."""
    for size in ("CALL_BYTES", "CHUNK_BYTES"):
        monkeypatch.setattr(cell_feed, size, 16 * 32 * 32 * 3)


def fed(images, cell: Cell, *, shared: bool = False) -> np.ndarray:
    """All images of a cell, as one network gets them, or two."""
    found = list(CellFeed(images, CPU, 2).parts(cell, [PARTS] * (2 if shared else 1)))
    assert [position for positions, _ in found for position in positions] == list(range(40))
    return torch.cat([part.clone() for _, part in found]).numpy()


def made(clean: np.ndarray, images, cell: Cell) -> np.ndarray:
    return corrupt(clean, cell.corruption, cell.severity, preset="imagenet", ids=images.clean.ids)


@pytest.mark.parametrize("shared", [False, True])
def test_they_are_those_of_the_definition_by_id_and_seed(images_of, shared):
    images = images_of()
    clean = images.clean.read(range(40))
    np.testing.assert_array_equal(fed(images, CLEAN_CELL, shared=shared), clean)
    expected = made(clean, images, NOISE)
    np.testing.assert_array_equal(fed(images, NOISE, shared=shared), expected)
    np.testing.assert_array_equal(images.loader(NOISE)(range(5, 9)), expected[5:9], "on the host, too")
    np.testing.assert_array_equal(fed(images, CLEAN_CELL), clean, "which nobody has changed")
    assert not np.array_equal(fed(images_of(seed=1), NOISE), expected)
    assert images.engine == "lst-robust-torch 1" and images_of(engine="cpu").engine == "lst-robust 1"


@pytest.mark.parametrize("shared", [False, True])
def test_through_jpeg_there_and_the_clean_ones_not(images_of, jpeg, shared):
    images = images_of("generated-jpeg")
    clean = images.clean.read(range(40))
    np.testing.assert_array_equal(fed(images, CLEAN_CELL, shared=shared), clean)
    assert jpeg == []
    np.testing.assert_array_equal(fed(images, NOISE, shared=shared), as_official_files(made(clean, images, NOISE)))
    assert jpeg == [85, 85, 85]


@pytest.mark.parametrize("shared", [False, True])
def test_squares_of_another_size_leave_the_device_to_be_scaled(images_of, jpeg, shared):
    other = Geometry(size=24, resize=28, interpolation="bicubic")
    images, hosts = images_of("generated-jpeg", other), images_of("generated-jpeg", other, engine="cpu")
    assert images.squares_on_device(NOISE) is None
    for cell in (CLEAN_CELL, NOISE):
        found = fed(images, cell, shared=shared)
        assert found.shape == (40, 24, 24, 3)
        np.testing.assert_array_equal(found, hosts.loader(cell)(range(40)))
    assert set(jpeg) == {85}


@pytest.fixture
def own(no_plugins) -> list[str]:
    """Corruptions of the user's: `here` has a function of tensors, `there` has none. The list says who was called."""
    called: list[str] = []

    def tensors(images, streams, c):
        called.append("tensors")
        images += c  # its own copy
        return images + streams.integers(0, 1, 0, 2)[:, :, None, None].to(torch.uint8)

    @register_corruption("here", torch=tensors)
    def here(image, c, rng):
        called.append("arrays")
        return image + np.uint8(c)

    @register_corruption("there")
    def there(image, c, rng):
        called.append("arrays")
        return image + np.uint8(c)

    return called


def test_the_device_has_its_number_before_other_threads_work_for_it(images_of, suite, monkeypatch):
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    cuda = torch.device("cuda")
    assert (
        DeviceCorruption(suite, 0, cuda, 32).device == CellFeed(images_of(), cuda, 1)._device == torch.device("cuda:3")
    )
    assert DeviceCorruption(suite, 0, torch.device("cuda:1"), 32).device == torch.device("cuda:1")


def test_own_corruptions_are_made_by_their_function_of_tensors_or_on_the_host(images_of, own):
    images = images_of()
    clean = images.clean.read(range(40))
    by_tensors = fed(images, Cell("here", 3)) - clean
    assert set(own) == {"tensors"} and set(np.unique(by_tensors)) == {3, 4}
    assert (by_tensors == by_tensors[:, :1, :1, :1]).all(), "one draw an image"
    np.testing.assert_array_equal(images.loader(Cell("here", 3))(range(7)), by_tensors[:7] + clean[:7])
    own.clear()
    np.testing.assert_array_equal(fed(images, Cell("there", 3)), clean + 3)
    assert set(own) == {"arrays"}
    np.testing.assert_array_equal(fed(images, CLEAN_CELL), clean)


def test_own_corruptions_that_the_host_makes_go_through_jpeg_there(images_of, own, jpeg):
    images = images_of("generated-jpeg")
    found = fed(images, Cell("there", 3))
    np.testing.assert_array_equal(found, as_official_files(images.clean.read(range(40)) + np.uint8(3)))
    assert jpeg == [85, 85, 85]


def test_what_goes_wrong_in_them_is_one_line(evaluate, model, no_plugins):
    def failing(images, streams, c):
        raise KeyError("colour")

    register_corruption("failing", torch=failing)(lambda image, c, rng: image)
    with pytest.raises(UsageError, match=r"corruption failing failed on images of 32x32 pixels \(KeyError: 'colour'\)"):
        evaluate(model, corruptions=["failing"], engine="torch")


def test_images_that_are_too_small_are_refused_as_by_the_cpus_engine(images_of, suite, tmp_path):
    small = suite.model_copy(update={"image_size": 12})
    for engine in ("cpu", "torch"):
        request = EvalRequest.of(PixelSum(), small, engine=engine, results_dir=tmp_path)
        with pytest.raises(UsageError, match="images of 12x12 pixels are too small: each side needs at least 16"):
            fed(open_cell_images(request), NOISE) if engine == "torch" else open_cell_images(request).loader(NOISE)([0])


def test_official_files_have_no_engine(tmp_path):
    with pytest.raises(UsageError, match=r"engine is 'torch', and suite 'cifar10-c' .*LST_ROBUST_ENGINE"):
        EvalRequest.of(PixelSum(), "cifar10-c", engine="torch")
    assert EvalRequest.of(PixelSum(), "cifar10-c").engine == "cpu"


def test_two_engines_are_two_protocols_which_messages_name(evaluate, model):
    asked = {"corruptions": ["gaussian_noise"], "severities": [3]}
    summaries = [evaluate(model, one, engine=one, **asked)[0].summary() for one in ("cpu", "torch")]
    table = lst_robust.render(lst_robust.robustness_table(summaries), "md")
    assert "engine lst-robust-torch 1" in table and "engine lst-robust 1" in table and table.count("| PixelSum") == 2
    with pytest.raises(DataError, match=r"engine \(lst-robust 1, lst-robust-torch 1\)"):
        lst_robust.compare(*(evaluate(model, one, engine=one, **asked)[0] for one in ("cpu", "torch")))
