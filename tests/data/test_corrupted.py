"""The official pre-generated corruptions, in trees and arrays of exactly their layouts."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from lst_robust.benchmark import CORRUPTIONS, GROUPS
from lst_robust.data import open_corrupted
from lst_robust.errors import DataError, UsageError
from tests.fixtures.shards import write_tar


@pytest.fixture
def imagenet_c(tmp_path, photographs):
    """gaussian_noise in the archive's noise/ folder, fog at the top; severities 1 and 5; three images, two classes."""
    for place, corruption in enumerate(("noise/gaussian_noise", "fog")):
        for severity in (1, 5):
            for i, name in enumerate(("n01440764/a.JPEG", "n01440764/b.JPEG", "n15075141/c.JPEG")):
                path = tmp_path / "imagenet-c" / corruption / str(severity) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(photographs[(i + severity + place) % 4]).save(path, quality=95)
    return tmp_path


def tree(root, kind="imagenet", **options):
    return open_corrupted({"kind": kind, **options}, image_size=64, data_dir=root)


def test_a_tree_is_found_with_or_without_group_folders(imagenet_c):
    for root in (imagenet_c, imagenet_c / "imagenet-c"):
        corrupted = tree(root, resize=256)
        assert corrupted.cells() == [("gaussian_noise", 1), ("gaussian_noise", 5), ("fog", 1), ("fog", 5)]
    source = corrupted.cell("fog", 5)
    assert source.ids == ("n01440764/a.JPEG", "n01440764/b.JPEG", "n15075141/c.JPEG")
    assert source.labels.tolist() == [0, 0, 999]
    assert corrupted.cell("gaussian_noise", 1).fingerprint() == source.fingerprint()


def test_a_trees_images_are_taken_as_they_are(imagenet_c):
    source = tree(imagenet_c).cell("fog", 1)
    path = imagenet_c / "imagenet-c" / "fog" / "1" / source.ids[1]
    assert np.array_equal(source.read([1])[0], np.asarray(Image.open(path)))
    Image.open(path).resize((80, 64)).save(path)
    with pytest.raises(DataError, match=r"b\.JPEG \(80 x 64 pixels instead of 64 x 64\)"):
        source.read([1])


def test_a_missing_cell_and_an_empty_folder_say_where_to_get_it(imagenet_c, tmp_path):
    with pytest.raises(DataError, match=r"fog at severity 2 is not in .*zenodo\.org/records/2235448"):
        tree(imagenet_c).cell("fog", 2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no corruption in .*empty"):
        tree(tmp_path / "empty").cells()


def test_cells_must_hold_the_same_images(imagenet_c):
    (imagenet_c / "imagenet-c" / "fog" / "5" / "n01440764" / "b.JPEG").unlink()
    corrupted = tree(imagenet_c)
    corrupted.cell("gaussian_noise", 1)
    with pytest.raises(DataError, match=r"fog/5 holds other images than .*gaussian_noise/1 \(2 and 3\)"):
        corrupted.cell("fog", 5)


def test_a_tree_of_other_classes_is_refused_for_imagenet_only(imagenet_c):
    folder = imagenet_c / "imagenet-c" / "fog" / "1"
    shutil.move(folder / "n15075141", folder / "cats")
    with pytest.raises(DataError, match="cats is not one of the 1000 classes"):
        tree(imagenet_c).cell("fog", 1)
    assert tree(folder.parents[1], "image_folder").cell("fog", 1).classes == ("cats", "n01440764")
    shutil.move(imagenet_c / "imagenet-c", imagenet_c / "Tiny-ImageNet-C")
    assert tree(imagenet_c, "tiny_imagenet").cell("fog", 1).labels.tolist() == [0, 1, 1]


@pytest.fixture
def cifar_c(tmp_path):
    folder = tmp_path / "CIFAR-10-C"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in CORRUPTIONS:
        np.save(folder / f"{name}.npy", rng.integers(0, 256, (5 * 6, 32, 32, 3), dtype=np.uint8))
    np.save(folder / "labels.npy", np.tile(np.arange(6, dtype=np.uint8), 5))
    return tmp_path


def arrays(root, name="cifar10", size=32):
    return open_corrupted({"kind": "cifar", "name": name}, image_size=size, data_dir=root)


def test_the_arrays_are_severity_major(cifar_c):
    corrupted = arrays(cifar_c)
    assert len(corrupted.cells()) == 95 and corrupted.cells()[0] == (GROUPS["noise"][0], 1)
    stored = np.load(cifar_c / "CIFAR-10-C" / "snow.npy")
    for severity in (1, 3, 5):
        source = corrupted.cell("snow", severity)
        assert np.array_equal(source.read([4, 0]), stored[[(severity - 1) * 6 + 4, (severity - 1) * 6]])
    assert source.ids == tuple("012345") and source.labels.tolist() == [0, 1, 2, 3, 4, 5]
    assert arrays(cifar_c / "CIFAR-10-C").cell("fog", 1).fingerprint() == source.fingerprint()


def test_labels_may_be_given_once(cifar_c):
    np.save(cifar_c / "CIFAR-10-C" / "labels.npy", np.arange(6))
    assert arrays(cifar_c).cell("fog", 2).labels.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "labels, message",
    [
        (np.arange(30, dtype=np.uint8) % 7, "other labels at other severities"),
        (np.arange(7), "not a label for each image"),
        (np.zeros(30), "not a label for each image"),
        (np.full(30, 10), "labels outside 10 classes"),
        (np.array([None] * 30), "cannot be read"),  # a pickle inside, which is never opened
    ],
)
def test_wrong_labels_are_refused(cifar_c, labels, message):
    np.save(cifar_c / "CIFAR-10-C" / "labels.npy", labels, allow_pickle=True)
    with pytest.raises(DataError, match=message):
        arrays(cifar_c).cell("fog", 1)


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((30, 32, 32), np.uint8), np.zeros((31, 32, 32, 3), np.uint8), np.zeros((30, 32, 32, 3)), np.zeros(())],
)
def test_wrong_arrays_are_refused(cifar_c, pixels):
    np.save(cifar_c / "CIFAR-10-C" / "fog.npy", pixels)
    with pytest.raises(DataError, match=r"fog\.npy holds .*not uint8 \(5 n, 32, 32, 3\)"):
        arrays(cifar_c).cell("fog", 1)


