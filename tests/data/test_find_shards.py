"""Which shards --data-dir means."""

from __future__ import annotations

from pathlib import Path

import pytest

from lst_robust.data import open_source
from lst_robust.data.find_shards import find_shards, open_shards
from lst_robust.data.tar_shards import TarShards
from lst_robust.errors import DataError
from tests.fixtures.shards import write_state

WORDS = {"train": ("train",), "test": ("val", "validation")}


@pytest.fixture
def place(tmp_path):
    """place("data/val-0.tar", ...) makes empty files, and returns the folder above."""

    def make(*names: str) -> Path:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b"")
        return tmp_path

    return make


def found(root: Path, split="test", **options) -> list[str] | None:
    shards = find_shards(root, split, WORDS[split], **options)
    return None if shards is None else [str(shard.relative_to(root)) for shard in shards]


@pytest.mark.parametrize(
    ("names", "test", "train"),
    [
        (["b.tar", "a.tar", "notes.txt", ".c.tar"], ["a.tar", "b.tar"], None),
        (["x-train-0.tar", "x-validation-0.tar"], ["x-validation-0.tar"], ["x-train-0.tar"]),
        (["data/train-0.parquet", "data/val-0.parquet"], ["data/val-0.parquet"], ["data/train-0.parquet"]),
        (["train/0.tar", "val/0.tar", "data/1.tar"], ["val/0.tar"], ["train/0.tar"]),
        (["data/test-0.parquet", "data/validation-0.parquet"], ["data/validation-0.parquet"], None),
        (["valuable.tar"], ["valuable.tar"], None),
        (["train0000.tar", "train0001.tar", "val0000.tar"], ["val0000.tar"], ["train0000.tar", "train0001.tar"]),
        (["Train-0.tar", "Val-1.tar"], ["Val-1.tar"], ["Train-0.tar"]),
    ],
)
def test_a_split_is_known_by_the_names_of_folders_and_files(place, names, test, train):
    root = place(*names)
    assert found(root) == test
    if train is None:
        with pytest.raises(DataError, match="has shards, but none of them has train in its name: add those"):
            found(root, "train")
    else:
        assert found(root, "train") == train


def test_class_folders_are_no_shards(place, tmp_path):
    root = place("val/n01440764/a.JPEG", "ILSVRC2012_img_val.tar", "data/shard.tar")
    assert found(root) is None
    assert found(place("beside/val/cat/a.png", "beside/val/cat.tar").joinpath("beside")) is None
    assert found(place("only/noise.tar").joinpath("only"), ignored={"noise.tar": "..."}) is None
    assert find_shards(None, "test", WORDS["test"]) is None
    assert found(tmp_path / "nowhere") is None, "whoever reads folders says what is wrong"


def test_a_pattern_and_a_file_mean_test_images(place):
    root = place("a-0.tar", "a-1.tar")
    for given, names in ((root / "a-{0..1}.tar", 2), (root / "*.tar", 2), (root / "a-0.tar", 1)):
        assert len(find_shards(given, "test", WORDS["test"])) == names
        with pytest.raises(DataError, match="names test images, and there is nothing to train on: give trained"):
            find_shards(given, "train", WORDS["train"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            "a.tar.gz",
            r"a\.tar\.gz is no shard: give a folder, or files that end with \.tar, \.parquet, \.arrow, unpacked",
        ),
        ("b.tar", r"there is no file .*b\.tar: give an existing one with --data-dir$"),
        (
            "{a..c}.tar",
            r"there is no file .*: give an existing one with --data-dir; braces hold numbers, as \{00\.\.63\}",
        ),
    ],
)
def test_what_is_no_folder_and_no_shard_is_not_called_a_folder(place, given, words):
    root = place("a.tar.gz", "a.tar")
    with pytest.raises(DataError, match=words):
        find_shards(root / given, "test", WORDS["test"])


def test_shards_that_their_names_count_must_all_be_there(place):
    root = place("validation-00000-of-00004.parquet", "validation-00003-of-00004.parquet")
    with pytest.raises(DataError, match=r"2 of the 4 shards validation-\*-of-00004 .* number 00001: complete"):
        found(root)


def test_a_wildcard_does_not_hide_that_a_shard_is_missing(place):
    names = [f"validation-0000{number}-of-00004-{number}e8df9.parquet" for number in (0, 1, 3)]
    root = place(*names)
    for chosen in ("validation-*.parquet", "{validation,validation}-0000*.parquet"):
        with pytest.raises(DataError, match=r"1 of the 4 shards .* number 00002: complete"):
            find_shards(root / chosen, "test", WORDS["test"])
    for chosen in ("validation-0000[01]-*.parquet", "validation-{00000..00001}-of-00004-*.parquet"):
        assert len(find_shards(root / chosen, "test", WORDS["test"])) == 2


def test_a_pattern_may_be_longer_than_a_files_name(place):
    root = place(*(f"val-{number:06d}.tar" for number in range(60)))
    names = ",".join(f"{number:06d}" for number in range(60))
    assert len(find_shards(root / f"val-{{{names}}}.tar", "test", WORDS["test"])) == 60


def test_a_saved_data_set_names_its_files(place, tmp_path):
    root = place("validation/data-00000-of-00001.arrow", "validation/cache-1.arrow", "validation/state.json")
    for content in ("", "[" * 100_000):
        (tmp_path / "validation" / "state.json").write_text(content)
        with pytest.raises(DataError, match=r"state\.json does not name the files of a saved data set"):
            found(root)
    write_state(tmp_path / "validation", ["data-00000-of-00001.arrow"])
    assert found(root) == ["validation/data-00000-of-00001.arrow"]
    write_state(tmp_path / "validation", ["data-00000-of-00001.arrow", "b.arrow"])
    with pytest.raises(DataError, match=r"1 of the 2 shards that .*state\.json names are not there, .* b\.arrow"):
        found(root)


def test_a_split_that_is_not_among_the_shards(place):
    with pytest.raises(DataError, match="has shards, but none of them has val or validation in its name"):
        found(place("train-0.tar"))


def test_the_form_follows_from_the_names(place, tmp_path):
    place("a.tar", "b.parquet", "c.zip")
    assert isinstance(open_shards([tmp_path / "a.tar"]), TarShards)
    with pytest.raises(DataError, match=r"shards of several forms \(\.parquet, \.tar\) .* --data-dir '.*/\*\.parquet'"):
        open_shards([tmp_path / "a.tar", tmp_path / "b.parquet"])
    with pytest.raises(DataError, match=r"c\.zip is no shard: give files that end with \.tar, \.parquet, \.arrow"):
        open_shards([tmp_path / "c.zip"])
    (tmp_path / "d.tar").mkdir()
    with pytest.raises(DataError, match=r"d\.tar is no shard"):
        open_shards([tmp_path / "d.tar"])


def test_a_data_set_of_folders_only_says_so(place):
    root = place("a.tar")
    with pytest.raises(DataError, match="no data folder"):
        open_source({"kind": "cifar", "name": "cifar10"}, "test", image_size=32, data_dir=root / "*.tar")
