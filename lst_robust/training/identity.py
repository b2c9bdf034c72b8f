"""Which training it is, so that an interrupted one is never mixed with another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lst_robust.errors import CheckpointError

WORDS = {  # for fields whose values are digests
    "images": "the list of images",
    "train_images": "the list of images",
    "content": "the images' content",
    "train_pixels": "the images' content",
    "test_images": "the list of test images",
    "test_pixels": "the test images' content",
    "code": "the network's file",
}
MOST_NAMED = 3  # differences in one message
LONGEST = 40  # characters of a value in a message


@dataclass(frozen=True)
class Identity:
    """What decides the weights, as JSON values. The number of processes, the device and its precision are left out.

    named: what the names of files depend on. unnamed: the rest.
    """

    named: Mapping[str, Any]
    unnamed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, Any]:
        """All of it."""
        return {**self.named, **self.unnamed}

    @property
    def digest(self) -> str:
        """10 hex digits, which stand in the names of files of this training."""
        return hashlib.sha256(json.dumps(self.named, sort_keys=True).encode()).hexdigest()[:10]

    def require_same(self, saved: Mapping[str, Any] | None, path: Path) -> None:
        """CheckpointError where the interrupted training in the file `path` is another one.

        saved: the fields that it was saved with. None: an earlier release saved none, and the file's name must tell.
        """
        if saved is None:
            if path.stem.endswith(f"-{self.digest}"):
                return
            found = "an earlier release left this interrupted training and did not note which one it is"
        else:
            what = differences(saved, self.fields)
            if not what:
                return
            found = f"the interrupted training in this file is another one ({what})"
        raise CheckpointError(f"{path}: {found}: start anew with lst-robust train --no-resume, or give another --out")


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What is different in two trainings, in words; "" where nothing is."""
    before, now = _flat(old), _flat(new)
    found = [
        f"{WORDS.get(key, key)} was {_short(before, key)} and is {_short(now, key)} now"
        for key in {**now, **before}
        if before.get(key) != now.get(key)
    ]
    more = f", and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return ", ".join(found[:MOST_NAMED]) + more


def _flat(fields: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"recipe": {"lr": 0.1}} -> {"recipe.lr": 0.1}."""
    flat: dict[str, Any] = {}
    for key, value in fields.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _short(flat: Mapping[str, Any], key: str) -> str:
    """A value for people. What is not among the fields has its default (see `Recipe.deciding`)."""
    text = str(flat[key]) if key in flat else "the default"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
