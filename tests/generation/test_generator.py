"""Corrupted sets: the same bytes however they are made, and work that goes on where it was."""

from __future__ import annotations

import pytest
from PIL import Image

from lst_robust.errors import UsageError
from tests.fixtures.files import contents
from tests.generation.pets import StopsAfter


@pytest.mark.parametrize("format", ["tree", "npy"])
def test_workers_and_chunks_change_no_byte(make, tmp_path, monkeypatch, format):
    make(tmp_path / "one", format=format)
    make(tmp_path / "three", format=format, workers=3)
    monkeypatch.setattr("lst_robust.generation.generator.CHUNK_IMAGES", 5)
    make(tmp_path / "chunks", format=format)
    assert contents(tmp_path / "one") == contents(tmp_path / "three") == contents(tmp_path / "chunks")
    assert not (tmp_path / "one" / ".unfinished").exists()


@pytest.mark.parametrize(
    ("format", "lost", "redone"), [("tree", "contrast/4/dog/1.JPEG", 1), ("npy", "contrast.npy", 12)]
)
def test_only_what_is_missing_is_written_again(make, tmp_path, format, lost, redone):
    out = tmp_path / "out"
    make(out, format=format)
    before, times = contents(out), {path: path.stat().st_mtime_ns for path in out.rglob("*.*")}
    (out / lost).unlink()
    again = make(out, format=format)
    assert (again.written, again.kept) == (redone, 36 - redone)
    assert contents(out) == before
    assert [path for path, when in times.items() if path.stat().st_mtime_ns != when] == [out / lost]


@pytest.mark.parametrize("format", ["tree", "npy"])
@pytest.mark.parametrize("cells", [0, 7, 13, 17])
def test_interrupted_work_goes_on(make, tmp_path, format, cells):
    make(tmp_path / "whole", format=format)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "out", format=format, observer=StopsAfter(cells))
    visible = [name for name in contents(tmp_path / "out") if not name.startswith(".unfinished")]
    assert set(visible) <= set(contents(tmp_path / "whole"))
    again = make(tmp_path / "out", format=format)
    assert again.kept >= cells // 6 * 12  # whole chunks of two images in six cells
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_size_that_a_corruption_cannot_take_names_the_image(make, pets, tmp_path, photographs):
    Image.fromarray(photographs[0, :12, :12]).save(pets / "dog" / "tiny.png")
    with pytest.raises(UsageError, match=r"^dog/tiny\.png: images of 12x12 pixels are too small"):
        make(tmp_path / "out", size=None)
