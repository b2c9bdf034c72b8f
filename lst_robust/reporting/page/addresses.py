"""Names of files for the pages of networks, made of names that may hold anything."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

LONGEST = 60  # characters; a file system allows 255 bytes for a name
RESERVED = {"con", "prn", "aux", "nul", *(f"{device}{number}" for device in ("com", "lpt") for number in range(10))}
"""Names of devices on Windows, also with an extension."""


def slug(name: str) -> str:
    """Letters a-z, digits, "-" and "_", at most 60 and at least one: safe as a file's name on every system, and in an
    address. A name that has to be changed for this gets a hash, so that different names rarely meet: "lst20" stays
    "lst20", "timm:resnet50" becomes "timm-resnet50-" and eight hexadecimal digits."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9_]+", "-", plain).strip("-")
    if words == name and words not in RESERVED and 0 < len(words) <= LONGEST:
        return words
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{words[: LONGEST - 17].strip('-') or 'network'}-{digest}"


def unique_slugs(names: Sequence[str]) -> dict[str, str]:
    """The slug of each name; no two are equal. Raises ValueError where a name stands twice."""
    slugs: dict[str, str] = {}
    used: set[str] = set()
    for name in names:
        if name in slugs:
            raise ValueError(f"two networks have the key {name!r}")
        first = chosen = slug(name)
        number = 1
        while chosen in used:
            number += 1
            chosen = f"{first}-{number}"
        used.add(chosen)
        slugs[name] = chosen
    return slugs
