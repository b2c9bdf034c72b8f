"""Writes a corrupted set of tar shards: each shard is read once, and becomes a shard in every cell.

Here it is decided which shards a call makes; how one is made is in shard_making.py.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lst_robust.arguments import instance, items, optional, path, whole_number, yes_or_no
from lst_robust.errors import NothingToEvaluateError, UsageError
from lst_robust.generation.engines import SetEngine
from lst_robust.generation.generator import Generated
from lst_robust.generation.settings import Settings
from lst_robust.generation.shard_making import Options, ShardMaker
from lst_robust.generation.shard_manifest import ShardSet, claim, complete, planned, read_set, require_same
from lst_robust.generation.shard_naming import CleanShards, Cut
from lst_robust.runtime.process_group import process_group
from lst_robust.runtime.progress import Observer, Silent, checked_observer


@dataclass(frozen=True)
class GeneratedShards(Generated):
    """What a call of `generate_shards` did. images: in the shards of this call; shards: how many those are, of
    all_shards; complete: whether MANIFEST.json has all of them; failed: names of shards that could not be made while
    others went on, with the reason."""

    shards: int
    all_shards: int
    complete: bool
    failed: Mapping[str, str] = field(default_factory=dict)


def share_of(names: Sequence[str], share: tuple[int, int]) -> list[int]:
    """Positions of the shards i, i + n, i + 2 n, ... that fall to the share (i, n); i is from 0 to n - 1."""
    return list(range(len(names)))[share[0] :: share[1]]


def checked_share(name: str, value: object, *, also: str = "") -> tuple[int, int]:
    """(i, n) with i from 0 to n - 1; UsageError for anything else."""
    pair = items(name, value, of=int, also=also)
    if len(pair) != 2:
        raise UsageError(f"{name} has {len(pair)} numbers: give (i, n), such as (0, 8)")
    count = whole_number(f"{name}[1]", pair[1], least=1)
    return whole_number(f"{name}[0]", pair[0], least=0, most=count - 1), count


def generate_shards(
    clean: CleanShards,
    folder: str | Path,
    settings: Settings,
    *,
    share: tuple[int, int] = (0, 1),
    skip_unreadable: bool = False,
    workers: int = 1,
    observer: Observer | None = None,
    engine: SetEngine | None = None,
) -> GeneratedShards:
    """Writes <folder>/<corruption>/<severity>/<shard> for each of the tar files, or what is missing of them.

    The bytes of an image are those of `generate` for the same id. Calls with other shares may run at the same time, on
    other machines as well; so may calls with the same share, which then take turns at the shards. What is complete is
    kept, so an interrupted call loses the shard that it has in hand.

    clean: files that `find_tars` found, and `cut_of_size` or `cut_of_suite`; share: (i, n) does the shards i, i + n,
    i + 2 n, ...; workers: threads; engine: see `engine_for_sets`.

    Raises:
        UsageError: the folder holds something else, or a corruption cannot take images of this size.
        DataError: a shard is damaged or not what `InputShard` takes, an image cannot be read, or the disk refuses.
        NothingToEvaluateError: no shards, or none of a shard's images can be read.
    """
    share = checked_share("share", share)
    optional(checked_observer, "observer", observer)
    started = time.perf_counter()
    plan, options = planned_shards(clean, folder, settings, skip_unreadable, workers, engine)
    folder = Path(folder)
    mine = [clean.paths[place] for place in share_of(plan.shards, share)]
    with process_group() as ranks:
        if ranks.leader:
            claim(folder, plan)
        ranks.wait()  # nobody writes before the folder is claimed
        watcher = observer if observer is not None and ranks.leader else Silent()
        maker = ShardMaker(folder, plan, read_set(folder), options, watcher)
        maker.run([Path(shard) for shard in mine[ranks.rank :: ranks.world]])
        images, written, kept = ranks.total([maker.images, maker.written, maker.kept])
        done = complete(folder) if ranks.leader else True
        skipped = tuple(one for of_rank in ranks.gather(maker.skipped) for one in of_rank)
    seconds = time.perf_counter() - started
    figures = (len(plan.cells), written, kept, skipped, seconds, ranks.leader, len(mine), len(plan.shards), done)
    return GeneratedShards(folder, images, *figures)


def planned_shards(
    clean: CleanShards,
    folder: str | Path,
    settings: Settings,
    skip_unreadable: bool = False,
    workers: int = 1,
    engine: SetEngine | None = None,
) -> tuple[ShardSet, Options]:
    """The set that `generate_shards` makes of these arguments, and how. Nothing is written.

    Raises UsageError for arguments that cannot be meant, NothingToEvaluateError where there are no shards.
    """
    folder = path("folder", folder)
    instance("clean", clean, CleanShards, "give CleanShards(paths, cut)")
    shards = [path(f"clean.paths[{place}]", shard) for place, shard in enumerate(clean.paths)]
    cut = instance("clean.cut", clean.cut, Cut, "make one with cut_of_size")
    instance("settings", settings, Settings, "make them with settings_for")
    if settings.format != "tar":
        raise UsageError(f"shards are written as tar files, not as {settings.format}: give the format tar")
    engine = SetEngine() if engine is None else instance("engine", engine, SetEngine, "make one with engine_for_sets")
    if not shards:
        raise NothingToEvaluateError("there are no shards: nothing to corrupt")
    _require_outside(folder, shards)
    options = Options(
        whole_number("workers", workers, least=1), yes_or_no("skip_unreadable", skip_unreadable), cut, engine
    )
    return planned(shards, settings, cut, engine.name, engine.versions), options


def make_claimed(
    clean: CleanShards,
    folder: Path,
    settings: Settings,
    *,
    skip_unreadable: bool = False,
    workers: int = 1,
    engine: SetEngine | None = None,
) -> dict[str, Exception]:
    """Makes some shards of a set whose MANIFEST.json is there, each in its turn. MANIFEST.json stays as it is.

    Arguments as of `generate_shards`. Gives what was wrong with the shards that could not be made, by their names; the
    others are made nevertheless. Raises UsageError where the folder holds another set, DataError where it holds none.
    """
    plan, options = planned_shards(clean, folder, settings, skip_unreadable, workers, engine)
    whole = read_set(folder)
    require_same(folder, whole, plan.model_copy(update={"shards": whole.shards}))
    maker = ShardMaker(folder, plan, whole, options, Silent())
    failed: dict[str, Exception] = {}
    for shard in clean.paths:
        try:
            maker.run([shard])
        except Exception as error:  # decoders and disks raise anything
            failed[shard.name] = error
    return failed


def _require_outside(folder: Path, shards: Sequence[Path]) -> None:
    there = folder.resolve()
    for shard in shards:
        if shard.resolve().is_relative_to(there):
            raise UsageError(
                f"{folder} holds the shards that are to be corrupted ({shard.name}): choose another folder"
            )
