"""What is published about each data set: how many images, and MD5 sums of its archives and files.

Sources: torchvision.datasets (ImageNet, CIFAR, Places365) and the Zenodo records of the corruptions' authors
(2235448 ImageNet-C, 2535967 CIFAR-10-C, 3555552 CIFAR-100-C, 2536630 Tiny-ImageNet-C).
"""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """Images and classes by split; MD5 sums by path below the data folder."""

    images: dict[str, int]
    classes: int
    md5: dict[str, str]


PUBLISHED: dict[str, Published] = {
    "digits": Published({"train": 1297, "test": 500}, 10, {}),
    "cifar10": Published(
        {"train": 50_000, "test": 10_000},
        10,
        {
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
        100,
        {
            "cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85",
            "cifar-100-python/train": "16019d7e3df5f24257cddd939b257f8d",
            "cifar-100-python/test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
            "cifar-100-python/meta": "7973b15100ade9c7d40fb424638fde48",
            "CIFAR-100-C.tar": "11f0ed0f1191edbf9fa23466ae6021d3",
        },
    ),
    "imagenet": Published(
        {"test": 50_000},  # evaluation needs no training images
        1000,
        {
            "ILSVRC2012_img_val.tar": "29b22e2961454d5413ddabcf34fc5622",
            "noise.tar": "e80562d7f6c3f8834afb1ecf27252745",
            "blur.tar": "2d8e81fdd8e07fef67b9334fa635e45c",
            "weather.tar": "33ffea4db4d93fe4a428c40a6ce0c25d",
            "digital.tar": "89157860d7b10d5797849337ca2e5c03",
            "extra.tar": "d492dfba5fc162d8ec2c3cd8ee672984",
        },
    ),
    "tiny_imagenet": Published(
        {"train": 100_000, "test": 10_000},
        200,
        {
            "tiny-imagenet-200.zip": "90528d7ca1a48142e341f4ef8d21d0de",
            "Tiny-ImageNet-C.tar": "f9c9a9dbdc11469f0b850190f7ad8be1",
            "Tiny-ImageNet-C-extra.tar": "0db0588d243cf403ef93449ec52b70eb",
        },
    ),
    "places365": Published(
        {"test": 36_500},
        365,
        {
            "val_256.tar": "e27b17d8d44f4af9a78502beb927f808",
            "val_large.tar": "9b71c4993ad89d2d8bcbdc4aef38042f",
            "places365_val.txt": "e9f2fd57bfd9d07630173f4e8708e4b1",
            "categories_places365.txt": "06c963b85866bd0649f97cb43dd16673",
        },
    ),
}
"""By dataset kind, CIFAR by name. A user's own folder has no entry."""
