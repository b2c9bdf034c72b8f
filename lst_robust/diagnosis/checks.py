"""All checks, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from lst_robust.diagnosis import folders, hardware, kernels, software
from lst_robust.diagnosis.finding import Finding
from lst_robust.errors import reason_of

CHECKS: tuple[tuple[str, Callable[[], Iterable[Finding]]], ...] = (
    ("Python", software.python),
    ("lst-robust", software.own_version),
    ("packages", software.packages),
    ("devices", hardware.devices),
    ("C++ compiler", kernels.compiler),
    ("ninja", kernels.ninja),
    ("corruption kernels", kernels.corruption_kernels),
    ("LST kernels", kernels.lst_kernels),
    ("cache", folders.cache),
    ("engine", hardware.engine),
    ("extras", software.extras),
    ("settings", software.settings),
    ("images", folders.images),
    ("results", folders.results),
    ("published weights", folders.weights),
)
AGAIN = "install lst-robust again, with what it needs: pip install --force-reinstall lst-robust"
FOLDERS = "name another folder in HOME, or in the variable LST_ROBUST_... that names this one"


def diagnose() -> Iterator[Finding]:
    """One finding after the other. Nothing is written outside of the cache, and nothing is compiled or downloaded.

    A check that fails itself, as where a package cannot be imported, is a fault and does not end the others.
    """
    for title, check in CHECKS:
        try:
            yield from check()
        except Exception as error:  # a broken package may raise anything when it is imported
            mend = FOLDERS if isinstance(error, OSError) and error.filename is not None else AGAIN
            yield Finding(title, "fault", f"cannot be looked at ({reason_of(error)})", mend)
