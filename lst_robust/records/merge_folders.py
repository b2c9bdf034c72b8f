"""The folders that a merging is given, checked before any work, and the runs in them."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from lst_robust.arguments import items, path
from lst_robust.errors import NothingToEvaluateError, UsageError
from lst_robust.records.folder import RUN_FOLDERS
from lst_robust.records.merge_checkpoints import FOLDER as CHECKPOINTS

logger = logging.getLogger(__name__)


def checked_folders(results: Iterable[str | Path], into: str | Path) -> tuple[list[Path], Path]:
    """The folders to read, without the one that gets all, and that one. UsageError, NothingToEvaluateError: see
    `merge_results`."""
    sources = [path(f"results[{place}]", one) for place, one in enumerate(items("results", results))]
    target = path("into", into)
    for source in sources:
        if not os.path.isdir(source):  # which is False, where Path's raises, of a name that is too long
            what = "is no folder" if os.path.exists(source) else "is not there"
            raise NothingToEvaluateError(f"{source} {what}: give a results folder that lst-robust eval has written")
    _check_target(target)
    real: dict[Path, Path] = {}
    for source in sources:
        if source.resolve() in real:
            raise UsageError(f"{real[source.resolve()]} and {source} are the same folder: name it once")
        real[source.resolve()] = source
    into_itself = target.resolve()
    _refuse_nested([*real.items(), *([] if into_itself in real else [(into_itself, target)])])
    others = [source for resolved, source in real.items() if resolved != into_itself]
    if not others:
        raise UsageError(f"--into {str(target)!r} is the only folder: name another one to merge into it")
    return others, target


def _check_target(target: Path) -> None:
    """UsageError for what is there and is no folder, for a link that leads nowhere, and for a name that is too long."""
    try:
        if not stat.S_ISDIR(target.stat().st_mode):
            raise UsageError(f"--into {str(target)!r} is no folder: choose another one")
    except (FileNotFoundError, PermissionError):
        if target.is_symlink():
            raise UsageError(f"--into {str(target)!r} is a link that leads nowhere: choose a folder") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"--into {str(target)!r} cannot be a folder ({reason}): choose another one") from error


def runs_of(sources: Sequence[Path]) -> dict[Path, list[Path]]:
    """Where runs lie below these folders, sorted, each with the folders that have it, in their order."""
    found: dict[Path, list[Path]] = {}
    for source in sources:
        places = [folder.relative_to(source) for folder in source.glob(f"*/*/{RUN_FOLDERS}") if folder.is_dir()]
        if not places and not any(source.glob(f"*/{CHECKPOINTS}/*")):
            logger.warning("%s holds no run: is it a results folder?", source)
        for place in places:
            found.setdefault(place, []).append(source)
    return dict(sorted(found.items()))


def _refuse_nested(folders: Sequence[tuple[Path, Path]]) -> None:
    for inner, named in folders:
        for outer, other in folders:
            if outer in inner.parents:
                raise UsageError(f"{named} lies inside of {other}: give folders beside each other")
