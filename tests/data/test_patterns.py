"""Braces and wildcards in paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from lst_robust.data.patterns import MOST_FILES, expand_braces, is_pattern, matching_files
from lst_robust.errors import DataError, UsageError


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("val.tar", ["val.tar"]),
        ("val-{08..10}.tar", ["val-08.tar", "val-09.tar", "val-10.tar"]),
        ("val-{8..10}.tar", ["val-8.tar", "val-9.tar", "val-10.tar"]),
        ("{a,b}/{0..1}", ["a/0", "a/1", "b/0", "b/1"]),
        ("val-{0000..0000}.tar", ["val-0000.tar"]),
        ("{a}.tar", ["{a}.tar"]),
    ],
)
def test_braces_stand_for_names(pattern, names):
    assert expand_braces(pattern) == names


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("{5..1}", "runs backwards"),
        (f"{{0..{MOST_FILES}}}", "more than 100,000"),
        ("{0..999}/{0..999}", "more than"),
        ("{{0,1},{2,3}}", "has braces within braces: write the names out"),
        ("{0{0,1},x}", "braces within braces"),
    ],
)
def test_ranges_that_cannot_be_meant(pattern, words):
    with pytest.raises(UsageError, match=words):
        expand_braces(pattern)


@pytest.fixture
def files(tmp_path) -> Path:
    for number in (2, 0, 1):
        (tmp_path / f"val-{number:04d}.tar").write_bytes(b"")
    return tmp_path


def test_files_are_found_in_order(files):
    for pattern in ("val-{0000..0002}.tar", "*.tar", "val-000?.tar", "val-000[0-2].tar", "val-{0000..0001}*.t{ar,ar}"):
        names = [path.name for path in matching_files(files / pattern)]
        assert names == sorted(names) and len(names) == len(set(names)) >= 2, pattern


def test_a_file_that_a_range_names_must_be_there(files):
    with pytest.raises(DataError) as refused:
        matching_files(files / "val-{0000..0049}.tar")
    assert str(refused.value) == (
        f"47 of the 50 files of {files}/val-{{0000..0049}}.tar are not there, the first being {files}/val-0003.tar: "
        "complete the download, or correct the range"
    )


@pytest.mark.parametrize("pattern", ["train-*.tar", "train-{0..1}.tar"])
def test_a_pattern_that_matches_nothing(files, pattern):
    with pytest.raises(DataError, match=r"no file matches .*train-.*: give a folder, or a pattern"):
        matching_files(files / pattern)


def test_what_exists_as_it_is_written_is_no_pattern(files):
    assert is_pattern(files / "val-{0000..0002}.tar") and is_pattern(files / "*.tar")
    assert not is_pattern(files / "val-0000.tar") and not is_pattern(files / "{a}")
    (files / "my[1]").mkdir()
    assert not is_pattern(files / "my[1]") and is_pattern(files / "my[1]" / "*")
