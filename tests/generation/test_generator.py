"""Corrupted sets: the same bytes however they are made, and work that goes on where it was."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from PIL import Image

from lst_robust.errors import UsageError
from lst_robust.generation import engine_for_sets, engines, manifest
from lst_robust.runtime.file_lock import file_lock
from tests.fixtures.files import contents
from tests.generation.pets import StopsAfter


@pytest.mark.parametrize("format", ["tree", "npy"])
def test_workers_and_chunks_change_no_byte(make, tmp_path, monkeypatch, format):
    make(tmp_path / "one", format=format)
    make(tmp_path / "three", format=format, workers=3)
    monkeypatch.setattr("lst_robust.generation.engines.CHUNK_IMAGES", 5)
    make(tmp_path / "chunks", format=format)
    assert contents(tmp_path / "one") == contents(tmp_path / "three") == contents(tmp_path / "chunks")
    assert not (tmp_path / "one" / ".unfinished").exists()


@pytest.mark.parametrize(
    ("format", "lost", "redone"), [("tree", "contrast/4/dog/1.JPEG", 1), ("npy", "contrast.npy", 12)]
)
def test_only_what_is_missing_is_written_again(make, tmp_path, format, lost, redone):
    out = tmp_path / "out"
    make(out, format=format)
    before, times = contents(out), {path: path.stat().st_mtime_ns for path in out.rglob("*.*")}
    (out / lost).unlink()
    again = make(out, format=format)
    assert (again.written, again.kept) == (redone, 36 - redone)
    assert contents(out) == before
    assert [path for path, when in times.items() if path.stat().st_mtime_ns != when] == [out / lost]


def test_an_empty_file_is_made_again(make, tmp_path):
    """As a power failure may leave one."""
    out = tmp_path / "out"
    make(out)
    before = contents(out)
    (out / "contrast/4/dog/1.JPEG").write_bytes(b"")
    assert make(out).written == 1
    assert contents(out) == before


@pytest.mark.parametrize("format", ["tree", "npy"])
def test_two_calls_do_not_work_in_one_folder(make, tmp_path, format):
    with file_lock(tmp_path / "out" / ".set.lock", wait=False), pytest.raises(UsageError, match="another call makes a"):
        make(tmp_path / "out", format=format)
    make(tmp_path / "out", format=format)


@pytest.mark.parametrize("format", ["tree", "npy"])
@pytest.mark.parametrize("cells", [0, 7, 13, 17])
def test_interrupted_work_goes_on(make, tmp_path, format, cells):
    make(tmp_path / "whole", format=format)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "out", format=format, observer=StopsAfter(cells))
    visible = [name for name in contents(tmp_path / "out") if not name.startswith(".unfinished")]
    assert set(visible) <= set(contents(tmp_path / "whole"))
    again = make(tmp_path / "out", format=format)
    assert again.kept >= cells // 6 * 12  # whole chunks of two images in six cells
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_size_that_a_corruption_cannot_take_names_the_image(make, pets, tmp_path, photographs):
    Image.fromarray(photographs[0, :12, :12]).save(pets / "dog" / "tiny.png")
    with pytest.raises(UsageError, match=r"^dog/tiny\.png: images of 12x12 pixels are too small"):
        make(tmp_path / "out", size=None)


@pytest.mark.parametrize("format", ["tree", "npy"])
def test_torchs_engine_writes_its_own_set_of_the_same_bytes(pets, make, tmp_path, format):
    """Of gaussian_noise, whose bytes are the definition's on every device."""
    chosen = {"format": format, "corruptions": ("gaussian_noise",)}
    by_torch = engine_for_sets("torch", "cpu", 32, "cifar")
    made = make(tmp_path / "torch", engine=by_torch, workers=2, **chosen)
    make(tmp_path / "cpu", **chosen)
    manifests = [manifest.read(tmp_path / name) for name in ("torch", "cpu")]
    assert manifests[0].cells == manifests[1].cells and made.written == 12
    assert [one.engine for one in manifests] == ["lst-robust-torch 1", "lst-robust 1"]
    assert "torch" in manifests[0].versions and "torch" not in manifests[1].versions
    assert make(tmp_path / "torch", engine=by_torch, **chosen).kept == 12
    assert manifest.verify(tmp_path / "torch").engine == "lst-robust-torch 1"
    with pytest.raises(UsageError, match="engine lst-robust-torch 1, not lst-robust 1"):
        make(tmp_path / "torch", **chosen)


def test_out_of_memory_of_the_device_halves_what_is_made_at_once(make, tmp_path, monkeypatch):
    from lst_robust.torch_engine import TensorCorruptor

    whole, sizes = TensorCorruptor.__call__, []

    def crowded(self, images, streams):
        sizes.append(len(images))
        if len(images) > 1:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return whole(self, images, streams)

    monkeypatch.setattr(TensorCorruptor, "__call__", crowded)
    engine = engine_for_sets("torch", "cpu", 32, "cifar")
    assert make(tmp_path / "out", engine=engine, corruptions=("gaussian_noise",)).written == 12
    assert sizes[:2] == [6, 3] and len(sizes) == 14 and sizes.count(1) == 12


def test_auto_is_the_cpus_engine_and_asks_no_device_where_nothing_is_measured(tmp_path, monkeypatch):
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", str(tmp_path))
    assert engine_for_sets("auto", "auto", 224, "imagenet").name == "lst-robust 1"
    (tmp_path / "engines").mkdir()
    (tmp_path / "engines" / "a.json").touch()
    assert engine_for_sets("auto", "cpu", 224, "imagenet").name == "lst-robust 1"
    assert engine_for_sets("auto", "auto", None, "imagenet").name == "lst-robust 1"
    for name in ("gpu", "", None):
        with pytest.raises(UsageError, match="engine"):
            engine_for_sets(name, "cpu", 224, "imagenet")


@pytest.mark.parametrize("engine", ["auto", "cpu", "torch"])
def test_a_device_that_is_not_here_is_refused_whatever_the_engine(engine):
    with pytest.raises(UsageError, match="'cuda:7' is not here"):
        engine_for_sets(engine, "cuda:7", 224, "imagenet")


def test_a_device_gets_as_many_small_images_as_fill_its_chunk():
    from lst_robust.generation.engines import DEVICE_CHUNK_BYTES, SetEngine
    from lst_robust.generation.generator import _chunks

    def lengths(engine: SetEngine) -> list[int]:
        return list(map(len, _chunks(np.full((3000, 2), 32), engine.chunk_bytes, engine.chunk_images)))

    most = DEVICE_CHUNK_BYTES // 3072
    assert lengths(SetEngine("torch")) == [most, 3000 - most] and most > 2000
    assert set(lengths(SetEngine())) == {2}, "of the fixture"


def test_threads_get_the_card_that_is_current_in_the_thread_that_starts_them(make, tmp_path, monkeypatch):
    """torch keeps a current CUDA device for each thread; under torchrun `process_group` chooses it in this one."""
    current = threading.local()
    current.number = 3
    seen = []

    def on_device(device: torch.device, how: dict) -> engines.CorruptImages:
        seen.append(device)
        return lambda images, cell, ids: images

    monkeypatch.setattr(torch.cuda, "current_device", lambda: getattr(current, "number", 0))
    monkeypatch.setattr(engines, "_on_device", on_device)
    for name in ("cuda", "cuda:1", "cpu"):
        engine = engines.SetEngine("torch", torch.device(name))
        make(tmp_path / name.replace(":", "-"), engine=engine, corruptions=("gaussian_noise",), workers=2)
    assert list(map(str, seen)) == ["cuda:3", "cuda:1", "cpu"]
