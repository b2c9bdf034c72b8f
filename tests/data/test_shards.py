"""The same images in class folders and in shards of every form are the same: ids, labels, order, pixels, digest."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lst_robust.data import content, open_source
from lst_robust.data.checks import verify
from lst_robust.data.imagenet import wnids
from lst_robust.errors import DataError
from tests.fixtures.shards import (
    jpeg,
    parts,
    table,
    write_arrow,
    write_files,
    write_parquet,
    write_state,
    write_tar,
)

CLASSES = (0, 1, 1, 2, 999)
IMAGES = {
    f"{wnids()[label]}/ILSVRC2012_val_{number:08d}.JPEG": (label, jpeg(number))
    for number, label in zip((7, 40, 3, 11, 2, 90, 55, 6, 21, 8), CLASSES * 2, strict=True)
}
STORED = sorted(IMAGES, key=lambda name: name[-8:])  # in another order than the ids, as shards are shuffled


def key(name: str) -> str:
    return Path(name).stem


def folder(root: Path) -> Path:
    write_files(root / "folder" / "val", {name: encoded for name, (_, encoded) in IMAGES.items()})
    return root / "folder"


def webdataset(root: Path) -> str:
    """As timm has it: imagenet1k-validation-00.tar with .jpg, .cls and .json."""
    for number, names in enumerate(parts(STORED, 3)):
        files = []
        for name in names:
            label, encoded = IMAGES[name]
            stated = json.dumps({"filename": name, "label": label}).encode()
            files += [(f"{key(name)}.cls", str(label).encode()), (f"{key(name)}.jpg", encoded)]
            files.append((f"{key(name)}.json", stated))
        write_tar(root / "wds" / f"imagenet1k-validation-{number:02d}.tar", files)
    return f"{root}/wds/imagenet1k-validation-{{00..02}}.tar"


def keys_with_classes(root: Path) -> Path:
    """The class is in the key, and only the label's text beside the image; train shards lie there as well."""
    for number, names in enumerate(parts(STORED, 2)):
        files = [(f"./{name[:9]}_{key(name)}.jpeg", IMAGES[name][1]) for name in names]
        files += [(f"./{name[:9]}_{key(name)}.cls", f"{IMAGES[name][0]}\n".encode()) for name in names]
        write_tar(root / "keys" / f"val-{number:04d}.tar", files)
    write_tar(root / "keys" / "train-0000.tar", [("n01440764_1.jpg", jpeg(1))])
    return root / "keys"


def tar_of_folders(root: Path) -> Path:
    files = [(f"val/{name}", IMAGES[name][1]) for name in STORED]
    return write_tar(root / "one.tar", [*files, ("val/._n.JPEG", b""), ("README.txt", b"images")])


def hub(root: Path) -> Path:
    """As the hub has it: data/validation-00000-of-00003.parquet, with the class behind the name."""
    for number, names in enumerate(parts(STORED, 3)):
        rows = [(f"{key(name)}_{name[:9]}.JPEG", IMAGES[name][1], IMAGES[name][0]) for name in names]
        names_of_classes = [f"class {label}" for label in range(1000)]
        path = root / "hub" / "data" / f"validation-{number:05d}-of-00003.parquet"
        write_parquet(path, table(rows, names_of_classes), rows=2)
    write_parquet(root / "hub" / "data" / "test-00000-of-00001.parquet", table([("a.JPEG", jpeg(1), -1)]))
    return root / "hub"


def saved_to_disk(root: Path) -> Path:
    names_of_shards = [f"data-{number:05d}-of-00002.arrow" for number in range(2)]
    for shard, names in zip(names_of_shards, parts(STORED, 2), strict=True):
        rows = [(f"{key(name)}.JPEG", IMAGES[name][1], IMAGES[name][0]) for name in names]
        write_arrow(root / "saved" / shard, table(rows), rows=2)
    write_state(root / "saved", names_of_shards)
    write_arrow(root / "saved" / "cache-0123456789.arrow", table([("a.JPEG", jpeg(1), 0)]))
    return root / "saved"


