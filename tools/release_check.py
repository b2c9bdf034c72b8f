"""Is the repository ready for the release of this tag? The version, the tag, CHANGELOG.md and CITATION.cff must agree.

    python tools/release_check.py v1.2.3

Prints a line for each disagreement and ends with 1 if there is one.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def disagreements(tag: str, root: Path = ROOT) -> list[str]:
    """One line for each file below `root` that does not speak of the version of `tag`, which is v and the version."""
    version = re.search(r'__version__ = "(.+)"', (root / "lst_robust/_version.py").read_text())
    stated = version[1] if version else "nothing"
    lines = []
    if tag != f"v{stated}":
        lines.append(f"the tag is {tag}, but lst_robust/_version.py says {stated}: the tag must be v{stated}")
    if not re.search(rf"^version: {re.escape(stated)}$", (root / "CITATION.cff").read_text(), flags=re.MULTILINE):
        lines.append(f"CITATION.cff does not say version: {stated}")
    changes = (root / "CHANGELOG.md").read_text()
    if not re.search(rf"^## \[{re.escape(stated)}\] - \d{{4}}-\d\d-\d\d$", changes, flags=re.MULTILINE):
        lines.append(f"CHANGELOG.md has no heading ## [{stated}] with a date")
    unreleased = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## )", changes, flags=re.MULTILINE | re.DOTALL)
    if unreleased and unreleased[1].strip():
        lines.append(f"CHANGELOG.md has changes under Unreleased: they belong under {stated}")
    return lines


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("error: give the tag, such as v1.2.3", file=sys.stderr)
        return 2
    found = disagreements(arguments[0])
    for line in found:
        print(f"error: {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
