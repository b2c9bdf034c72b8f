"""MANIFEST.json: what a corrupted set is, and a digest of every cell to check it by.

It is written without digests when the work begins, so that nothing else is written into the same folder, and again
with them when all is done. It holds nothing that differs between two runs: no time, no machine, no path.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from pydantic import ValidationError

from lst_robust.arguments import path, whole_number
from lst_robust.benchmark import Cell, engine_option
from lst_robust.corruptions.jpeg import OFFICIAL_QUALITY
from lst_robust.data import ImageSource
from lst_robust.errors import DataError, UsageError
from lst_robust.generation.arrays import ArrayLayout
from lst_robust.generation.layout import Layout
from lst_robust.generation.settings import (
    CPU_ENGINE,
    FrozenModel,
    Settings,
    all_versions,
    different_code,
    different_settings,
    own_digests,
    used_versions,
    warn_of_other_versions,
)
from lst_robust.generation.tree import SUFFIXES, TreeLayout, tree_names
from lst_robust.runtime.files import write_output, write_unless_there
from lst_robust.runtime.prefetch import prefetch
from lst_robust.runtime.progress import Observer, Silent

MANIFEST = "MANIFEST.json"


class CellDigest(FrozenModel):
    """images: how many the cell has; sha256: see the layouts' `digest`."""

    images: int
    sha256: str


class Manifest(FrozenModel):
    """All there is to know about a set.

    images: their names in the tree, or the ids of the arrays' rows. own: the digests of corruptions that were
    registered from outside; None where there is none.
    """

    layout: str
    engine: str
    versions: dict[str, str]
    settings: Settings
    own: dict[str, str] | None = None
    source: str
    fingerprint: str
    pixels: str | None = None  # None: made by a release that did not note them
    skipped: tuple[str, ...]
    images: tuple[str, ...]
    labels_sha256: str | None = None
    cells: dict[str, CellDigest] | None = None

    def files(self, folder: Path) -> Layout:
        """The set's files in `folder`."""
        chosen = self.settings
        if chosen.format == "npy":
            return ArrayLayout(folder, chosen.corruptions, chosen.severities, self.images)
        return TreeLayout(folder, chosen.corruptions, chosen.severities, self.images, chosen.image_format or "jpeg")


def planned(
    source: ImageSource,
    settings: Settings,
    workers: int = 1,
    engine: str = CPU_ENGINE,
    versions: Mapping[str, str] | None = None,
) -> Manifest:
    """The manifest of a set that is about to be made. Every image file is read once, by `workers` threads.

    versions: of packages that take part besides those of the CPU's engine.
    """
    if settings.format == "npy":
        severities = ", ".join(map(str, settings.severities))
        layout = f"<corruption>.npy, labels.npy: severities {severities} one after the other, the same images in each"
        names: Sequence[str] = source.ids
    else:
        image_format = settings.image_format or "jpeg"
        saved = f"quality {OFFICIAL_QUALITY}, optimised" if image_format == "jpeg" else "lossless"
        layout = f"<corruption>/<severity>/<class>/<name>{SUFFIXES[image_format]}, {saved}"
        names = tree_names(source, image_format)
    return Manifest(
        layout=layout,
        engine=engine,
        versions=used_versions(versions or {}),
        settings=settings,
        own=own_digests(settings.corruptions, engine),
        source=source.name,
        fingerprint=source.fingerprint(),
        pixels=source.pixels_digest(workers),
        skipped=source.skipped,
        images=tuple(names),
    )


def begin(folder: Path, plan: Manifest) -> Manifest:
    """Claims `folder` for a set, or finds that it is this set's. Returns what its manifest says now.

    Raises UsageError when the folder holds anything else.
    """
    if not (folder / MANIFEST).is_file():
        is_used = folder.exists() and (not folder.is_dir() or any(p.name[0] != "." for p in folder.iterdir()))
        if is_used and not (folder / MANIFEST).is_file():  # else another call has claimed it just now
            raise UsageError(f"{folder} is not empty and has no {MANIFEST}: choose a new or empty folder")
        if not is_used and write_unless_there(folder / MANIFEST, _as_json(plan)):
            return plan
    if (format := format_of(folder)) == "tar":
        raise UsageError(
            f"{folder} holds another set (format {format}, not {plan.settings.format}): choose another folder, or "
            "remove it"
        )
    earlier = read(folder)
    if differences := _differences(earlier, plan):
        option = engine_option(earlier.engine)
        by_its_engine = len(differences) == 1 and option not in (None, engine_option(plan.engine))
        raise UsageError(
            f"{folder} holds another set ({'; '.join(differences)}): choose another folder, or remove it"
            + (f", or give --engine {option}" if by_its_engine else "")
        )
    if earlier.cells is None and earlier.versions != plan.versions:
        warn_of_other_versions(folder, earlier.versions, plan.versions)
        earlier = earlier.model_copy(update={"versions": all_versions([earlier.versions, plan.versions])})
        write(folder, earlier)
    return earlier


def engine_of(folder: Path) -> str | None:
    """The option of the engine that makes the set in `folder`; None where there is no set that says so."""
    engine = _stated(folder, "engine")
    return None if engine is None else engine_option(engine)


