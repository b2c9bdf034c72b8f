"""Every error a person can cause: one line, naming what is wrong and what to do, with the exit code that it leads to.

Exit codes: 0 fine, 1 regression found, 2 usage, 3 data, checkpoint or runtime failure, 5 nothing to evaluate,
130 interrupted (Ctrl-C), 141 the reader of a pipe has gone, 143 ended by SIGTERM. Codes 1, 130, 141 and 143 are results
of a command, not errors, so they have no class here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}  # control characters, bytes of a name that is not UTF-8, line breaks
TURNING = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # the direction of writing
MAX_REASON = 300  # characters of another's error
LISTED_BY = {"model": "models", "suite": "suites", "published weights": "weights"}  # kind of name -> command


class LstRobustError(Exception):
    """Base of every expected error. The command line prints its text and exits with `exit_code`.

    The text is one line; where several mistakes are reported at once, each is an argument and a line of its own.
    """

    exit_code = 3

    def __str__(self) -> str:
        return "\n".join(one_line(str(line)) for line in self.args)


class UsageError(LstRobustError, ValueError):
    """An argument, option or suite that cannot be meant: unknown name, wrong dtype, severity outside 1..5."""

    exit_code = 2


class DataError(LstRobustError):
    """Images, labels or records that are missing, unreadable or do not fit together."""


class CheckpointError(LstRobustError):
    """A checkpoint that is missing, damaged, unsafe to read or made for another network."""


class NonFiniteError(LstRobustError):
    """A network's output, loss or weights that are NaN or infinite, or weights that are too large for float16."""


class DeviceError(LstRobustError):
    """A device that does not answer any more: nothing else can be done on it in this process."""


class NothingToEvaluateError(LstRobustError):
    """The request is well formed but selects nothing: no image, no cell, no record."""

    exit_code = 5


def one_line(text: str) -> str:
    """Text that prints as one line wherever its parts come from: a file's name may hold line breaks, commands to the
    terminal, bytes that are not UTF-8, and marks that let it be read in another order, which become escapes (\\n,
    \\x1b, \\udcff, \\u202e)."""
    if text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode() if char in TURNING or unicodedata.category(char) in UNPRINTABLE else char
        for char in text
    )


def reason_of(error: Exception) -> str:
    """Why something failed, in one line: an error of this package says it itself, another one with its type."""
    if isinstance(error, LstRobustError):
        return str(error)
    kind = "not enough memory" if isinstance(error, MemoryError) else type(error).__name__
    return f"{kind}: {message_of(error)}" if str(error).strip() else kind


def message_of(error: BaseException, longest: int = MAX_REASON) -> str:
    """What another's error says, as one line of at most so many characters; its type where it says nothing."""
    return one_line(" ".join(str(error).split())[:longest]) or type(error).__name__


def some_names(names: Sequence[str], most: int = 3) -> str:
    """The first of the names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def unknown_name(kind: str, name: object, known: Iterable[str]) -> UsageError:
    """A `UsageError` for an unknown name that offers the nearest known ones (or all, when they are few)."""
    known = sorted(known)
    if isinstance(name, str) and len(name) > 100:
        name = f"{name[:100]}..."
    listing = f" (`lst-robust {LISTED_BY[kind]}` lists all)" if kind in LISTED_BY else ""
    nearest = get_close_matches(name, known, n=3, cutoff=0.5) if isinstance(name, str) else []
    if nearest:
        advice = "did you mean " + " or ".join(nearest) + f"?{listing}"
    elif len(known) <= 20:
        advice = "choose from " + ", ".join(known)
    else:
        advice = f"there are {len(known)} to choose from, {known[0]} ... {known[-1]}{listing}"
    return UsageError(f"unknown {kind} {name!r}: {advice}")
