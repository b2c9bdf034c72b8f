"""Builds the documentation into build/site; a warning is an error.

    python tools/build_docs.py

Three steps: the reference of the command line is written from the commands, Zensical builds the pages, and every link
of the site and of the Markdown files is followed. Ends with 1 where one of them complains.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import check_site
import cli_reference

ROOT = Path(__file__).parents[1]
DOCS, SITE = ROOT / "docs", ROOT / "build" / "site"


def build() -> list[str]:
    """Builds the pages, and gives back what was complained of. Zensical's strict mode does not know the warnings of the
    docstrings' reader (griffe), so its lines are looked for."""
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "--clean"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    warnings = [line for line in done.stdout.splitlines() if line.startswith("griffe:")]
    return [done.stdout] if done.returncode else warnings


def main() -> None:
    cli_reference.write(DOCS / "reference" / "cli.md")
    faults = build()
    if not faults:
        markdown = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
        faults = [
            *check_site.faults_of_site(SITE),
            *(f for file in markdown for f in check_site.faults_of_markdown(file)),
        ]
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        sys.exit(1)
    print(f"{SITE.relative_to(ROOT)}/index.html: {len(list(SITE.rglob('*.html')))} pages, every link leads somewhere")
    print(f"To search as well: python -m http.server -d {SITE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
