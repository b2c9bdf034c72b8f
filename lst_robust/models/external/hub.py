"""Repositories of the Hugging Face hub, and folders like them: where they are, and whether their weights are data."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from lst_robust.errors import CheckpointError, UsageError, message_of
from lst_robust.models.external.common import standard_output_for_results

REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
SAFE = ("model.safetensors", "model.safetensors.index.json")  # the second, where the weights are in several files
PICKLES = ("*.bin", "*.pth", "*.pt", "*.ckpt", "*.h5", "*.msgpack")


class Place(NamedTuple):
    """A folder, or a repository (`owner/name`) with what may follow its @: a branch, tag or commit."""

    where: str
    revision: str | None = None
    folder: bool = False


def folder_place(name: str, folder: str) -> Place:
    """The place that is this folder; CheckpointError where it has no description of a network."""
    if not (Path(folder) / "config.json").is_file():
        raise CheckpointError(
            f"{name}: there is no {Path(folder) / 'config.json'}: give the folder of config.json and model.safetensors"
        )
    return Place(folder, folder=True)


def repository_place(name: str, text: str) -> Place:
    """The place in `owner/name` or `owner/name@revision`; UsageError for another text."""
    where, at, revision = text.partition("@")
    if not REPOSITORY.fullmatch(where) or (at and not revision):
        raise UsageError(f"{name}: there is no folder {text!r}, and it is no repository: give OWNER/NAME, or a folder")
    return Place(where, revision or None)


def require_safetensors(name: str, place: Place) -> None:
    """CheckpointError where the weights are not in files of safetensors: others may hold code. A repository's are
    fetched, if they are not in the cache."""
    if _safe_files(place) if place.folder else _fetched(name, place):
        return
    pickles = sorted(file.name for pattern in PICKLES for file in Path(place.where).glob(pattern))
    found = f"only {pickles[0]}, which may hold code" if pickles else "no model.safetensors"
    raise CheckpointError(
        f"{name} has {found}: take another version of it, or load it where you trust it and save it by "
        "save_pretrained(), which writes model.safetensors"
    )


@contextmanager
def quiet_hub() -> Iterator[None]:
    """Within it the hub's client does not speak of each time it tries again, and standard output is for results."""
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with standard_output_for_results():
            yield
    finally:
        logger.setLevel(before)


def _safe_files(place: Place) -> bool:
    return any((Path(place.where) / file).is_file() for file in SAFE)


def _fetched(name: str, place: Place) -> bool:
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    if any(isinstance(try_to_load_from_cache(place.where, file, revision=place.revision), str) for file in SAFE):
        return True
    for file in SAFE:
        try:
            with quiet_hub():
                hf_hub_download(place.where, file, revision=place.revision)
            return True
        except LocalEntryNotFoundError as error:  # there is no network, or it must not be used
            raise not_fetched(name, place, error) from error
        except EntryNotFoundError:
            continue
        except Exception as error:  # of the library's own client for HTTP, which changes from release to release
            raise not_fetched(name, place, error) from error
    return False


def not_fetched(name: str, place: Place, error: BaseException) -> CheckpointError:
    """That a repository's files are neither in the cache nor to be had."""
    at = f" --revision {place.revision}" if place.revision else ""
    said = message_of(error).split(". ")[0]
    return CheckpointError(
        f"{name} is not in the cache and cannot be fetched ({said}): where there is a network, run `hf "
        f"download {place.where}{at}` and copy the folder of HF_HOME here, or copy the files and give their folder"
    )
