"""CIFAR-10 and CIFAR-100 as their authors distribute them ("python version"), read without running their pickles."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lst_robust.data.class_folders import require_folder
from lst_robust.data.content import digest_of_rows
from lst_robust.data.corrupted import CorruptedSet, CorruptionArrays
from lst_robust.data.image_folder import ImageFolderSource
from lst_robust.data.kind import DatasetConfig, DatasetKind, Published
from lst_robust.data.source import ImageSource, Split
from lst_robust.errors import DataError, UsageError

CifarName = Literal["cifar10", "cifar100"]
SIZE = 32
FOLDERS = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}
BATCHES = {
    "cifar10": {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]},
    "cifar100": {"train": ["train"], "test": ["test"]},
}
META = {"cifar10": ("batches.meta", b"label_names"), "cifar100": ("meta", b"fine_label_names")}
LABELS = {"cifar10": b"labels", "cifar100": b"fine_labels"}
MAX_BYTES = 2**28  # CIFAR-100's training batch, the largest, has 155 MB

# What a pickled NumPy array consists of, by its modules' old and new names; nothing else may be called.
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
    ("numpy._core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


def layout(name: str) -> str:
    """Where the data comes from and how it must lie."""
    return (
        f"{FOLDERS[name]}/ must lie in it, from https://www.cs.toronto.edu/~kriz/cifar.html (python version), "
        "or train/<class>/*.png and test/<class>/*.png (not beside CIFAR-C, which has no file names)"
    )


class CifarSource(ImageSource):
    """One split of CIFAR, held as uint8 (150 MB at most). Ids are positions in the split, as CIFAR-C orders it."""

    def __init__(self, root: Path | None, name: CifarName, split: Split) -> None:
        folder = require_folder(root, layout(name)) / FOLDERS[name]
        batches = [_read_pickle(folder / file) for file in BATCHES[name][split]]
        try:
            pixels = np.concatenate([np.asarray(batch[b"data"]) for batch in batches])
            self.labels = np.array([label for batch in batches for label in batch[LABELS[name]]], dtype=np.int64)
            meta, key = META[name]
            self.classes = tuple(label.decode() for label in _read_pickle(folder / meta)[key])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{folder} does not hold {name} as distributed ({error!r}): {layout(name)}") from error
        if pixels.dtype != np.uint8 or pixels.shape != (len(self.labels), 3 * SIZE * SIZE):
            raise DataError(f"{folder} holds {pixels.dtype} {pixels.shape}, not uint8 rows of 3072: {layout(name)}")
        if self.labels.size == 0 or not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
            raise DataError(f"{folder} has labels outside its {len(self.classes)} classes: {layout(name)}")
        self.name, self.place, self.image_size = f"{name}/{split}", str(folder), SIZE
        self.ids = tuple(str(position) for position in range(len(self.labels)))
        self._pixels = pixels.reshape(-1, 3, SIZE, SIZE)

    def load(self, indices: np.ndarray, workers: int) -> tuple[np.ndarray, list[tuple[int, str]]]:
        return np.ascontiguousarray(self._pixels[indices].transpose(0, 2, 3, 1)), []

    def digest_of(self, indices: np.ndarray, workers: int) -> str:
        return digest_of_rows(self._pixels[indices])


class _ArraysOnly(pickle.Unpickler):
    """Plain containers, numbers, bytes and NumPy arrays; a pickle that wants anything else is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):  # how Python 3 writes bytes in old protocols
            return _latin1
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it wants to use {module}.{name}") from None


def _latin1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it wants to encode text as {encoding}")
    return text.encode("latin1")


def _read_pickle(path: Path) -> dict[bytes, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path} is too large for a batch of CIFAR: download it again")
        content = _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): download CIFAR's python version again") from error
    except DataError:
        raise
    except Exception as error:  # unpickling damaged data raises anything
        raise DataError(f"{path} is no batch of CIFAR ({error}): download it again") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} is no batch of CIFAR (it holds {type(content).__name__}): download it again")
    return content


class CifarDataset(DatasetConfig):
    """CIFAR-10 or CIFAR-100: the python version's pickles, or class folders; official: CIFAR-10-C, CIFAR-100-C."""

    kind: Literal["cifar"]
    name: CifarName


def _open(config: CifarDataset, root: Path | None, split: Split, image_size: int) -> ImageSource:
    """The pickles in `root`, or a folder of images with one folder a class; UsageError for sizes other than 32."""
    _require_size(config, image_size)
    folder = require_folder(root, layout(config.name))
    if not (folder / FOLDERS[config.name]).is_dir() and (folder / "test").is_dir():
        return ImageFolderSource(folder, split, image_size)
    return CifarSource(folder, config.name, split)


def _open_official(config: CifarDataset, root: Path | None, image_size: int) -> CorruptedSet:
    _require_size(config, image_size)
    if config.name == "cifar10":
        return CorruptionArrays(root, SIZE, ("CIFAR-10-C",), "zenodo.org/records/2535967", classes=10)
    return CorruptionArrays(root, SIZE, ("CIFAR-100-C",), "zenodo.org/records/3555552", classes=100)


def _require_size(config: CifarDataset, image_size: int) -> None:
    if image_size != SIZE:
        raise UsageError(f"{config.name} has images of {SIZE} pixels: set image_size to {SIZE}, not {image_size}")


def _download(config: CifarDataset, folder: Path) -> None:
    from torchvision import datasets

    download = datasets.CIFAR10 if config.name == "cifar10" else datasets.CIFAR100
    download(folder, download=True)


PUBLISHED = {  # sources: torchvision.datasets, and the Zenodo records 2535967 and 3555552
    "cifar10": Published(
        {"train": 50_000, "test": 10_000},
        classes=10,
        md5={
            "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
            "cifar-10-batches-py/data_batch_1": "c99cafc152244af753f735de768cd75f",
            "cifar-10-batches-py/data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "cifar-10-batches-py/data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "cifar-10-batches-py/data_batch_4": "634d18415352ddfa80567beed471001a",
            "cifar-10-batches-py/data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "cifar-10-batches-py/test_batch": "40351d587109b95175f43aff81a1287e",
            "cifar-10-batches-py/batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
            "CIFAR-10-C.tar": "56bf5dcef84df0e2308c6dcbcbbd8499",
        },
    ),
    "cifar100": Published(
        {"train": 50_000, "test": 10_000},
        classes=100,
        md5={
            "cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85",
            "cifar-100-python/train": "16019d7e3df5f24257cddd939b257f8d",
            "cifar-100-python/test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
            "cifar-100-python/meta": "7973b15100ade9c7d40fb424638fde48",
            "CIFAR-100-C.tar": "11f0ed0f1191edbf9fa23466ae6021d3",
        },
    ),
}

KIND = DatasetKind(
    config=CifarDataset,
    open=_open,
    open_official=_open_official,
    published=PUBLISHED,
    download=_download,
    fixed_size=True,
)
