"""The digest of what images are read from: it sees every byte, and it reads each file once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lst_robust.data import cached, content, open_corrupted, open_source
from lst_robust.data.content import Computed, digest_of_files, kept_digest
from lst_robust.data.spill import spilled
from lst_robust.runtime.cache import remove_unused


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, in which files count as settled at once."""
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(content, "SETTLED", 0)
    return tmp_path / "cache" / "digests"


@pytest.fixture
def paths(tmp_path) -> list[Path]:
    files = [tmp_path / name for name in ("a", "b", "c")]
    for number, file in enumerate(files):
        file.write_bytes(bytes([number]) * 1000)
    return files


def reads(monkeypatch) -> list[Path]:
    """The files that are read from now on."""
    seen: list[Path] = []
    read = content._content
    monkeypatch.setattr(content, "_content", lambda path: seen.append(path) or read(path))
    return seen


def test_it_depends_on_bytes_and_order_and_not_on_names(paths, tmp_path):
    digest = digest_of_files(paths)
    assert len(digest) == 32 and digest == digest_of_files(paths, workers=3)
    (tmp_path / "d").write_bytes(paths[2].read_bytes())
    assert digest_of_files([*paths[:2], tmp_path / "d"]) == digest
    assert digest_of_files(paths[::-1]) != digest
    assert digest_of_files(paths[:2]) != digest


def test_many_files_in_many_threads_give_what_one_thread_gives(tmp_path, monkeypatch):
    monkeypatch.setattr(content, "FILES_AT_ONCE", 3)
    files = [tmp_path / f"{number}" for number in range(10)]
    for number, file in enumerate(files):
        file.write_text(str(number))
    several = digest_of_files(files, workers=4)
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", str(tmp_path / "other"))
    assert digest_of_files(files) == several


def test_files_that_have_not_changed_are_not_read_again(paths, cache, monkeypatch):
    first = digest_of_files(paths)
    seen = reads(monkeypatch)
    assert digest_of_files(paths) == first and seen == []
    assert len(list(cache.iterdir())) == 1


def test_a_changed_byte_shows_even_where_size_and_modification_time_are_as_before(paths):
    before, times = digest_of_files(paths), os.stat(paths[1])
    paths[1].write_bytes(b"\xff" + paths[1].read_bytes()[1:])
    os.utime(paths[1], ns=(times.st_atime_ns, times.st_mtime_ns))
    assert os.stat(paths[1]).st_mtime_ns == times.st_mtime_ns
    assert digest_of_files(paths) != before


def test_files_of_a_moment_ago_are_not_trusted_to_stay(paths, cache, monkeypatch):
    monkeypatch.setattr(content, "SETTLED", 3600 * 10**9)
    first = digest_of_files(paths)
    seen = reads(monkeypatch)
    assert digest_of_files(paths) == first and seen == paths
    assert not cache.exists()


def test_a_file_that_changes_while_it_is_read_is_not_kept(paths, cache):
    def compute() -> Computed:
        paths[0].write_bytes(b"new")
        return Computed("0" * 32)

    assert kept_digest(paths, compute) == "0" * 32
    assert not cache.exists()


def test_a_digest_is_not_kept_where_a_file_could_not_be_read_for_a_moment(paths, cache, monkeypatch):
    read = content._content
    monkeypatch.setattr(content, "_content", lambda path: content.UNREADABLE if path == paths[1] else read(path))
    wrong = digest_of_files(paths)
    assert not cache.exists()
    monkeypatch.setattr(content, "_content", read)
    assert digest_of_files(paths) != wrong
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("damage", [b"", b"x" * 32, b"\xff\xfe", b"0" * 31])
def test_a_damaged_entry_is_made_anew(paths, cache, damage):
    first = digest_of_files(paths)
    (entry,) = cache.iterdir()
    entry.write_bytes(damage)
    assert digest_of_files(paths) == first
    assert entry.read_text() == first


def test_a_cache_that_cannot_be_written_only_costs_time(paths, cache):
    cache.parent.write_text("a file")
    assert digest_of_files(paths) == digest_of_files(paths)


def test_digests_that_nobody_uses_are_removed(paths, cache):
    remove_unused.cache_clear()
    cache.mkdir(parents=True)
    (cache / "old").write_text("0" * 32)
    os.utime(cache / "old", (0, 0))
    digest_of_files(paths)
    (entry,) = cache.iterdir()
    os.utime(entry, (0, 0))
    digest_of_files(paths)
    assert entry.stat().st_mtime > 0, "an entry that is asked for counts as used"


def test_what_cannot_be_read_counts_and_is_never_waited_for(paths, tmp_path):
    whole = digest_of_files(paths)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    others = [digest_of_files([*paths[:2], tmp_path / name]) for name in ("pipe", "folder", "nothing")]
    assert len(set(others)) == 1 and others[0] != whole


def pixels(seed: int, size: int = 32) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8))


@pytest.fixture
def folder(tmp_path) -> Path:
    for number in range(4):
        place = tmp_path / "images" / "test" / ("cat", "dog")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        pixels(number).save(place / f"{number}.png")
    return tmp_path / "images"


def test_other_pixels_under_the_same_names_and_labels_show(folder):
    source = open_source({"kind": "image_folder"}, "test", image_size=32, data_dir=folder)
    names, before = source.fingerprint(), source.pixels_digest()
    pixels(9).save(folder / "test" / "cat" / "2.png")
    assert source.fingerprint() == names
    assert source.pixels_digest(workers=2) != before


def test_views_have_the_digest_of_the_images_they_show(folder, tmp_path):
    source = open_source({"kind": "image_folder"}, "test", image_size=32, data_dir=folder)
    whole = source.pixels_digest()
    assert cached(source).pixels_digest() == spilled(source, tmp_path).pixels_digest() == whole
    assert source.select([2, 0]).select([1, 0]).pixels_digest() == source.select([0, 2]).pixels_digest() != whole


def test_digits_and_arrays_are_hashed_by_their_values(tmp_path, monkeypatch):
    digits = open_source({"kind": "digits"}, "test", image_size=32)
    assert digits.select([0, 1]).pixels_digest() != digits.select([1, 0]).pixels_digest()
    assert len(digits.pixels_digest()) == 32
    rows = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), dtype=np.uint8)
    np.save(tmp_path / "fog.npy", rows)
    np.save(tmp_path / "labels.npy", np.array([0, 1]))

    def digest(severity: int) -> str:
        found = open_corrupted({"kind": "cifar", "name": "cifar10"}, image_size=32, data_dir=tmp_path)
        return found.cell("fog", severity).pixels_digest()

    before = [digest(severity) for severity in (1, 2)]
    assert before[0] != before[1]
    rows[0, 0, 0, 0] ^= 1
    np.save(tmp_path / "fog.npy", rows)
    assert [digest(severity) == old for severity, old in zip((1, 2), before, strict=True)] == [False, True]
