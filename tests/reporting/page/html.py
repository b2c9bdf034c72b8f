"""What an HTML page holds, by the parser of Python's library."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

EMPTY = ("meta", "link", "img", "input", "br")  # elements without an end


@dataclass
class Page(HTMLParser):
    """tags: (name, attributes) of each start tag. texts: by the name of the element that holds them directly."""

    source: bytes
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.source.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open.pop() != tag:  # an element that may be left open
            pass

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.texts)

    def of(self, name: str) -> list[dict[str, str | None]]:
        """The attributes of each element with this name."""
        return [attributes for tag, attributes in self.tags if tag == name]

    def inside(self, name: str) -> str:
        return "".join(text for tag, text in self.texts if tag == name)

    def shape(self) -> set[tuple[str, str]]:
        """Which elements have which attributes."""
        return {(tag, name) for tag, attributes in self.tags for name in ("", *attributes)}