FORMS = [webdataset, keys_with_classes, tar_of_folders, hub, saved_to_disk]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> None:
    """An empty cache, in which files count as settled at once."""
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(content, "SETTLED", 0)


def opened(root: Path | str, kind: str = "imagenet", split: str = "test", **options):
    resize = {"resize": 36} if kind == "imagenet" else {}
    return open_source({"kind": kind, **resize}, split, image_size=32, data_dir=root, **options)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_the_images_of_the_folder(tmp_path, form):
    files, shards = opened(folder(tmp_path)), opened(form(tmp_path))
    assert shards.ids == files.ids and shards.ids != tuple(STORED)
    assert (shards.name, shards.classes, shards.geometry) == (files.name, files.classes, files.geometry)
    assert shards.labels.tolist() == files.labels.tolist() and shards.fingerprint() == files.fingerprint()
    assert np.array_equal(shards.read(range(10), workers=3), files.read(range(10)))
    assert np.array_equal(shards.whole(4), files.whole(4))
    assert shards.pixels_digest(workers=2) == files.pixels_digest()
    chosen = [7, 2, 5]
    assert shards.select(chosen).pixels_digest() == files.select(chosen).pixels_digest() != files.pixels_digest()
    assert np.array_equal(shards.subset(4).read(range(4)), files.subset(4).read(range(4)))
    assert [finding for finding in verify({"kind": "imagenet"}, image_size=32, data_dir=form(tmp_path))][-1].ok


@pytest.mark.parametrize("form", FORMS)
def test_many_threads_read_their_own_images(tmp_path, form):
    files, shards = opened(folder(tmp_path)), opened(form(tmp_path))
    plain = files.read(range(10))
    with ThreadPoolExecutor(4) as pool:
        orders = [np.random.default_rng(seed).permutation(10) for seed in range(20)]
        for order, images in zip(orders, pool.map(shards.read, orders), strict=True):
            assert np.array_equal(images, plain[order])


@pytest.mark.parametrize("form", FORMS)
def test_the_digest_is_kept_until_a_shard_changes(tmp_path, form, monkeypatch):
    place = form(tmp_path)
    shards = opened(place)
    digest = shards.pixels_digest()
    monkeypatch.setattr(shards._container, "read", None)  # nothing is read again
    assert shards.pixels_digest() == digest
    monkeypatch.setitem(IMAGES, STORED[0], (IMAGES[STORED[0]][0], jpeg(1234)))
    assert opened(form(tmp_path)).pixels_digest() != digest


@pytest.mark.parametrize("form", FORMS)
def test_an_image_that_is_damaged_is_named_and_can_be_left_out(tmp_path, form, monkeypatch):
    monkeypatch.setitem(IMAGES, STORED[3], (IMAGES[STORED[3]][0], b"damaged"))
    place = form(tmp_path)
    shards = opened(place)
    name = STORED[3]
    with pytest.raises(DataError, match=rf"1 of 10 images of .* cannot be read: {name} \(cannot identify the image in"):
        shards.read(range(10))
    assert shards.pixels_digest() == opened(folder(tmp_path)).pixels_digest()
    assert opened(place, skip_unreadable=True).skipped == (name,)


def test_an_image_that_is_there_twice_is_named_with_both_shards(tmp_path):
    place = Path(webdataset(tmp_path)).parent
    write_tar(place / "imagenet1k-validation-03.tar", [(f"again/{STORED[2]}", jpeg(5))])
    with pytest.raises(DataError) as refused:
        opened(place)
    (line,) = str(refused.value).splitlines()
    assert f"the image {STORED[2]} is there twice: as {STORED[2]} in {place}/imagenet1k-validation-00.tar" in line
    assert f"and as again/{STORED[2]} in {place}/imagenet1k-validation-03.tar: give each shard once" in line