def test_a_truncated_array_is_refused(cifar_c):
    path = cifar_c / "CIFAR-10-C" / "fog.npy"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"fog\.npy cannot be read"):
        arrays(cifar_c).cell("fog", 1)


def test_cifar_100_c_has_its_own_folder_and_classes(cifar_c):
    (cifar_c / "CIFAR-10-C").rename(cifar_c / "CIFAR-100-C")
    source = arrays(cifar_c, "cifar100").cell("fog", 1)
    assert len(source.classes) == 100 and source.name == "CIFAR-100-C"


def test_the_arrays_are_of_cifars_size(tmp_path):
    with pytest.raises(UsageError, match="images of 32 pixels"):
        arrays(tmp_path, size=64)


def test_a_cell_may_lie_in_tar_shards(imagenet_c, tmp_path):
    """The ids, labels and pixels of the tree, in the order of class folders."""
    folder, shards = imagenet_c / "imagenet-c" / "fog" / "5", tmp_path / "shards" / "fog" / "5"
    files = [(f"{path.parent.name}/{path.name}", path.read_bytes()) for path in sorted(folder.glob("*/*.JPEG"))]
    write_tar(shards / "a.tar", files[1:])
    write_tar(shards / "b.tar", files[:1])
    for kind in ("imagenet", "image_folder"):
        in_tree, in_shards = (
            tree(root, kind).cell("fog", 5) for root in (imagenet_c / "imagenet-c", shards.parents[1])
        )
        assert in_shards.ids == in_tree.ids and in_shards.fingerprint() == in_tree.fingerprint()
        assert np.array_equal(in_shards.read(range(3)), in_tree.read(range(3)))
        assert in_shards.pixels_digest() == in_tree.pixels_digest()
    with pytest.raises(DataError, match=r"64 x 64 pixels instead of 32 x 32"):
        open_corrupted({"kind": "imagenet"}, image_size=32, data_dir=shards.parents[1]).cell("fog", 5).read([0])
    write_tar(shards / "c.tar", files[:1])
    with pytest.raises(DataError, match="is there twice"):
        tree(shards.parents[1]).cell("fog", 5)
    (shards / "c.tar").write_bytes(b"")
    with pytest.raises(DataError, match="ends early, or is no tar file"):
        tree(shards.parents[1]).cell("fog", 5)
