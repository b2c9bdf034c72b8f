"""Reads the tar shards of a corrupted set, or of a share of it, and compares them with what was noted of them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from lst_robust.arguments import optional, path, whole_number
from lst_robust.benchmark import Cell
from lst_robust.generation.manifest import has_changed
from lst_robust.generation.shard_manifest import (
    complete,
    not_finished,
    part_of,
    read_set,
    strangers,
    wrong_tar,
)
from lst_robust.generation.shards import checked_share, share_of
from lst_robust.runtime.prefetch import prefetch
from lst_robust.runtime.progress import Observer, Silent


class VerifiedShards(NamedTuple):
    """shards, images: in the share that was looked at; complete: whether MANIFEST.json has all shards of the set."""

    cells: int
    shards: int
    images: int
    complete: bool


def verify_shards(
    folder: str | Path, *, share: tuple[int, int] | None = None, workers: int = 1, observer: Observer | None = None
) -> VerifiedShards:
    """share: (i, n) looks at the shards i, i + n, ... only.

    Where all is well and the parts of all shards are there, MANIFEST.json gets them. Raises DataError with one line
    that names what is missing, strange or changed.
    """
    folder, workers = path("folder", folder), whole_number("workers", workers, least=1)
    share = optional(checked_share, "share", share)
    watcher = observer or Silent()
    whole = read_set(folder)
    names = [whole.shards[place] for place in share_of(whole.shards, share or (0, 1))]
    parts = {name: part for name in names if (part := part_of(folder, whole, name)) is not None}
    if missing := [name for name in names if name not in parts]:
        raise not_finished(folder, missing)

    def wrong_of(one: tuple[str, Cell]) -> str | None:
        name, cell = one
        return wrong_tar(whole.tar(folder, cell, name), parts[name].cells.get(cell.folder))

    tars = [(name, cell) for name in names for cell in whole.cells]
    watcher.start("checking", len(tars))
    wrong = [] if share else strangers(folder, whole)
    with closing(prefetch(wrong_of, tars, workers)) as outcomes:
        for (name, cell), outcome in zip(tars, outcomes, strict=True):
            wrong += [outcome] if outcome else []
            watcher.advance(1, f"{cell.folder}/{name}")
    watcher.finish()
    if wrong:
        raise has_changed(folder, wrong)
    return VerifiedShards(len(whole.cells), len(names), sum(part.images for part in parts.values()), complete(folder))
