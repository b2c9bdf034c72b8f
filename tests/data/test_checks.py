"""`verify`: findings for sound, incomplete and damaged data."""

from __future__ import annotations

import hashlib
import shutil

import numpy as np

from lst_robust.benchmark import CORRUPTIONS
from lst_robust.data.checks import verify
from lst_robust.data.registry import dataset_kinds
from tests.fixtures.shards import write_tar


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


def test_training_images_in_shards_are_looked_at_as_well(image_tree, tmp_path):
    image = (image_tree / "test" / "cat" / "0.png").read_bytes()
    good = [(f"{kind}/{number}.png", image) for kind in ("cat", "dog") for number in range(2)]
    write_tar(tmp_path / "val-0.tar", good)
    write_tar(tmp_path / "train-0.tar", [*good, ("dog/damaged.png", b"damaged")])
    findings = found({"kind": "image_folder"}, image_size=32, data_dir=tmp_path)
    assert [name for name, finding in findings.items() if not finding.ok] == ["train images unreadable"]


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


def test_a_suite_of_few_corruptions_needs_no_others(tmp_path):
    for name in ("fog", "snow"):
        np.save(tmp_path / f"{name}.npy", np.zeros((30, 32, 32, 3), np.uint8))
    np.save(tmp_path / "labels.npy", np.tile(np.arange(6), 5))
    options = {"image_size": 32, "data_dir": tmp_path, "official": True}
    cifar = {"kind": "cifar", "name": "cifar10"}
    assert found(cifar, corruptions=["fog"], **options)["corrupted cells"] == ("corrupted cells", "5", "5", True)
    assert found(cifar, corruptions=["fog", "frost"], **options)["corrupted cells"].expected == "10"


def test_a_missing_folder_of_corrupted_images_is_named_by_its_own_option(image_tree, tmp_path):
    options = {"data_dir": image_tree, "corrupted_dir": tmp_path / "nowhere", "official": True}
    findings = found({"kind": "image_folder"}, image_size=32, **options)
    assert "give an existing one with --corrupted-dir" in findings["corrupted cells"].found


def test_checksums_are_md5():
    sums = [md5 for kind in dataset_kinds().values() for facts in kind.published.values() for md5 in facts.md5.values()]
    assert len(sums) == len(set(sums)) == 35
    assert all(len(bytes.fromhex(md5)) == 16 for md5 in sums)
