"""MNIST and the sets that copy its form (Fashion-MNIST), in the IDX files that their authors distribute."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Literal

import numpy as np

from lst_robust.data.class_folders import require_folder
from lst_robust.data.content import digest_of_rows
from lst_robust.data.kind import DatasetConfig, DatasetKind, Published
from lst_robust.data.source import ImageSource, Split
from lst_robust.errors import DataError, UsageError

MnistName = Literal["mnist", "fashion_mnist"]
SIZE, PADDED = 28, 32
FOLDERS = {"mnist": "MNIST/raw", "fashion_mnist": "FashionMNIST/raw"}  # as torchvision downloads them
FILES: dict[Split, str] = {"train": "train", "test": "t10k"}
CLASSES = {
    "mnist": tuple("0123456789"),
    "fashion_mnist": (  # in the order of the labels: https://github.com/zalandoresearch/fashion-mnist
        *("t-shirt", "trouser", "pullover", "dress", "coat"),
        *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
    ),
}
ADDRESSES = {"mnist": "torchvision.datasets.MNIST", "fashion_mnist": "https://github.com/zalandoresearch/fashion-mnist"}
MOST_VALUES = 2**27  # EMNIST's 814,255 images would have 638 million; MNIST's have 47
UNSIGNED_BYTES = 8  # the IDX code of uint8


def layout(name: str) -> str:
    """Where the data comes from and how it must lie."""
    return (
        f"train-images-idx3-ubyte, train-labels-idx1-ubyte and the same of t10k must lie in it or in {FOLDERS[name]}/, "
        f"with or without .gz, from {ADDRESSES[name]}"
    )


class MnistSource(ImageSource):
    """One split, held as uint8 (47 MB at most), grey as RGB. Ids are positions in the split.

    image_size: 28, or 32 with two pixels of 0 added on each side, as networks for CIFAR take the images.
    """

    def __init__(self, root: Path | None, name: MnistName, split: Split, image_size: int) -> None:
        if image_size not in (SIZE, PADDED):
            raise UsageError(f"{name} has images of {SIZE} pixels: set image_size to {SIZE} or {PADDED}")
        folder = require_folder(root, layout(name))
        if (folder / FOLDERS[name]).is_dir():
            folder = folder / FOLDERS[name]
        pixels = _read_idx(folder, f"{FILES[split]}-images-idx3-ubyte", 3, name)
        labels = _read_idx(folder, f"{FILES[split]}-labels-idx1-ubyte", 1, name)
        self.classes = CLASSES[name]
        if pixels.shape != (len(labels), SIZE, SIZE) or not len(labels):
            raise DataError(f"{folder} holds {len(labels)} labels and images {pixels.shape}: {layout(name)}")
        if labels.max() >= len(self.classes):
            raise DataError(f"{folder} has labels outside its {len(self.classes)} classes: {layout(name)}")
        self.labels = labels.astype(np.int64)
        self.name, self.place, self.image_size = f"{name}/{split}", str(folder), image_size
        self.ids = tuple(str(position) for position in range(len(labels)))
        self._pixels = pixels

    def load(self, indices: np.ndarray, workers: int) -> tuple[np.ndarray, list[tuple[int, str]]]:
        margin = (self.image_size - SIZE) // 2
        padded = np.pad(self._pixels[indices], ((0, 0), (margin, margin), (margin, margin)))
        return np.repeat(padded[..., None], 3, axis=-1), []

    def digest_of(self, indices: np.ndarray, workers: int) -> str:
        return digest_of_rows(self._pixels[indices])


def _read_idx(folder: Path, file: str, dimensions: int, name: str) -> np.ndarray:
    """The values of an IDX file of bytes: http://yann.lecun.com/exdb/mnist. DataError for any other content."""
    path = folder / file if (folder / file).exists() else folder / f"{file}.gz"
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as stream:
                content = stream.read(MOST_VALUES)
        else:
            content = path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}): {layout(name)}") from error
    head = 4 * (1 + dimensions)
    whole = len(content) >= head and content[:4] == bytes((0, 0, UNSIGNED_BYTES, dimensions))
    shape = tuple(np.frombuffer(content[4:head], ">u4").tolist()) if whole else ()
    if not whole or len(content) != head + math.prod(shape):
        raise DataError(f"{path} is no IDX file of {dimensions} dimensions, or it is cut off: {layout(name)}")
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)


class MnistDataset(DatasetConfig):
    """MNIST or Fashion-MNIST: 60,000 and 10,000 grey images of ten classes."""

    kind: Literal["mnist"]
    name: MnistName


def _download(config: MnistDataset, folder: Path) -> None:
    from torchvision import datasets

    download = datasets.MNIST if config.name == "mnist" else datasets.FashionMNIST
    download(folder, download=True)


PUBLISHED = {  # MD5 sums: torchvision.datasets.mnist
    "mnist": Published(
        {"train": 60_000, "test": 10_000},
        classes=10,
        md5={
            "MNIST/raw/train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "MNIST/raw/train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
            "MNIST/raw/t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
            "MNIST/raw/t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        },
    ),
    "fashion_mnist": Published(
        {"train": 60_000, "test": 10_000},
        classes=10,
        md5={
            "FashionMNIST/raw/train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "FashionMNIST/raw/train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "FashionMNIST/raw/t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "FashionMNIST/raw/t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        },
    ),
}

KIND = DatasetKind(
    config=MnistDataset,
    open=lambda config, root, split, image_size: MnistSource(root, config.name, split, image_size),
    published=PUBLISHED,
    download=_download,
    fixed_size=True,
)
