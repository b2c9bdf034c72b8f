"""Folders: the cache, images, results, published weights."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from lst_robust.data.patterns import is_pattern, matching_files
from lst_robust.diagnosis.finding import Finding
from lst_robust.errors import LstRobustError
from lst_robust.runtime.cache import cache_root

DATA, CORRUPTED, RESULTS = "LST_ROBUST_DATA_DIR", "LST_ROBUST_CORRUPTED_DIR", "LST_ROBUST_RESULTS_DIR"
MIB, GIB = 2**20, 2**30
LEAST_FREE = GIB  # of the cache's disk: images that do not fit into memory are spooled there


def cache() -> Iterator[Finding]:
    folder = cache_root()
    parent = _nearest(folder)
    if not (parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)):
        text = f"{folder} cannot be written: every process compiles anew"
        yield Finding("cache", "note", text, "name another folder in LST_ROBUST_CACHE_DIR")
        return
    free = shutil.disk_usage(parent).free
    size = f"{_size(folder) / MIB:.0f} MiB" if folder.is_dir() else "not there yet"
    text = f"{folder}, {size}, {free / GIB:.1f} GiB free"
    if free < LEAST_FREE:
        yield Finding("cache", "note", text, "make room there, or name another folder in LST_ROBUST_CACHE_DIR")
    else:
        yield Finding("cache", "ok", text)


def images() -> Iterator[Finding]:
    """Where the images of suites come from. Only names of folders are looked at, nothing is read."""
    yield Finding("bundled images", "ok", "digits-c needs no folder")
    named = os.environ.get(DATA)
    if not named:
        text = f"{DATA} is not set: all other suites need --data-dir FOLDER"
        yield Finding("images", "ok", text, "lst-robust data get SUITE --data-dir FOLDER downloads, or says how")
    else:
        yield _named_folder("images", DATA, named, suites=True)
    if corrupted := os.environ.get(CORRUPTED):
        yield _named_folder("official files", CORRUPTED, corrupted, suites=False)


def _named_folder(what: str, variable: str, named: str, *, suites: bool) -> Finding:
    """A folder of a variable. suites: say for which suites it has folders of the right names."""
    folder = Path(os.path.expanduser(named))
    if is_pattern(folder):
        return _named_shards(what, variable, folder)
    if folder.is_file():
        return Finding(what, "ok", f"{variable} names a shard: {named}")
    if not folder.is_dir():
        mend = f"put the images there, or set {variable} to their folder"
        return Finding(what, "fault", f"{variable} is {named}, where no folder is", mend)
    if not suites:
        return Finding(what, "ok", str(folder))
    found = _suites_of(folder)
    if not found:
        text = f"{folder} has no folder that a suite of this package looks for"
        return Finding(what, "note", text, "lst-robust data get SUITE --data-dir FOLDER says how they must lie")
    check = f"lst-robust data verify {found[0]} checks them"
    return Finding(what, "ok", f"{folder} has folders as of {', '.join(found)} ({check})")


def _named_shards(what: str, variable: str, pattern: Path) -> Finding:
    try:
        shards = matching_files(pattern, given=f"in {variable}")
    except LstRobustError as error:
        return Finding(what, "fault", f"{variable}: {error}", f"set {variable} to a folder or to shards that are there")
    return Finding(what, "ok", f"{variable} names {len(shards)} shards: {pattern}")


def _suites_of(folder: Path) -> list[str]:
    """The suites for whose test images a folder of the right name is there."""
    from lst_robust.suites import load_suite, suite_names

    found = []
    for name in suite_names():
        dataset = load_suite(name).dataset
        if any((folder / place).is_dir() for place in _places(dataset.dataset_name)):
            found.append(name)
    return found


def _places(dataset: str) -> tuple[str, ...]:
    """Where the test images of a data set lie in its folder."""
    from lst_robust.data import cifar, image_folder, mnist, places365, tiny_imagenet

    known: dict[str, tuple[str, ...]] = {
        **{name: (place,) for name, place in (cifar.FOLDERS | mnist.FOLDERS).items()},
        "image_folder": tuple(image_folder.SPLIT_FOLDERS["test"]),
        "imagenet": ("val",),
        "places365": tuple(places365.IMAGES),
        "tiny_imagenet": (f"{tiny_imagenet.FOLDER}/val",),
    }
    return known.get(dataset, ())


def results() -> Iterator[Finding]:
    folder = Path(os.path.expanduser(os.environ.get(RESULTS) or "results"))
    where = f"{folder.resolve()}, there" if folder.is_dir() else f"{folder.resolve()}, made when it is needed"
    parent = _nearest(folder)
    if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
        yield Finding("results", "ok", where)
    else:
        yield Finding("results", "note", f"{folder} cannot be written", f"give --results-dir FOLDER, or set {RESULTS}")


def weights() -> Iterator[Finding]:
    from lst_robust.weights import published_weights, state_of

    name = "published weights"
    states = [state_of(one) for one in published_weights()]
    damaged = [str(where.file) for where in states if where.state == "damaged"]
    whole = sum(where.state == "whole" for where in states)
    text = f"{whole} of {len(states)} are here, with the right SHA-256"
    if damaged:
        yield Finding(name, "note", f"{damaged[0]} has other bytes than were published", "copy it again, or remove it")
    elif whole < len(states):
        yield Finding(name, "note", text, "name the folder of the others in LST_ROBUST_PUBLISHED if they are wanted")
    else:
        yield Finding(name, "ok", text)


def _nearest(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    folder = Path(os.path.abspath(folder))
    return next((one for one in (folder, *folder.parents) if os.path.exists(one)), folder)


def _size(folder: Path) -> int:
    """Bytes of all files below a folder; of those that vanish meanwhile none."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue
    return total