def format_of(folder: Path) -> str | None:
    """The format of the set in `folder`; None where its manifest is not there or damaged, which reading it says."""
    return _stated(folder, "settings", "format")


def _stated(folder: Path, *keys: str) -> str | None:
    """What the manifest of a set of any format says; None where it says nothing."""
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
        for key in keys:
            found = found[key]
        return str(found)
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return None


def _differences(earlier: Manifest, plan: Manifest) -> list[str]:
    differences = different_settings(earlier.settings, plan.settings)
    if earlier.engine != plan.engine:
        differences.append(f"engine {earlier.engine}, not {plan.engine}")
    else:
        differences += different_code(earlier, plan)
    if earlier.fingerprint != plan.fingerprint and earlier.settings.size == plan.settings.size:  # which it depends on
        differences.append(f"made from {len(earlier.images)} other images")
    elif earlier.pixels is None:
        differences.append("made by an earlier release, which did not note of which pixels")
    elif earlier.pixels != plan.pixels:
        differences.append("made from images of the same names, but other pixels")
    return differences


def write(folder: Path, manifest: Manifest) -> None:
    write_output(folder / MANIFEST, _as_json(manifest))


def _as_json(manifest: Manifest) -> bytes:
    return (manifest.model_dump_json(indent=2, exclude_none=True) + "\n").encode()


def read(folder: Path) -> Manifest:
    """The manifest in `folder`; DataError when there is none or it is damaged."""
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except OSError as error:
        raise DataError(
            f"{folder / MANIFEST} cannot be read ({error.strerror}): name a folder that lst-robust corrupt has written"
        ) from error
    except ValidationError as error:
        key = ".".join(map(str, error.errors()[0]["loc"])) or "not JSON"
        raise DataError(f"{folder / MANIFEST} is damaged ({key}): generate the set again in a new folder") from error


def completed(folder: Path, plan: Manifest, earlier: Manifest, workers: int, observer: Observer) -> Manifest:
    """The manifest with the digests of what lies on disk; DataError when files are missing or strange.

    earlier: the manifest with which the work began, perhaps with other versions of packages.
    """
    files = plan.files(folder)
    digests, wrong = digest_cells(files, workers, observer)
    if wrong:
        raise DataError(f"{listed(wrong)}: remove what does not belong there, and run the same command again")
    cells = {cell.folder: CellDigest(images=len(plan.images), sha256=digest) for cell, digest in digests.items()}
    versions = earlier.versions
    return plan.model_copy(update={"cells": cells, "labels_sha256": files.labels_digest(), "versions": versions})


def verify(folder: str | Path, *, workers: int = 1, observer: Observer | None = None) -> Manifest:
    """Reads a whole set and compares it with its manifest, which is returned.

    Raises DataError with one line that names what is missing, strange or changed.
    """
    folder, workers = path("folder", folder), whole_number("workers", workers, least=1)
    if format_of(folder) == "tar":
        raise UsageError(f"{folder} holds a set of tar shards: check it with verify_shards")
    manifest = read(folder)
    if manifest.cells is None:
        raise DataError(f"{folder} is not finished: run the command that makes it again, and it goes on from there")
    files = manifest.files(folder)
    if set(manifest.cells) != set(cell.folder for cell in files.cells):
        raise DataError(f"{folder / MANIFEST} is damaged (cells): generate the set again in a new folder")
    digests, wrong = digest_cells(files, workers, observer or Silent())
    wrong += [
        f"{cell.folder} has changed (its digest is not that of {MANIFEST})"
        for cell, digest in digests.items()
        if manifest.cells.get(cell.folder) != CellDigest(images=len(manifest.images), sha256=digest)
    ]
    if not wrong and files.labels_digest() != manifest.labels_sha256:
        wrong.append(f"the labels have changed (their digest is not that of {MANIFEST})")
    if wrong:
        raise has_changed(folder, wrong)
    return manifest


def has_changed(folder: Path, wrong: Sequence[str]) -> DataError:
    """wrong: what is missing, strange or changed in a set, a line each."""
    return DataError(
        f"{folder} is not as it was made: {listed(wrong)}: remove what has changed or is strange, and run the command "
        "that makes the set again"
    )


def digest_cells(files: Layout, workers: int, observer: Observer) -> tuple[Mapping[Cell, str], list[str]]:
    """Digests of the cells that are whole, and a line about each other one."""

    def digest_or_error(cell: Cell) -> str | DataError:
        try:
            return files.digest(cell)
        except DataError as error:
            return error

    digests: dict[Cell, str] = {}
    wrong: list[str] = []
    observer.start("checking", len(files.cells))
    with closing(prefetch(digest_or_error, files.cells, workers)) as outcomes:
        for cell, outcome in zip(files.cells, outcomes, strict=True):
            if isinstance(outcome, DataError):
                wrong.append(str(outcome))
            else:
                digests[cell] = outcome
            observer.advance(1, cell.folder)
    observer.finish()
    return digests, wrong


def listed(wrong: Sequence[str]) -> str:
    """The first of several lines, and how many there are besides."""
    distinct = list(dict.fromkeys(wrong))
    return "; ".join(distinct[:3]) + (f"; and {len(distinct) - 3} more" if len(distinct) > 3 else "")
