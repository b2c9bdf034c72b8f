"""IDX files as MNIST and Fashion-MNIST are distributed."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from lst_robust.data import open_source
from lst_robust.errors import DataError, UsageError


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def write(folder: Path, per_split: int = 6, zipped: bool = True) -> np.ndarray:
    """Random images, zipped or not; gives the test images."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for part in ("train", "t10k"):
        images = rng.integers(0, 256, (per_split, 28, 28), dtype=np.uint8)
        labels = np.arange(per_split, dtype=np.uint8)
        for name, values in (("images-idx3", images), ("labels-idx1", labels)):
            path = folder / f"{part}-{name}-ubyte"
            if zipped:
                path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(idx(values)))
            else:
                path.write_bytes(idx(values))
    return images


def opened(root: Path, name: str = "fashion_mnist", split: str = "test", size: int = 32):
    return open_source({"kind": "mnist", "name": name}, split, image_size=size, data_dir=root)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("below", ["", "FashionMNIST/raw"])
def test_the_files_are_read_where_their_authors_and_torchvision_put_them(tmp_path, below, zipped):
    images = write(tmp_path / below, zipped=zipped)
    source = opened(tmp_path, size=28)
    read = source.read(range(6))
    assert read.shape == (6, 28, 28, 3)
    assert all(np.array_equal(read[..., channel], images) for channel in range(3))
    assert source.labels.tolist() == [*range(6)] and source.ids == tuple("012345")
    assert source.classes[0] == "t-shirt" and source.classes[9] == "ankle boot"
    assert not np.array_equal(opened(tmp_path, split="train", size=28).read(range(6)), read)


def test_at_32_pixels_there_are_two_black_ones_on_each_side(tmp_path):
    images = write(tmp_path)
    read = opened(tmp_path).read([5, 0])
    assert np.array_equal(read[:, 2:30, 2:30, 1], images[[5, 0]])
    read[:, 2:30, 2:30] = 0
    assert not read.any()


def test_other_sizes_are_refused(tmp_path):
    write(tmp_path)
    with pytest.raises(UsageError, match="fashion_mnist has images of 28 pixels: set image_size to 28 or 32"):
        opened(tmp_path, size=64)


IMAGES, LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
DAMAGED = {
    "no gzip": (IMAGES, b"no gzip"),
    "cut off": (IMAGES, gzip.compress(idx(np.zeros((6, 28, 28), np.uint8)))[:40]),
    "cut off in its head": (IMAGES, gzip.compress(idx(np.zeros((6, 28, 28), np.uint8))[:6])),
    "a value too few": (IMAGES, gzip.compress(idx(np.zeros((6, 28, 28), np.uint8))[:-1])),
    "nothing": (IMAGES, gzip.compress(b"")),
    "a size without end": (IMAGES, gzip.compress(struct.pack(">BBBB3I", 0, 0, 8, 3, *(2**32 - 1,) * 3))),
    "another size": (IMAGES, gzip.compress(idx(np.zeros((6, 27, 28), np.uint8)))),
    "an eleventh class": (LABELS, gzip.compress(idx(np.full(6, 10, np.uint8)))),
    "a label too few": (LABELS, gzip.compress(idx(np.zeros(5, np.uint8)))),
    "no labels": (LABELS, None),
}


@pytest.mark.parametrize(("file", "content"), DAMAGED.values(), ids=DAMAGED)
def test_what_is_damaged_or_missing_is_one_line(tmp_path, file, content):
    write(tmp_path)
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(DataError, match=r"must lie in it or in FashionMNIST/raw/, with or without \.gz") as caught:
        opened(tmp_path)
    assert "\n" not in str(caught.value)


def test_without_a_folder_it_is_said_where_to_get_it():
    with pytest.raises(UsageError, match=r"--data-dir; train-images.*torchvision\.datasets\.MNIST"):
        opened(None, "mnist")
