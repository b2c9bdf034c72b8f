"""Tar files: what counts as an image, where labels come from, and what damaged ones are told."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from lst_robust.data.shards import Member
from lst_robust.data.tar_shards import TarShards
from lst_robust.errors import DataError
from tests.fixtures.shards import jpeg, write_tar

IMAGE = jpeg(0)


def indexed(*shards: Path) -> list[Member]:
    return TarShards(shards).index()


def test_images_of_several_shards_stand_one_behind_the_other(tmp_path):
    first = write_tar(tmp_path / "a.tar", [("x.jpg", b"1"), ("x.cls", b"3\n"), ("d/y.PNG", b"22"), ("d/y.cls", b"4")])
    second = write_tar(tmp_path / "b.tar", [("z.json", b'{"label": 5, "filename": "cat/z.JPEG"}'), ("z.webp", b"333")])
    container = TarShards([first, second])
    assert container.index() == [
        Member("x.jpg", 3, first),
        Member("d/y.PNG", 4, first),
        Member("cat/z.JPEG", 5, second),
    ]
    assert [container.read(position) for position in range(3)] == [b"1", b"22", b"333"]
    assert container.class_names() is None


def test_hidden_files_links_and_other_files_do_not_count(tmp_path):
    path = write_tar(tmp_path / "a.tar", [("x.jpg", IMAGE), ("._x.jpg", b"mac"), ("notes.txt", b"no image")])
    with tarfile.open(path, "a") as tar:
        link = tarfile.TarInfo("y.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "x.jpg"
        tar.addfile(link)
    assert indexed(path) == [Member("x.jpg", None, path)]


def test_long_names_are_whole(tmp_path):
    name = f"{'d' * 90}/{'é' * 90}.jpg"
    assert indexed(write_tar(tmp_path / "a.tar", [(name, IMAGE)]))[0].name == name


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([("x.jpg", IMAGE), ("x.cls", b"cat")], r"x\.cls in .*a\.tar says 'cat', where a label is a whole number"),
        ([("x.jpg", IMAGE), ("x.json", b'{"label": 1.5}')], r"x\.json in .* says '1\.5', where a label is a whole"),
        ([("x.jpg", IMAGE), ("x.json", b'{"label": true}')], r"says 'True'"),
        ([("x.jpg", IMAGE), ("x.json", b"{")], r"x\.json in .*a\.tar is no JSON"),
        ([("x.jpg", IMAGE), ("x.cls", b"\xff")], r"x\.cls in .*a\.tar is no text"),
        (
            [("x.jpg", IMAGE), ("x.cls", b"1"), ("x.json", b'{"label": 2}')],
            r"a\.tar gives an image two labels, 1 in x\.cls and 2 in x\.json: correct",
        ),
        ([("x.txt", b"text"), ("x.cls", b"1")], r"a\.tar holds no image: give shards of \.bmp"),
    ],
)
def test_labels_that_cannot_be_meant(tmp_path, files, words):
    with pytest.raises(DataError, match=words) as refused:
        indexed(write_tar(tmp_path / "a.tar", files))
    assert "\n" not in str(refused.value)


def test_json_without_a_label_says_nothing(tmp_path):
    path = write_tar(
        tmp_path / "a.tar", [("x.jpg", IMAGE), ("x.json", b'{"label": null}'), ("y.jpg", IMAGE), ("y.json", b"[]")]
    )
    assert [member.label for member in indexed(path)] == [None, None]


def cuts(path: Path) -> dict[str, int]:
    """Where the file is cut: inside of an image, of a header, behind the last image, and to nothing."""
    with tarfile.open(path) as tar:
        members = tar.getmembers()
    last = members[-1]
    end = last.offset_data + -(-last.size // 512) * 512
    return {
        "image": last.offset_data + 5,
        "header": last.offset + 100,
        "end": end,
        "between": last.offset,
        "nothing": 0,
    }


@pytest.mark.parametrize("cut", ["image", "header", "end", "between", "nothing"])
def test_a_shard_that_ends_early_is_refused(tmp_path, cut):
    path = write_tar(tmp_path / "a.tar", [("x.jpg", IMAGE), ("y.jpg", IMAGE)])
    with open(path, "rb+") as file:
        file.truncate(cuts(path)[cut])
    with pytest.raises(DataError, match=r"a\.tar ends early, or is .*: download it again") as refused:
        indexed(path)
    assert "\n" not in str(refused.value)


def test_a_damaged_header_does_not_end_the_shard_in_silence(tmp_path):
    path = write_tar(tmp_path / "a.tar", [("x.jpg", IMAGE), ("y.jpg", IMAGE), ("z.jpg", IMAGE)])
    with open(path, "rb+") as file:
        file.seek(cuts(path)["between"])
        file.write(b"\xff" * 100)
    with pytest.raises(DataError, match=r"a\.tar ends early, or is damaged behind its first"):
        indexed(path)


def test_compressed_and_other_files_are_no_shards(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w:gz"):
        pass
    (tmp_path / "b.tar").write_bytes(IMAGE)
    for name in ("a.tar", "b.tar"):
        with pytest.raises(DataError, match=r"or is no tar file .* give tar files that are not compressed"):
            indexed(tmp_path / name)


def test_a_shard_that_was_cut_since_is_said_when_it_is_read(tmp_path):
    path = write_tar(tmp_path / "a.tar", [("x.jpg", IMAGE)])
    container = TarShards([path])
    container.index()
    with open(path, "rb+") as file:
        file.truncate(600)
    with pytest.raises(DataError, match=r"a\.tar ends early"):
        container.read(0)
