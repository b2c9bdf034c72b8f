"""Follows every link of the built site and of Markdown files, without a network: is what it leads to there?

tools/build_docs.py calls it. Zensical checks links between the pages. This looks at what came out as well: pictures,
style sheets, links in HTML, anchors of the Python reference, and that no page fetches anything from another server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

FETCHED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(NamedTuple):
    """A page of HTML. `links`: (where to, whether the browser fetches it by itself); `ids`: its anchors."""

    links: list[tuple[str, bool]]
    ids: set[str]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page([], set())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attributes if value is not None}
        self.page.ids.update(given[name] for name in ("id", "name") if name in given)
        if tag == "a" and "href" in given:
            self.page.links.append((given["href"], False))
        if tag in FETCHED and FETCHED[tag] in given:
            self.page.links.append((given[FETCHED[tag]], True))


def read_page(text: str) -> Page:
    """The links and anchors of a page."""
    reader = _Reader()
    reader.feed(text)
    return reader.page


def faults_of_site(site: Path) -> Iterator[str]:
    """A line for each link of the site that leads nowhere, and for each thing that is fetched from elsewhere."""
    pages = {path: read_page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        if path.name == "404.html":  # its links begin at the root of a server
            continue
        for link, fetched in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if fetched and parts.scheme != "data":
                    yield f"{path.relative_to(site)}: fetches {link} from another server"
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
            target = target / "index.html" if target.is_dir() else target
            known = pages.get(site / target.relative_to(site.resolve())) if _below(target, site) else None
            if not _below(target, site) or not target.exists():
                yield f"{path.relative_to(site)}: {link} leads nowhere"
            elif parts.fragment and known and unquote(parts.fragment) not in known.ids:
                yield f"{path.relative_to(site)}: {link} has no such anchor"


def faults_of_markdown(file: Path) -> Iterator[str]:
    """A line for each relative link of a Markdown file that leads nowhere. Anchors are those of GitHub."""
    for link in re.findall(r"\]\(([^)\s]+)\)", file.read_text(encoding="utf-8")):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = file.parent / unquote(parts.path) if parts.path else file
        if not target.exists():
            yield f"{file}: {link} leads nowhere"
        elif parts.fragment and parts.fragment not in anchors(target.read_text(encoding="utf-8")):
            yield f"{file}: {link} has no such heading"


def anchors(markdown: str) -> set[str]:
    """The anchors of a Markdown text's headings, by GitHub's rule."""
    text = re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ +(.+?) *$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _below(path: Path, folder: Path) -> bool:
    return path.is_relative_to(folder.resolve())
