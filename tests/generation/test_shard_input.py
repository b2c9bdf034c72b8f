"""What a tar shard may hold, whose image is whose, and the one line about each that is refused."""

from __future__ import annotations

import io
import json
import logging
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lst_robust.corruptions import corrupt
from lst_robust.errors import DataError, NothingToEvaluateError, UsageError
from lst_robust.generation import CleanShards, cut_of_size, cut_of_suite, find_tars, generate_shards, settings_for
from lst_robust.generation.shard_input import InputShard
from lst_robust.generation.shard_naming import Cut
from lst_robust.suites import load_suite
from tests.fixtures.shards import jpeg, write_tar
from tests.generation.shards import members, tar_with

IMAGE = jpeg(0)


def ids(path: Path, cut: Cut | None = None) -> list[str | None]:
    shard = InputShard(path, (cut or cut_of_size(32)).image_ids(), "jpeg", None)
    shard.close()
    return [entry.image_id for entry in shard.entries]


def make(root: Path, folder: Path, size: int | None = 32, **options):
    settings = settings_for(format="tar", size=size, preset="cifar", corruptions=["contrast"], severities=[3])
    return generate_shards(CleanShards(find_tars(root), cut_of_size(size)), folder, settings, **options)


def refused(path: Path, folder: Path) -> str:
    with pytest.raises((DataError, UsageError)) as caught:
        make(path, folder / "out")
    assert "\n" not in str(caught.value)
    assert not list(folder.glob("out/**/*.tar")) and not list(folder.glob("out/.unfinished*"))
    return str(caught.value)


def test_ids_are_those_of_an_evaluation(tmp_path):
    stated = json.dumps({"filename": "n01440764/ILSVRC2012_val_00000293.JPEG", "label": 0}).encode()
    path = write_tar(
        tmp_path / "a.tar",
        [
            ("val/cat/1.JPEG", IMAGE),
            ("00.jpg", IMAGE),
            ("00.json", stated),
            ("01.cls", b"7"),
            ("01.webp", IMAGE),
            ("n01440764_ILSVRC2012_val_00000007.jpg", IMAGE),
        ],
    )
    assert ids(path) == [
        "cat/1.JPEG",
        "n01440764/ILSVRC2012_val_00000293.JPEG",
        *(None, None),
        "7/01.webp",
        "n01440764/ILSVRC2012_val_00000007.JPEG",
    ]
    assert "01.webp in" in refused(write_tar(tmp_path / "b.tar", [("01.webp", IMAGE)]), tmp_path)


def test_ids_of_imagenet_are_those_of_its_suites(tmp_path):
    cut = cut_of_suite(load_suite("imagenet-c-generated"))
    assert cut == Cut("imagenet", 224, 256)
    path = write_tar(
        tmp_path / "a.tar", [("0.jpg", IMAGE), ("0.cls", b"1"), ("val/n01440764/ILSVRC2012_val_00000293.jpg", IMAGE)]
    )
    assert ids(path, cut) == ["n01443537/0.jpg", None, "n01440764/ILSVRC2012_val_00000293.JPEG"]
    for name in ("digits-c", "cifar10-c"):
        with pytest.raises(UsageError, match="do not lie in shards"):
            cut_of_suite(load_suite(name))
    with pytest.raises(UsageError, match="takes some of the images"):
        cut_of_suite(load_suite("imagefolder").model_copy(update={"limit": 5}))


def test_long_and_strange_names_stay(tmp_path):
    name = f"{'d' * 90}/{'é' * 90}/ \x1b."
    path = write_tar(tmp_path / "a.tar", [(f"{name}jpg", IMAGE), (f"{name}txt", b"text")])
    make(path, tmp_path / "out")
    assert list(members(tmp_path / "out" / "contrast" / "3" / "a.tar")) == [f"{name}jpg", f"{name}txt"]


