"""What one check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "fault"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    what: its name. state: `note` means that something is missing or slower which not everybody needs, `fault` that
    something is broken which is needed. text: what was found. mend: what to do; empty where nothing needs to be done.
    """

    what: str
    state: State
    text: str
    mend: str = ""
