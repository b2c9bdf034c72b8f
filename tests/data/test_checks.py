"""`verify`: findings for sound, incomplete and damaged data."""

from __future__ import annotations

import hashlib
import shutil

import numpy as np

from lst_robust.benchmark import CORRUPTIONS
from lst_robust.data.checks import verify
from lst_robust.data.registry import dataset_kinds


def found(dataset, **options):
    return {finding.what: finding for finding in verify(dataset, **options)}


def test_the_bundled_digits_are_complete():
    findings = found({"kind": "digits"}, image_size=32)
    assert all(finding.ok for finding in findings.values())
    assert (findings["test images"].found, findings["train images"].expected) == ("500", "1297")
    assert findings["test images per class"].found == "50 to 50"


def test_an_unreadable_image_of_ones_own_is_found(image_tree):
    (image_tree / "train" / "dog" / "2.png").write_bytes(b"damaged")
    findings = found({"kind": "image_folder"}, image_size=32, data_dir=image_tree, workers=2)
    bad = [finding for finding in findings.values() if not finding.ok]
    assert [finding.what for finding in bad] == ["train images unreadable"]
    assert bad[0].found.startswith("1: dog/2.png (")
    assert findings["test images"].found == "4" and findings["test images"].expected == ""


def test_training_images_of_ones_own_are_not_required(image_tree):
    shutil.rmtree(image_tree / "train")
    assert all(finding.ok for finding in verify({"kind": "image_folder"}, image_size=32, data_dir=image_tree))


def test_missing_data_is_a_finding_and_no_exception(tmp_path):
    findings = found({"kind": "imagenet"}, image_size=224, data_dir=tmp_path, official=True)
    assert not findings["test images"].ok and "val/<wnid>" in findings["test images"].found
    assert not findings["corrupted cells"].ok


def test_checksums_are_compared_for_the_files_that_are_there(tmp_path, monkeypatch):
    (tmp_path / "noise.tar").write_bytes(b"noise")
    (tmp_path / "blur.tar").write_bytes(b"blur")
    published = dataset_kinds()["imagenet"].published["imagenet"]
    monkeypatch.setitem(published.md5, "noise.tar", hashlib.md5(b"noise").hexdigest())
    findings = found({"kind": "imagenet"}, image_size=224, data_dir=tmp_path)
    assert {name: f.ok for name, f in findings.items() if name.startswith("MD5")} == {
        "MD5 of noise.tar": True, "MD5 of blur.tar": False,
    }  # fmt: skip


def test_every_cell_of_the_official_corruptions_is_opened(tmp_path):
    folder = tmp_path / "CIFAR-10-C"
    folder.mkdir()
    for name in CORRUPTIONS:
        np.save(folder / f"{name}.npy", np.zeros((30, 32, 32, 3), np.uint8))
    np.save(folder / "labels.npy", np.tile(np.arange(6), 5))
    np.save(folder / "fog.npy", np.zeros((25, 32, 32, 3), np.uint8))
    findings = found({"kind": "cifar", "name": "cifar10"}, image_size=32, data_dir=tmp_path, official=True)
    assert findings["corrupted cells"].ok and findings["snow 3"].found == "6 images"
    bad = [name for name, finding in findings.items() if not finding.ok]
    assert bad == ["train images", "test images", *(f"fog {severity}" for severity in range(1, 6))]


def test_checksums_are_md5():
    sums = [md5 for kind in dataset_kinds().values() for facts in kind.published.values() for md5 in facts.md5.values()]
    assert len(sums) == len(set(sums)) == 35
    assert all(len(bytes.fromhex(md5)) == 16 for md5 in sums)