def test_files_without_an_image_are_copied_and_hidden_ones_are_not(tmp_path, caplog):
    path = write_tar(
        tmp_path / "a.tar", [("README", b"of us"), ("c/x.jpg", IMAGE), ("c/._x.jpg", b"mac"), ("c/y.cls", b"1")]
    )
    tar_with(path, "c", type=tarfile.DIRTYPE)
    with caplog.at_level(logging.INFO, "lst_robust"):
        make(path, tmp_path / "out")
    assert list(members(tmp_path / "out" / "contrast" / "3" / "a.tar")) == ["README", "c/x.jpg", "c/y.cls"]
    assert "a.tar has 2 files without an image, such as README: they are copied" in caplog.text


def test_large_and_empty_files_beside_an_image_are_copied(tmp_path):
    blob = bytes(range(256)) * 8192 + b"end"
    path = write_tar(tmp_path / "a.tar", [("c/x.jpg", IMAGE), ("c/x.bin", blob), ("c/x.txt", b"")])
    make(path, tmp_path / "out", size=None)
    made = members(tmp_path / "out" / "contrast" / "3" / "a.tar")
    assert made["c/x.bin"] == blob and made["c/x.txt"] == b""
    saved = io.BytesIO()
    clean = Image.open(io.BytesIO(IMAGE))
    Image.fromarray(corrupt(np.asarray(clean), "contrast", 3, preset="cifar", ids=["c/x.jpg"])).save(
        saved, "JPEG", quality=85, optimize=True
    )
    assert made["c/x.jpg"] == saved.getvalue()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "ends early, or is damaged|holds no image"),
        ([("c/x.txt", b"text")], r"a\.tar holds no image: give shards of \.bmp"),
        ([("c/x.jpg", IMAGE), ("c/x.jpg", IMAGE)], r"c/x\.jpg and c/x\.jpg in .*a\.tar are the image c/x\.jpg"),
        ([("1/c/x.jpg", IMAGE), ("2/c/x.jpg", IMAGE)], r"1/c/x\.jpg and 2/c/x\.jpg in .* are the image c/x\.jpg"),
        ([("c/x.jpg", IMAGE), ("c/x.PNG", IMAGE)], r"c/x\.jpg and c/x\.PNG in .* would both be written as c/x\.jpg"),
        ([("c/x.jpg", IMAGE), ("c/x.cls", b"1"), ("c/x.cls", b"1")], r"would both be written as c/x\.cls"),
        ([("c/x.jpg", IMAGE), ("../x.cls", b"1")], r"\.\./x\.cls in .*a\.tar leads out of the folder"),
        ([("c/../../x.jpg", IMAGE)], r"leads out of the folder in which the shard would be unpacked: rename"),
        ([("/etc/x.jpg", IMAGE)], r"/etc/x\.jpg in .* leads out of the folder"),
        ([("c/x.jpg", b"no image")], r"c/x\.jpg of .*a\.tar cannot be read \(.*\)\. Repair .*--skip-unreadable"),
        ([("x.jpg", IMAGE), ("x.json", b"[" * 100_000)], r"x\.json in .*a\.tar is no JSON \(.*\): correct the shard"),
        ([("x.jpg", IMAGE), ("x.cls", b"cat")], r"says 'cat', where a label is a whole number"),
    ],
)
def test_what_cannot_be_corrupted_is_one_line(tmp_path, files, words):
    assert re.search(words, refused(write_tar(tmp_path / "a.tar", files), tmp_path))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (tarfile.SYMTYPE, "is a link, and none is followed: pack the shard again"),
        (tarfile.LNKTYPE, "is a link, and none is followed"),
        (tarfile.CHRTYPE, "is no ordinary file, and none is followed"),
        (tarfile.FIFOTYPE, "is no ordinary file"),
    ],
)
def test_links_and_devices_are_not_followed(tmp_path, kind, words):
    path = write_tar(tmp_path / "a.tar", [("c/x.jpg", IMAGE)])
    tar_with(path, "c/y.jpg", type=kind, linkname="/etc/passwd")
    assert f"c/y.jpg in {path} {words}" in refused(path, tmp_path)


