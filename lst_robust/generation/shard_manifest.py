"""What a corrupted set of tar shards is: MANIFEST.json of the whole, and a part of it for each shard.

MANIFEST.json is written when the work begins: it says what the set is, so that nothing else is written into the same
folder. Each shard that is complete has its own file in manifest-parts/, so that machines can work on shards of one set
without talking to one another. When all parts are there, whoever sees it first puts them into MANIFEST.json. Nothing in
them differs between two runs: no time, no machine, no path.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ValidationError

from lst_robust.benchmark import Cell
from lst_robust.corruptions.jpeg import OFFICIAL_QUALITY
from lst_robust.data.content import digest_of_files
from lst_robust.errors import DataError, UsageError
from lst_robust.generation.manifest import MANIFEST, format_of, listed
from lst_robust.generation.settings import (
    FrozenModel,
    Settings,
    all_versions,
    different_code,
    different_settings,
    own_digests,
    used_versions,
    warn_of_other_versions,
)
from lst_robust.generation.shard_input import SUFFIXES
from lst_robust.generation.shard_naming import Cut, Names
from lst_robust.runtime.files import write_output, write_unless_there

PARTS = "manifest-parts"
ModelT = TypeVar("ModelT", bound=BaseModel)


class TarDigest(FrozenModel):
    """A corrupted shard: its size in bytes, and its SHA-256."""

    bytes: int
    sha256: str


class ShardPart(FrozenModel):
    """One shard in all cells. source: digest of the clean shard's bytes; images: how many each cell has; skipped: ids
    of those that could not be read; cells: "<corruption>/<severity>" -> the corrupted shard."""

    source: str
    images: int
    skipped: tuple[str, ...]
    cells: dict[str, TarDigest]


def _plain_name(name: str) -> str:
    """ValueError for a name that leads out of the folder of its cell."""
    if not name.endswith(".tar") or "/" in name or "\0" in name:
        raise ValueError("a shard is a file that ends with .tar")
    return name


class ShardSet(FrozenModel):
    """What all shards of a set have in common. shards: their names, in order.

    names, resize: see `Cut`. own: the digests of corruptions that were registered from outside.
    """

    layout: str
    engine: str
    versions: dict[str, str]
    settings: Settings
    own: dict[str, str] | None = None
    names: Names
    resize: int | None = None
    shards: tuple[Annotated[str, AfterValidator(_plain_name)], ...]
    parts: dict[str, ShardPart] | None = None

    @property
    def cells(self) -> list[Cell]:
        return [Cell(name, severity) for name in self.settings.corruptions for severity in self.settings.severities]

    def tar(self, folder: Path, cell: Cell, shard: str) -> Path:
        return folder / cell.folder / shard


class StoredPart(FrozenModel):
    """The file of a part. It says again what it is a part of: two machines may have begun at the same moment."""

    engine: str
    versions: dict[str, str]
    settings: Settings
    own: dict[str, str] | None = None
    names: Names
    resize: int | None = None
    shard: str
    part: ShardPart


def planned(shards: Sequence[Path], settings: Settings, cut: Cut, engine: str, versions: dict[str, str]) -> ShardSet:
    """The set that is about to be made; UsageError when two shards have one name."""
    names = [shard.name for shard in shards]
    if twice := [name for name in names if names.count(name) > 1] if len(set(names)) < len(names) else []:
        raise UsageError(f"two shards are called {twice[0]}, and one would replace the other: give them in two calls")
    image_format = settings.image_format or "jpeg"
    saved = f"quality {OFFICIAL_QUALITY}, optimised" if image_format == "jpeg" else "lossless"
    return ShardSet(
        layout=f"<corruption>/<severity>/<shard>.tar: <key>{SUFFIXES[image_format]}, {saved}, and what is beside it",
        engine=engine,
        versions=used_versions(versions),
        settings=settings,
        own=own_digests(settings.corruptions, engine),
        names=cut.names,
        resize=cut.resize,
        shards=tuple(names),
    )


def claim(folder: Path, plan: ShardSet) -> ShardSet:
    """Makes `folder` the set's, or finds that it is. Returns what MANIFEST.json says. Several processes may do so at
    once, and one decides. UsageError when the folder holds anything else."""
    path = folder / MANIFEST
    if not path.is_file():
        if folder.exists() and (not folder.is_dir() or any(not p.name.startswith(".") for p in folder.iterdir())):
            if not path.is_file():  # nor has another process made it meanwhile
                raise UsageError(f"{folder} is not empty and has no {MANIFEST}: choose a new or empty folder")
        else:
            write_unless_there(path, _json(plan))
    if (format := format_of(folder)) not in (None, "tar"):
        raise UsageError(f"{folder} holds another set (format {format}, not tar): choose another folder, or remove it")
    earlier = read_set(folder)
    require_same(folder, earlier, plan)
    if earlier.parts is None:
        warn_of_other_versions(folder, earlier.versions, plan.versions)
    return earlier


def require_same(folder: Path, earlier: ShardSet, plan: ShardSet) -> None:
    """UsageError where `plan` is not the set that MANIFEST.json of the folder speaks of (`earlier`)."""
    if differences := _differences(earlier, plan):
        raise UsageError(f"{folder} holds another set ({'; '.join(differences)}): choose another folder, or remove it")


def _differences(earlier: ShardSet, plan: ShardSet) -> list[str]:
    found = different_settings(earlier.settings, plan.settings)
    found += [
        f"{what} {old}, not {new}"
        for what, old, new in (
            ("engine", earlier.engine, plan.engine),
            ("ids of", earlier.names, plan.names),
            ("shorter side", earlier.resize, plan.resize),
        )
        if old != new and not (what == "shorter side" and earlier.settings.size != plan.settings.size)
    ]
    found += different_code(earlier, plan)
    if earlier.shards != plan.shards:
        found.append(f"made from {len(earlier.shards)} shards {_ends(earlier)}, not {len(plan.shards)} {_ends(plan)}")
    return found


def _ends(one: ShardSet) -> str:
    return f"({one.shards[0]} ... {one.shards[-1]})"


def read_set(folder: Path) -> ShardSet:
    """DataError when there is no manifest of shards in `folder`, or it is damaged."""
    return _read(folder / MANIFEST, ShardSet, "generate the set again in a new folder")


def source_digest(shard: Path) -> str:
    """Kept in the cache, so that a shard that has not changed is not read for it again."""
    return digest_of_files([shard])


def part_of(folder: Path, whole: ShardSet, shard: str) -> ShardPart | None:
    """The part of a complete shard; UsageError where it belongs to another set, DataError where it is damaged."""
    if whole.parts is not None:
        return whole.parts.get(shard)
    stored = _stored_part(folder, whole, shard)
    return None if stored is None else stored.part


def _stored_part(folder: Path, whole: ShardSet, shard: str) -> StoredPart | None:
    path = _part_file(folder, shard)
    if not path.is_file():
        return None
    stored = _read(path, StoredPart, "remove it, and run the command that makes the set again")
    of_the_set = ("engine", "settings", "own", "names", "resize")
    if stored.shard != shard or any(getattr(stored, name) != getattr(whole, name) for name in of_the_set):
        raise UsageError(
            f"{path} belongs to a set of other settings, whose work began in {folder} at the same time: remove it, and "
            "run the command that makes the set again"
        )
    return stored


def write_part(folder: Path, plan: ShardSet, shard: str, part: ShardPart) -> None:
    stored = StoredPart(
        engine=plan.engine,
        versions=plan.versions,
        settings=plan.settings,
        own=plan.own,
        names=plan.names,
        resize=plan.resize,
        shard=shard,
        part=part,
    )
    write_output(_part_file(folder, shard), _json(stored))


def complete(folder: Path) -> bool:
    """Puts the parts into MANIFEST.json where all are there. Returns whether they are."""
    whole = read_set(folder)
    if whole.parts is not None:
        return True
    if not all(_part_file(folder, shard).is_file() for shard in whole.shards):
        return False
    stored = {shard: one for shard in whole.shards if (one := _stored_part(folder, whole, shard)) is not None}
    if len(stored) < len(whole.shards):
        return False
    parts = {shard: one.part for shard, one in stored.items()}
    versions = all_versions([one.versions for one in stored.values()])
    write_output(folder / MANIFEST, _json(whole.model_copy(update={"parts": parts, "versions": versions})))
    return True


def is_there(folder: Path, whole: ShardSet, shard: str, cell: Cell, part: ShardPart) -> bool:
    """Whether a corrupted shard lies in its place with the size that it must have; `verify_shards` reads it."""
    with suppress(OSError):
        return whole.tar(folder, cell, shard).stat().st_size == part.cells[cell.folder].bytes
    return False


def wrong_tar(path: Path, stated: TarDigest | None) -> str | None:
    """What is wrong with a corrupted shard on disk, None where nothing is."""
    if path.exists() and not path.is_file():  # a pipe would be waited for
        return f"{path} is no file"
    digest = sha256()
    try:
        with open(path, "rb", buffering=0) as file:
            while block := file.read(2**20):
                digest.update(block)
    except FileNotFoundError:
        return f"{path} is missing"
    except OSError as error:
        return f"{path} cannot be read ({error.strerror})"
    if stated is None or digest.hexdigest() != stated.sha256:
        return f"{path} has changed (its digest is not that of {MANIFEST})"
    return None


def strangers(folder: Path, whole: ShardSet) -> list[str]:
    """A line about each file in a cell's folder that is not of the set."""
    known = set(whole.shards)
    found = []
    for cell in whole.cells:
        with suppress(OSError):
            found += sorted(p for p in (folder / cell.folder).iterdir() if p.name not in known)
    return [f"{path} is not of this set" for path in found]


def not_finished(folder: Path, missing: Sequence[str]) -> DataError:
    return DataError(
        f"{folder} is not finished: {listed([f'{name} is not there' for name in missing])}; run the command that makes "
        "it again, and it goes on from there"
    )


def _part_file(folder: Path, shard: str) -> Path:
    return folder / PARTS / f"{shard}.json"


def _json(model: BaseModel) -> bytes:
    return (model.model_dump_json(indent=2, exclude_none=True) + "\n").encode()


def _read(path: Path, kind: type[ModelT], advice: str) -> ModelT:
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): name a folder that lst-robust corrupt has written"
        ) from error
    except ValidationError as error:
        key = ".".join(map(str, error.errors()[0]["loc"])) or "not JSON"
        raise DataError(f"{path} is damaged ({key}): {advice}") from error
