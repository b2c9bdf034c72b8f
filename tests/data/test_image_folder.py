"""Image folders: listing, labels, ids, and one clear line for every way a folder can be wrong."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image
from torchvision import transforms

from lst_robust.data import open_source
from lst_robust.data.image_folder import ImageFolderSource
from lst_robust.errors import DataError, UsageError
from tests.fixtures.shards import table, write_parquet, write_tar

PROTOCOL = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224)])  # of ImageNet and ImageNet-C


def opened(root, split="test", **options):
    return open_source({"kind": "image_folder", **options}, split, image_size=32, data_dir=root)


def test_labels_and_ids_follow_the_sorted_folders(image_tree):
    source = opened(image_tree)
    assert source.classes == ("cat", "dog")
    assert source.ids == ("cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png")
    assert source.labels.tolist() == [0, 0, 1, 1] and source.labels.dtype == np.int64
    assert len(opened(image_tree, "train")) == 6
    assert source.read(range(4), workers=2).shape == (4, 32, 32, 3)


def test_val_serves_as_test(image_tree):
    expected = opened(image_tree).fingerprint()
    (image_tree / "test").rename(image_tree / "val")
    assert opened(image_tree).fingerprint() == expected


def test_an_unreadable_image_is_refused_or_left_out(image_tree):
    damaged = image_tree / "test" / "dog" / "1.png"
    damaged.write_bytes(damaged.read_bytes()[:200])
    with pytest.raises(DataError, match=r"1 of 4 images .*dog/1\.png .*--skip-unreadable"):
        opened(image_tree).read([3])
    source = open_source({"kind": "image_folder"}, "test", image_size=32, data_dir=image_tree, skip_unreadable=True)
    assert source.skipped == ("dog/1.png",) and len(source) == 3


def test_the_data_folder_must_be_given_and_exist(tmp_path):
    with pytest.raises(UsageError, match=r"--data-dir; images must lie as train/<class>"):
        opened(None)
    with pytest.raises(DataError, match=r"no data folder .*nowhere.*--data-dir"):
        opened(tmp_path / "nowhere")


def test_a_missing_split_is_named(image_tree):
    shutil.rmtree(image_tree / "test")
    with pytest.raises(DataError, match="no folder test or val in "):
        opened(image_tree)


def test_a_folder_without_classes_or_with_one_is_refused(image_tree):
    shutil.rmtree(image_tree / "test" / "dog")
    with pytest.raises(DataError, match=r"only one class folder \(cat\)"):
        opened(image_tree)
    shutil.rmtree(image_tree / "test" / "cat")
    with pytest.raises(DataError, match="no class folder"):
        opened(image_tree)


def test_classes_must_agree_with_training_and_with_those_asked_for(image_tree):
    (image_tree / "test" / "dog").rename(image_tree / "test" / "wolf")
    with pytest.raises(DataError, match=r"differ from .*train: it lacks dog and adds wolf"):
        opened(image_tree)
    asked = {"root": image_tree, "split": "test", "image_size": 32}
    assert ImageFolderSource(**asked, classes=["wolf", "cat"]).classes == ("cat", "wolf")
    with pytest.raises(DataError, match="differ from the classes asked for: it lacks bird, cow, eel and 1 more"):
        ImageFolderSource(**asked, classes=["bird", "cat", "cow", "eel", "fox", "wolf"])


def test_photographs_of_any_size_and_mode_become_the_protocols_squares(tmp_path, photographs):
    """JPEG files as ImageNet has them: wide, tall, smaller than the crop, grey, CMYK. Ids and labels stay in order."""
    shapes = {"n01/a.JPEG": (500, 333, "RGB"), "n02/b.JPEG": (333, 500, "L"), "n03/c.JPEG": (100, 75, "CMYK")}
    expected = []
    for name, (width, height, mode) in shapes.items():
        path = tmp_path / "val" / name
        path.parent.mkdir(parents=True)
        Image.fromarray(photographs[0]).resize((width, height)).convert(mode).save(path, "JPEG")
        expected.append(np.asarray(PROTOCOL(Image.open(path).convert("RGB"))))
    source = open_source({"kind": "image_folder", "resize": 256}, "test", image_size=224, data_dir=tmp_path)
    assert source.ids == tuple(shapes) and source.labels.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(source.read(range(3), workers=2), np.stack(expected))


ROWS = [("0.png", "cat", 1), ("1.png", "dog", 0), ("1.png", "cat", 1), ("0.png", "dog", 0)]  # file, class, label


def encoded(image_tree, split="test"):
    return [(name, (image_tree / split / kind / name).read_bytes(), kind, label) for name, kind, label in ROWS]


def as_tar(image_tree, path, label_files=False):
    files = [(f"{kind}/{name}", content) for name, content, kind, _ in encoded(image_tree)]
    if label_files:
        files += [(f"{kind}/{name[0]}.cls", str(label).encode()) for name, _, kind, label in encoded(image_tree)]
    return write_tar(path, files)


def as_parquet(image_tree, path, names=("dog", "cat"), split="test"):
    """The labels count the classes in another order than the sorted one."""
    rows = [(name, content, label) for name, content, _, label in encoded(image_tree, split)]
    return write_parquet(path, table(rows, names), rows=3)


@pytest.mark.parametrize("write", [as_tar, lambda *given: as_tar(*given, label_files=True), as_parquet])
def test_shards_have_the_images_of_the_folders(image_tree, tmp_path, write):
    path = write(image_tree, tmp_path / ("a.parquet" if write is as_parquet else "a.tar"))
    files, shards = opened(image_tree), opened(path)
    assert (shards.name, shards.ids, shards.classes) == (files.name, files.ids, files.classes)
    assert shards.fingerprint() == files.fingerprint() and shards.pixels_digest() == files.pixels_digest()
    assert np.array_equal(shards.read(range(4)), files.read(range(4)))


def test_another_order_of_the_classes_is_said(image_tree, tmp_path, caplog):
    opened(as_parquet(image_tree, tmp_path / "sorted.parquet", names=("cat", "dog")))
    assert caplog.text == ""
    opened(as_parquet(image_tree, tmp_path / "other.parquet"))
    assert "label 0 is cat, and not dog" in caplog.text


def test_shards_of_both_splits_can_be_trained_on(image_tree, tmp_path):
    for split in ("train", "test"):
        as_parquet(image_tree, tmp_path / "hub" / f"{split}-00000-of-00001.parquet", split=split)
    assert opened(tmp_path / "hub", "train").name == "image_folder/train"
    assert opened(tmp_path / "hub").fingerprint() == opened(image_tree).fingerprint()


def test_shards_whose_classes_are_not_known_are_refused(image_tree, tmp_path):
    nameless = as_parquet(image_tree, tmp_path / "a.parquet", names=None)
    with pytest.raises(DataError, match=r"0\.png in .*a\.parquet names no class: images must lie in class folders"):
        opened(nameless)
    with pytest.raises(DataError, match=r"only one class folder \(dog\)"):
        opened(as_parquet(image_tree, tmp_path / "b.parquet", names=["dog"]))
    with pytest.raises(DataError, match="no class folder"):
        opened(as_parquet(image_tree, tmp_path / "c.parquet", names=[]))
    with pytest.raises(DataError, match="has only one class folder"):
        opened(write_tar(tmp_path / "d.tar", [("cat/0.png", encoded(image_tree)[0][1])]))


@pytest.mark.parametrize(
    ("labels", "names", "words"),
    [
        ([0, 1, None], ("dog", "cat"), r"2\.png in .*a\.parquet has no label: give shards that have labels"),
        ([0, 1, 2], ("dog", "cat"), "has the label 2, and the shards name 2 classes, from 0: correct the shards"),
        ([0, 1, -1], ("dog", "cat"), "has the label -1, and the shards name 2 classes"),
        ([0, 1, 2], ("dog", "cat", "dog"), "has classes of the same name among its 3: correct the names"),
    ],
)
def test_labels_that_count_no_class_are_refused(image_tree, tmp_path, labels, names, words):
    rows = [(f"{number}.png", encoded(image_tree)[0][1], label) for number, label in enumerate(labels)]
    with pytest.raises(DataError, match=words):
        opened(write_parquet(tmp_path / "a.parquet", table(rows, names)))


@pytest.mark.parametrize("folder", ["..", ".", "a/.."])
def test_a_folder_without_a_name_of_its_own_is_no_class(image_tree, tmp_path, folder):
    content = encoded(image_tree)[0][1]
    shard = write_tar(
        tmp_path / "a.tar", [("cat/0.png", content), ("dog/1.png", content), (f"{folder}/2.png", content)]
    )
    with pytest.raises(DataError, match=r"2\.png in .*a\.tar names no class: images must lie in class folders"):
        opened(shard)


def test_labels_that_contradict_the_class_folders_are_refused(image_tree, tmp_path):
    """As where all images lie in a folder `train`: it would pass for a class."""
    content = encoded(image_tree)[0][1]
    files = [("train/0.png", content), ("train/0.cls", b"0"), ("test/1.png", content), ("test/1.cls", b"0")]
    with pytest.raises(DataError, match=r"test/1\.png in .* has the label 0, which stands for another class folder"):
        opened(write_tar(tmp_path / "a.tar", files))
