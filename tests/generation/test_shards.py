"""Corrupted tar shards: the bytes of the folder form, however the work is shared, and work that goes on."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError

import numpy as np
import pytest
from PIL import Image

from lst_robust.errors import DataError, UsageError
from lst_robust.generation import (
    CleanShards,
    cut_of_size,
    engine_for_sets,
    find_tars,
    generate_shards,
    settings_for,
    shard_making,
    shard_work,
    verify_shards,
)
from tests.fixtures.files import contents
from tests.fixtures.shards import jpeg, write_tar
from tests.generation.pets import CHEAP, StopsAfter
from tests.generation.shards import SHARDS, members, pets_in_shards


@pytest.fixture(autouse=True)
def one_image_is_a_chunk(monkeypatch):
    monkeypatch.setattr(shard_work, "CHUNK_IMAGES", 1)


@pytest.fixture
def wds(pets, tmp_path) -> Path:
    return pets_in_shards(pets, tmp_path / "wds")


@pytest.fixture
def make_shards(wds):
    """make_shards(folder, root=..., size=..., any setting or argument) of three cheap corruptions at two severities."""

    def call(folder, *, root=wds, size=32, **chosen):
        arguments = {name: chosen.pop(name) for name in list(chosen) if name in ARGUMENTS}
        chosen = {"corruptions": CHEAP, "severities": (1, 4), "preset": "cifar"} | chosen
        settings = settings_for(format="tar", size=size, **chosen)
        return generate_shards(CleanShards(find_tars(root), cut_of_size(size)), folder, settings, **arguments)

    return call


ARGUMENTS = ("share", "skip_unreadable", "workers", "observer", "engine")


def cells(folder: Path) -> dict[str, dict[str, bytes]]:
    """ "<corruption>/<severity>" -> members of all its shards."""
    found: dict[str, dict[str, bytes]] = {}
    for tar in sorted(folder.glob("*/*/*.tar")):
        found.setdefault(tar.parent.relative_to(folder).as_posix(), {}).update(members(tar))
    return found


@pytest.mark.parametrize("image_format", ["jpeg", "png"])
@pytest.mark.parametrize("size", [32, None])
def test_images_have_the_bytes_of_the_folder_form(make, make_shards, tmp_path, size, image_format):
    made = make_shards(tmp_path / "out", size=size, image_format=image_format)
    assert (made.images, made.cells, made.written, made.kept, made.shards) == (6, 6, 36, 0, 3) and made.complete
    make(tmp_path / "tree", size=size, image_format=image_format)
    suffix = {"jpeg": "JPEG", "png": "png"}[image_format]
    in_tree = {
        path.relative_to(tmp_path / "tree").with_suffix("").as_posix(): path.read_bytes()
        for path in (tmp_path / "tree").glob(f"*/*/*/*.{suffix}")
    }
    in_tars = {
        f"{cell}/{name.rpartition('.')[0]}": content
        for cell, files in cells(tmp_path / "out").items()
        for name, content in files.items()
        if name.endswith((".jpg", ".png"))
    }
    assert len(in_tars) == 36 and in_tars == in_tree


def test_a_shard_keeps_names_order_and_what_is_beside_the_images(make_shards, wds, tmp_path):
    make_shards(tmp_path / "out")
    for shard in SHARDS:
        clean, corrupted = members(wds / shard), members(tmp_path / "out" / "contrast" / "4" / shard)
        assert list(corrupted) == [name.replace(".png", ".jpg") for name in clean]
        beside = {name: content for name, content in clean.items() if not name.endswith(".png")}
        assert beside.items() <= corrupted.items() and len(beside) == 4
    with tarfile.open(tmp_path / "out" / "contrast" / "4" / SHARDS[0]) as tar:
        entries = [(e.mtime, e.uid, e.gid, e.uname, e.gname, e.mode, e.type) for e in tar]
    assert set(entries) == {(0, 0, 0, "", "", 0o644, tarfile.REGTYPE)}


def test_workers_and_chunks_change_no_byte(make_shards, tmp_path, monkeypatch):
    make_shards(tmp_path / "one")
    make_shards(tmp_path / "three", workers=3)
    monkeypatch.setattr(shard_work, "CHUNK_IMAGES", 128)
    make_shards(tmp_path / "chunks", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "three") == contents(tmp_path / "chunks")
    assert not [path for path in (tmp_path / "one").iterdir() if path.name.startswith(".")]


def test_shares_make_the_whole_in_any_order(make_shards, tmp_path):
    make_shards(tmp_path / "whole")
    for number in (1, 0):
        made = make_shards(tmp_path / "out", share=(number, 2))
        assert made.shards == 2 - number and made.complete == (number == 0)
        assert verify_shards(tmp_path / "out", share=(number, 2)).shards == made.shards
        if not made.complete:
            with pytest.raises(DataError, match=r"is not finished: val-00\.tar is not there; val-02\.tar is not there"):
                verify_shards(tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert make_shards(tmp_path / "out", share=(7, 8)).shards == 0


def test_calls_at_the_same_time_share_the_work(make_shards, tmp_path):
    make_shards(tmp_path / "whole")
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(make_shards, tmp_path / "out") for _ in range(4)]
        made = [call.result() for call in calls]
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert sum(one.written for one in made) == 36 and all(one.written + one.kept == 36 for one in made)


def test_verify_puts_the_parts_together(make_shards, tmp_path):
    make_shards(tmp_path / "out")
    manifest = tmp_path / "out" / "MANIFEST.json"
    whole = manifest.read_bytes()
    manifest.write_text(json.dumps({k: v for k, v in json.loads(whole).items() if k != "parts"}))
    assert verify_shards(tmp_path / "out", share=(0, 3)).complete
    assert json.loads(manifest.read_bytes()) == json.loads(whole)


def test_only_what_is_missing_is_made_again(make_shards, tmp_path):
    out = tmp_path / "out"
    make_shards(out)
    before, times = contents(out), {path: path.stat().st_mtime_ns for path in out.rglob("*.tar")}
    lost = out / "contrast" / "4" / SHARDS[1]
    lost.unlink()
    again = make_shards(out)
    assert (again.written, again.kept) == (2, 34) and contents(out) == before
    assert [path for path, when in times.items() if path.stat().st_mtime_ns != when] == [lost]


@pytest.mark.parametrize("cells_done", [0, 7, 13, 29])
def test_interrupted_work_loses_the_shard_in_hand(make_shards, tmp_path, cells_done):
    make_shards(tmp_path / "whole")
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        make_shards(out, observer=StopsAfter(cells_done), workers=2)
    whole, left = contents(tmp_path / "whole"), contents(out)
    left.pop("MANIFEST.json")
    left = {name: content for name, content in left.items() if not name.endswith(".lock")}
    assert {name for name in left if left[name] != whole.get(name)} == set()
    assert len(left) == cells_done // 12 * 7  # six tars and a part each
    again = make_shards(out)
    assert again.kept == cells_done // 12 * 12 and contents(out) == whole


@pytest.mark.parametrize("age", [0, 3600], ids=["just now", "an hour ago"])
def test_what_a_killed_process_has_left_is_removed(make_shards, tmp_path, age):
    make_shards(tmp_path / "whole")
    left = tmp_path / "out" / f".unfinished-{SHARDS[0]}-{'0' * 32}"
    left.mkdir(parents=True)
    (left / "contrast-4.tar").write_bytes(b"half")
    for path in (left / "contrast-4.tar", left):
        os.utime(path, (time.time() - age,) * 2)
    make_shards(tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_two_processes_at_one_shard_where_locks_only_pretend(make_shards, tmp_path, monkeypatch):
    """As on FUSE file systems: both make all shards, and neither takes the other's half files for whole ones."""
    make_shards(tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    both, run, move = Barrier(2), shard_work.ShardWork.run, shard_making._Unfinished.move
    wrong = []

    @contextmanager
    def pretending(lock, *, wait):
        yield True

    def run_together(work, workers):
        with suppress(BrokenBarrierError):  # the other one has made its shard before this one has begun
            both.wait(5)
        run(work, workers)

    def move_and_look(tars, place):
        move(tars, place)
        # not by contents(): the other one's folder of unfinished tars may go while it is read
        found = {str(tar.relative_to(tmp_path / "out")): tar for tar in (tmp_path / "out").glob("[!.]*/[1-5]/*.tar")}
        wrong.extend(name for name, tar in found.items() if tar.read_bytes() != whole[name])

    monkeypatch.setattr(shard_making, "file_lock", pretending)
    monkeypatch.setattr(shard_work.ShardWork, "run", run_together)
    monkeypatch.setattr(shard_making._Unfinished, "move", move_and_look)
    with ThreadPoolExecutor(2) as pool:
        made = [call.result() for call in [pool.submit(make_shards, tmp_path / "out") for _ in range(2)]]
    assert contents(tmp_path / "out") == whole and not wrong
    assert [one.images for one in made] == [6, 6] and all(one.complete for one in made)


def test_a_full_disk_leaves_whole_shards_only(make_shards, tmp_path, monkeypatch):
    make_shards(tmp_path / "whole")
    flush, left = os.fsync, [20]

    def fills_up(descriptor):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        flush(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr("lst_robust.generation.tar_writer.os.fsync", fills_up)
        with pytest.raises(DataError, match=r"cannot be (written|made) \(No space left on device\)"):
            make_shards(tmp_path / "out")
    found = {name for name in contents(tmp_path / "out") if name.endswith(".tar")}
    assert found and found < set(contents(tmp_path / "whole"))
    assert not list(tmp_path.glob("out/.unfinished*"))
    make_shards(tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_another_set_is_refused(make, make_shards, wds, tmp_path):
    out = tmp_path / "out"
    make_shards(out)
    with pytest.raises(UsageError, match=r"holds another set \(seed 0, not 1; severities 1,4, not 1\)"):
        make_shards(out, seed=1, severities=[1])
    with pytest.raises(UsageError, match=r"holds another set \(size 32, not 24\)"):
        make_shards(out, size=24)
    with pytest.raises(UsageError, match=r"engine lst-robust 1, not lst-robust-torch 1"):
        make_shards(out, engine=engine_for_sets("torch", "cpu", 32, "cifar"))
    with pytest.raises(UsageError, match=r"made from 3 shards \(val-00\.tar \.\.\. val-02\.tar\), not 2 \(val-00"):
        make_shards(out, root=wds / "val-{00..01}.tar")
    with pytest.raises(UsageError, match=r"format tar, not tree"):
        make(out)
    make(tmp_path / "tree")
    with pytest.raises(UsageError, match=r"format tree, not tar"):
        make_shards(tmp_path / "tree")
    with pytest.raises(UsageError, match=r"is not empty and has no MANIFEST\.json"):
        make_shards(tmp_path / "pets")
    write_tar(wds / SHARDS[1], [("cat/7.jpg", jpeg(7))])
    with pytest.raises(UsageError, match=r"made from a shard val-01\.tar of other bytes"):
        make_shards(out)


def test_two_that_begin_at_once_with_other_settings(make_shards, tmp_path):
    """Where the file system lets both begin, the parts tell."""
    make_shards(tmp_path / "one", share=(0, 3))
    make_shards(tmp_path / "two", share=(1, 3), seed=1)
    part = Path("manifest-parts", f"{SHARDS[1]}.json")
    (tmp_path / "one" / part).write_bytes((tmp_path / "two" / part).read_bytes())
    with pytest.raises(UsageError, match=r"val-01\.tar\.json belongs to a set of other settings"):
        make_shards(tmp_path / "one")


def test_the_destination_must_not_hold_the_shards(make_shards, wds, tmp_path):
    for folder in (wds, tmp_path):
        with pytest.raises(UsageError, match=r"holds the shards that are to be corrupted \(val-00\.tar\)"):
            make_shards(folder)
    (tmp_path / "link").symlink_to(wds)
    with pytest.raises(UsageError, match="holds the shards"):
        make_shards(tmp_path / "link")
    write_tar(tmp_path / "other" / SHARDS[0], [("cat/1.jpg", jpeg(1))])
    with pytest.raises(UsageError, match=r"two shards are called val-00\.tar"):
        make_shards(tmp_path / "out", root=tmp_path / "{wds,other}" / "*.tar")


def change_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[600] ^= 1
    path.write_bytes(content)


def test_verify_names_what_is_wrong(make_shards, tmp_path):
    out = tmp_path / "out"
    make_shards(out)
    assert verify_shards(out, workers=2) == (6, 3, 6, True)
    change_a_byte(out / "contrast" / "4" / SHARDS[1])
    assert verify_shards(out, share=(0, 2)).images == 4
    with pytest.raises(DataError, match=r"contrast/4/val-01\.tar has changed \(its digest is not that of MANIFEST"):
        verify_shards(out)
    with pytest.raises(DataError, match=r"val-01\.tar has changed"):
        verify_shards(out, share=(1, 2))
    (out / "contrast" / "4" / SHARDS[1]).unlink()
    (out / "contrast" / "4" / "mine.tar").touch()
    with pytest.raises(DataError, match=r"mine\.tar is not of this set; .*4/val-01\.tar is missing: remove what"):
        verify_shards(out)
    (out / "contrast" / "4" / "mine.tar").unlink()
    os.mkfifo(out / "contrast" / "4" / SHARDS[1])  # which has no end
    with pytest.raises(DataError, match=r"contrast/4/val-01\.tar is no file: remove what has changed"):
        verify_shards(out)
    (out / "contrast" / "4" / SHARDS[1]).unlink()
    assert make_shards(out).written == 2 and verify_shards(out).images == 6, "what the message says is enough"
    part = out / "manifest-parts" / f"{SHARDS[1]}.json"
    sound = (out / "MANIFEST.json").read_text()
    for damaged, key in (
        ("{}", "layout"),
        ("[" * 100_000, "not JSON"),
        (sound.replace(SHARDS[1], "../../a.tar"), "shards"),
        (sound.replace(SHARDS[1], "a\\u0000.tar"), "shards"),
    ):
        (out / "MANIFEST.json").write_text(damaged)
        with pytest.raises(DataError, match=rf"MANIFEST\.json is damaged \({key}.*\): generate the set again"):
            verify_shards(out)
    part.unlink()


def test_a_set_is_not_blessed_again_after_it_has_changed(make_shards, tmp_path):
    out = tmp_path / "out"
    make_shards(out)
    change_a_byte(out / "contrast" / "4" / SHARDS[0])
    (out / "contrast" / "4" / SHARDS[1]).unlink()
    assert make_shards(out).written == 2
    with pytest.raises(DataError, match=r"contrast/4/val-00\.tar has changed"):
        verify_shards(out)


def test_torchs_engine_writes_its_own_set_of_the_same_bytes(make_shards, tmp_path):
    """Of gaussian_noise, whose bytes are the definition's on every device."""
    engine = engine_for_sets("torch", "cpu", 32, "cifar")
    make_shards(tmp_path / "torch", engine=engine, workers=2, corruptions=("gaussian_noise",))
    make_shards(tmp_path / "cpu", corruptions=("gaussian_noise",))
    assert cells(tmp_path / "torch") == cells(tmp_path / "cpu")
    engines = [json.loads((tmp_path / n / "MANIFEST.json").read_text())["engine"] for n in ("torch", "cpu")]
    assert engines == ["lst-robust-torch 1", "lst-robust 1"]


def peak(work) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def big(path: Path, samples: int) -> None:
    """Samples of 300 x 300 pixels in PNG, 270 kB each, with a file of 2 MB beside it."""
    pixels = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    files = []
    for number in range(samples):
        files += [(f"cat/{number}.png", file.getvalue()), (f"cat/{number}.bin", bytes(2**21))]
    write_tar(path, files)


def test_memory_grows_neither_with_a_shard_nor_with_their_number(make_shards, tmp_path):
    big(tmp_path / "small" / "a.tar", 3)
    big(tmp_path / "large" / "a.tar", 24)
    for number in range(8):
        big(tmp_path / "many" / f"{number}.tar", 3)
    chosen = {"corruptions": ("contrast",), "severities": (1,), "size": None}
    make_shards(tmp_path / "warm", root=tmp_path / "small", **chosen)
    peaks = [
        peak(lambda root=root: make_shards(tmp_path / f"out-{root}", root=tmp_path / root, **chosen))
        for root in ("small", "large", "many")
    ]
    assert max(peaks) < min(peaks) * 1.5, peaks  # 8 times as much to do