def test_a_shard_that_ends_early_is_refused(tmp_path):
    path = write_tar(tmp_path / "a.tar", [("c/x.jpg", IMAGE), ("c/y.jpg", IMAGE)])
    whole = path.read_bytes()
    for length in (0, 300, 700, 2500):
        path.write_bytes(whole[:length])
        assert "a.tar ends early, or is" in refused(path, tmp_path)


def test_a_damaged_shard_leaves_the_others_whole(tmp_path):
    write_tar(tmp_path / "wds" / "a.tar", [("c/x.jpg", IMAGE)])
    (tmp_path / "wds" / "b.tar").write_bytes(b"no tar")
    with pytest.raises(DataError, match=r"b\.tar ends early, or is no tar file"):
        make(tmp_path / "wds", tmp_path / "out")
    write_tar(tmp_path / "wds" / "b.tar", [("c/y.jpg", IMAGE)])
    assert make(tmp_path / "wds", tmp_path / "out").kept == 1


def test_unreadable_images_are_left_out_with_their_samples(tmp_path):
    files = [("c/x.cls", b"0"), ("c/x.jpg", IMAGE[:300]), ("c/x.txt", b"x"), ("c/y.cls", b"1"), ("c/y.jpg", IMAGE)]
    path = write_tar(tmp_path / "a.tar", files)
    made = make(path, tmp_path / "out", skip_unreadable=True)
    assert made.skipped == ("c/x.jpg",) and made.images == 1
    assert list(members(tmp_path / "out" / "contrast" / "3" / "a.tar")) == ["c/y.cls", "c/y.jpg"]
    part = json.loads((tmp_path / "out" / "MANIFEST.json").read_text())["parts"]["a.tar"]
    assert part["skipped"] == ["c/x.jpg"] and part["images"] == 1
    with pytest.raises(NothingToEvaluateError, match=r"none of the 1 images of .*b\.tar can be read, .*c/x\.jpg"):
        make(write_tar(tmp_path / "b.tar", files[:3]), tmp_path / "other", skip_unreadable=True)


def test_a_size_that_a_corruption_cannot_take_names_the_image(tmp_path, photographs):
    file = io.BytesIO()
    Image.fromarray(photographs[0, :12, :12]).save(file, "PNG")
    path = write_tar(tmp_path / "a.tar", [("c/tiny.png", file.getvalue())])
    with pytest.raises(UsageError, match=r"^c/tiny\.png of .*a\.tar: images of 12x12 pixels are too small"):
        make(path, tmp_path / "out", size=None)


def test_shards_are_found_as_those_of_an_evaluation(tmp_path, monkeypatch):
    for name in ("train-0.tar", "val-0.tar", "val-1.tar"):
        write_tar(tmp_path / name, [("c/x.jpg", IMAGE)])
    monkeypatch.chdir(tmp_path)
    assert find_tars(".") == [Path("val-0.tar"), Path("val-1.tar")]
    assert find_tars("val-{1..1}.tar") == [Path("val-1.tar")] and find_tars("*-0.tar")[0] == Path("train-0.tar")
    assert find_tars("val-0.tar") == [Path("val-0.tar")]
    (tmp_path / "folders" / "cat").mkdir(parents=True)
    assert find_tars("folders") is None and find_tars("nowhere") is None
    for name in ("x.parquet", "x.tar.gz", "x.tgz"):
        (tmp_path / name).touch()
    for root, words in (
        ("none-*.tar", "no file matches none-.*, as SRC$"),
        ("val-{0..2}.tar", r"1 of the 3 files of .* are not there, the first being val-2\.tar"),
        ("val.tar", r"there is no file val\.tar: give an existing one"),
        ("x.tar.gz", r"x\.tar\.gz is packed: unpack it"),
        ("x.tgz", r"x\.tgz is packed: unpack it"),
        ("*.parquet", r"x\.parquet is no tar file: give shards that end with \.tar"),
    ):
        with pytest.raises(DataError, match=words):
            find_tars(root)
