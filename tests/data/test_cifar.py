"""CIFAR's pickles: read as distributed, and never run."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from lst_robust.data import open_source
from lst_robust.errors import DataError, UsageError

LAYOUTS = {
    "cifar10": ("cifar-10-batches-py", [f"data_batch_{i}" for i in range(1, 6)], ["test_batch"], b"labels"),
    "cifar100": ("cifar-100-python", ["train"], ["test"], b"fine_labels"),
}


def write_cifar(root, name, per_batch=4):
    """Batches of random images in the layout and pickle protocol of the originals; returns the test images."""
    folder, train, test, label_key = LAYOUTS[name]
    (root / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for file in train + test:
        images = rng.integers(0, 256, (per_batch, 32, 32, 3), dtype=np.uint8)
        batch = {b"data": images.transpose(0, 3, 1, 2).reshape(per_batch, -1), label_key: list(range(per_batch))}
        (root / folder / file).write_bytes(pickle.dumps(batch, protocol=2))
    names = [f"class {i}".encode() for i in range(10 if name == "cifar10" else 100)]
    meta, key = ("batches.meta", b"label_names") if name == "cifar10" else ("meta", b"fine_label_names")
    (root / folder / meta).write_bytes(pickle.dumps({key: names}, protocol=2))
    return images


def opened(root, name="cifar10", split="test", size=32):
    return open_source({"kind": "cifar", "name": name}, split, image_size=size, data_dir=root)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_pickles_are_read(tmp_path, name):
    images = write_cifar(tmp_path, name)
    source = opened(tmp_path, name)
    assert np.array_equal(source.read(range(4)), images) and source.labels.tolist() == [0, 1, 2, 3]
    assert source.ids == ("0", "1", "2", "3") and source.classes[:2] == ("class 0", "class 1")
    assert len(opened(tmp_path, name, "train")) == (20 if name == "cifar10" else 4)


class Payload:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path):
    write_cifar(tmp_path, "cifar10")
    batch = tmp_path / "cifar-10-batches-py" / "test_batch"
    batch.write_bytes(pickle.dumps({b"data": Payload(tmp_path / "run")}))
    with pytest.raises(DataError, match=r"test_batch is no batch of CIFAR .*mkdir.*: download it again"):
        opened(tmp_path)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle",
        pickle.dumps([1, 2]),
        pickle.dumps({b"labels": [1]}),
        pickle.dumps({b"data": np.zeros((1, 3072)), b"labels": [1]}),
        pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": [1, 2]}),
        pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": [10]}),
        pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": "text"}),
    ],
)
def test_a_damaged_batch_is_one_clear_line(tmp_path, content):
    write_cifar(tmp_path, "cifar10")
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(content)
    with pytest.raises(DataError, match="cifar-10-batches-py") as caught:
        opened(tmp_path)
    assert "\n" not in str(caught.value)


def test_missing_data_says_where_to_get_it(tmp_path):
    with pytest.raises(UsageError, match=r"cs\.toronto\.edu.*python version"):
        opened(None)
    write_cifar(tmp_path, "cifar10")
    (tmp_path / "cifar-10-batches-py" / "test_batch").unlink()
    with pytest.raises(DataError, match=r"test_batch cannot be read \(No such file"):
        opened(tmp_path)


def test_folders_of_images_serve_as_well(image_tree):
    assert opened(image_tree).ids[0] == "cat/0.png"


def test_other_sizes_are_refused(tmp_path):
    with pytest.raises(UsageError, match="images of 32 pixels"):
        opened(tmp_path, size=64)
