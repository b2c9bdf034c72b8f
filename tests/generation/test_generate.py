"""Corrupted sets: the engine's pixels in the official layouts, the same bytes however they are made."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lst_robust.corruptions import corrupt
from lst_robust.data import open_corrupted
from lst_robust.data.decode import decode
from lst_robust.errors import DataError, UsageError
from lst_robust.generation import generate, open_images, settings_for
from lst_robust.geometry import centre_crop
from lst_robust.runtime.progress import Silent
from tests.generation.conftest import CHEAP, contents

IDS = ("cat/0.png", "cat/1.png", "cat/2.png", "dog/0.png", "dog/1.png", "dog/2.png")


def clean(pets, size=32, resize=37):
    return np.stack([decode(pets / name, centre_crop(size, resize)) for name in IDS])


def test_a_tree_holds_the_engines_pixels_as_the_official_sets_save_them(make, pets, tmp_path):
    made = make(tmp_path / "out", seed=3)
    assert (made.images, made.cells, made.written, made.kept) == (6, 6, 36, 0)
    expected = corrupt(clean(pets), "gaussian_noise", 4, preset="cifar", seed=3, ids=IDS)
    for image, name in zip(expected, IDS, strict=True):
        saved = io.BytesIO()
        Image.fromarray(image).save(saved, "JPEG", quality=85, optimize=True)
        path = tmp_path / "out" / "gaussian_noise" / "4" / name.replace(".png", ".JPEG")
        assert path.read_bytes() == saved.getvalue()


def test_a_tree_can_be_read_back_cell_by_cell(make, pets, tmp_path):
    make(tmp_path / "out", image_format="png")
    corrupted = open_corrupted({"kind": "image_folder"}, image_size=32, data_dir=tmp_path / "out")
    assert corrupted.cells() == [(name, severity) for name in CHEAP for severity in (1, 4)]
    source = corrupted.cell("contrast", 4)
    assert source.ids == IDS and source.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert np.array_equal(source.read(range(6)), corrupt(clean(pets), "contrast", 4, preset="cifar", ids=IDS))


def test_arrays_can_be_read_back_as_cifar_c(pets, tmp_path):
    """All five severities, 32 pixels, ten classes: exactly the layout of CIFAR-10-C."""
    for name in "abcdefgh":
        (pets / name).symlink_to(pets / "cat")
    source = open_images(pets, 32)
    generate(source, tmp_path / "out", settings_for(format="npy", size=32, preset="cifar", corruptions=["contrast"]))
    labels = np.load(tmp_path / "out" / "labels.npy")
    assert labels.dtype == np.uint8 and labels.tolist() == source.labels.tolist() * 5
    corrupted = open_corrupted({"kind": "cifar", "name": "cifar10"}, image_size=32, data_dir=tmp_path / "out")
    assert corrupted.cells() == [("contrast", severity) for severity in range(1, 6)]
    for severity in (1, 5):
        expected = corrupt(source.read(range(30)), "contrast", severity, preset="cifar", ids=source.ids)
        assert np.array_equal(corrupted.cell("contrast", severity).read(range(30)), expected)


def test_the_manifest_says_what_the_set_is(make, tmp_path):
    make(tmp_path / "out", format="npy", seed=5)
    manifest = json.loads((tmp_path / "out" / "MANIFEST.json").read_text())
    assert manifest["settings"] == {
        "format": "npy", "preset": "cifar", "style": "hendrycks", "seed": 5, "size": "32",
        "corruptions": list(CHEAP), "severities": [1, 4],
    }  # fmt: skip
    assert "severities 1, 4 one after the other" in manifest["layout"]
    assert manifest["engine"].startswith("lst-robust ") and manifest["images"] == list(IDS)
    assert set(manifest["cells"]) == {f"{name}/{severity}" for name in CHEAP for severity in (1, 4)}
    assert {cell["images"] for cell in manifest["cells"].values()} == {6}
    assert np.load(tmp_path / "out" / "contrast.npy").shape == (12, 32, 32, 3)


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


class StopsAfter(Silent):
    """An observer that interrupts the work, as Ctrl-C does, after so many cells of chunks."""

    def __init__(self, cells: int) -> None:
        self.left = cells

    def advance(self, steps: float = 1, status: str = "") -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


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


def test_lost_arrays_of_unfinished_work_are_made_again(make, tmp_path):
    """Marks of finished chunks must not be believed for an array that is not the one they speak of."""
    make(tmp_path / "whole", format="npy")
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "out", format="npy", observer=StopsAfter(13))
    (tmp_path / "out" / ".unfinished" / "pixelate.npy").unlink()
    make(tmp_path / "out", format="npy")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_full_disk_leaves_whole_files_only(make, tmp_path, monkeypatch):
    make(tmp_path / "whole")
    write, left = Path.write_bytes, [10]

    def fills_up(self, content):
        left[0] -= 1
        if left[0] < 0:
            write(self, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, content)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", fills_up)
        with pytest.raises(
            DataError, match=r"\.JPEG: cannot be written \(No space left on device\); what was finished"
        ):
            make(tmp_path / "out")
    whole = contents(tmp_path / "whole")
    written = {name: content for name, content in contents(tmp_path / "out").items() if name != "MANIFEST.json"}
    assert len(written) == 10 and written.items() <= whole.items()
    make(tmp_path / "out")
    assert contents(tmp_path / "out") == whole


@pytest.mark.parametrize("size", [32, None])
def test_a_bad_image_is_named_or_left_out(make, pets, tmp_path, size):
    (pets / "dog" / "1.png").write_bytes((pets / "dog" / "1.png").read_bytes()[:900])
    with pytest.raises(DataError, match=r"1 of 6 images of .* cannot be read: dog/1\.png \(.*--skip-unreadable"):
        make(tmp_path / "out", size=size)
    for name, content in contents(tmp_path / "out").items():
        if name.endswith(".JPEG"):
            Image.open(io.BytesIO(content)).load()
    made = make(tmp_path / "other", size=size, skip_unreadable=True)
    assert made.images == 5 and made.skipped == ("dog/1.png",)
    assert json.loads((tmp_path / "other" / "MANIFEST.json").read_text())["skipped"] == ["dog/1.png"]


def test_kept_sizes_may_differ_in_a_tree_only(make, pets, tmp_path, photographs):
    Image.fromarray(photographs[0]).save(pets / "cat" / "1.png")  # 64 x 64 among 64 x 48
    make(tmp_path / "out", size=None, image_format="png")
    expected = corrupt(photographs[0], "contrast", 4, preset="cifar")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out/contrast/4/cat/1.png")), expected)
    assert Image.open(tmp_path / "out/contrast/4/cat/2.png").size == (64, 48)
    with pytest.raises(DataError, match=r"cat/0\.png has 64 x 48 pixels and cat/1\.png 64 x 64: .*--size 224"):
        make(tmp_path / "arrays", size=None, format="npy")


def test_split_folders_are_found(make, pets, tmp_path):
    make(tmp_path / "flat")
    for split in ("test", "val"):
        (tmp_path / split).mkdir()
        (tmp_path / split / split).symlink_to(pets)
        make(tmp_path / f"from-{split}", root=tmp_path / split)
        assert contents(tmp_path / f"from-{split}") == contents(tmp_path / "flat")


def test_names_that_would_clash_keep_their_extension(make, pets, tmp_path):
    Image.open(pets / "cat" / "1.png").save(pets / "cat" / "1.bmp")
    make(tmp_path / "out", corruptions=["contrast"], severities=[1])
    assert sorted(path.name for path in (tmp_path / "out/contrast/1/cat").iterdir()) == [
        "0.JPEG", "1.bmp.JPEG", "1.png.JPEG", "2.JPEG",
    ]  # fmt: skip
    Image.open(pets / "cat" / "1.png").save(pets / "cat" / "1.png.png")
    with pytest.raises(DataError, match=r"two images of .* would be written as cat/1\.png\.JPEG: rename"):
        make(tmp_path / "other")


def test_a_folder_of_something_else_is_refused(make, pets, tmp_path):
    make(tmp_path / "out")
    with pytest.raises(UsageError, match=r"holds another set \(seed 0, not 1; severities 1,4, not 1\)"):
        make(tmp_path / "out", seed=1, severities=[1])
    with pytest.raises(UsageError, match=r"holds another set \(size 32, not 24\): choose"):
        make(tmp_path / "out", size=24)
    (pets / "cat" / "2.png").unlink()
    with pytest.raises(UsageError, match="made from 6 other images"):
        make(tmp_path / "out")
    with pytest.raises(UsageError, match=r"is not empty and has no MANIFEST\.json"):
        make(tmp_path)
    with pytest.raises(UsageError, match="lies inside the images' folder"):
        make(pets / "corrupted")
    with pytest.raises(DataError, match="cannot be written"):
        make(Path("/proc/nowhere"))


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"corruptions": ["fogg"]}, "did you mean fog"),
        ({"severities": [6]}, "from 1 to 5"),
        ({"severities": []}, "severities is empty"),
        ({"preset": "cifar", "style": "imagecorruptions"}, "preset 'imagenet' only"),
        ({"format": "npy", "image_format": "png"}, "arrays have no image format"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(chosen, message):
    with pytest.raises(UsageError, match=message):
        settings_for(**chosen)


def test_a_size_that_a_corruption_cannot_take_names_the_image(make, pets, tmp_path, photographs):
    Image.fromarray(photographs[0, :12, :12]).save(pets / "dog" / "tiny.png")
    with pytest.raises(UsageError, match=r"^dog/tiny\.png: images of 12x12 pixels are too small"):
        make(tmp_path / "out", size=None)
