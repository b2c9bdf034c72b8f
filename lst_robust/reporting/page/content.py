"""What a report page shows, as plain data.

All texts are data: names of networks, classes and files may hold any character, and are escaped when the page is
written. Only `Picture.svg` is markup. Errors and means are percentages, differences are percentage points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

Verdict = Literal["regression", "passed", "incomparable", "missing"]


@dataclass(frozen=True)
class DataTable:
    """A plain table of texts. Columns whose texts are all numbers are set flush right."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A figure. svg: one <svg> element without scripts, event handlers, style elements and style attributes, because
    the page's policy forbids them. Its ids need to be unique only inside of it."""

    svg: Markup
    title: str
    description: str
    """The text alternative: what one would say about the figure to somebody who does not see it."""
    caption: str = ""
    """How to read it, below the figure."""
    data: DataTable | None = None
    """The numbers behind it, folded away below the figure."""


@dataclass(frozen=True)
class Column:
    """A column of a leaderboard. All its bars have one scale."""

    name: str
    """The quantity, as `lst-robust table --format csv` calls it: "clean_error"."""
    label: str
    group: str = ""
    """What stands above neighbouring columns of the same group."""
    decimals: int = 1
    """Of spreads and intervals. A cell's own text is written as it comes."""
    lower_is_better: bool = True


@dataclass(frozen=True)
class Cell:
    """A value of a leaderboard. text: the value exactly as `lst-robust table` prints it; value: what is sorted."""

    text: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    """low and high: the ends of the 95 % interval over images, or None."""
    spread: float | None = None
    """The standard deviation over trainings, where the value is their mean."""
    best: bool = False


@dataclass(frozen=True)
class Row:
    """A network of a leaderboard: the mean of its trainings, or its only one."""

    name: str
    cells: tuple[Cell, ...]
    """One for each column of the board."""
    family: str = ""
    source: str = ""
    """Where the network or its row comes from: "torchvision", "RobustBench". Shown below the name."""
    params: int | None = None
    macs: int | None = None
    """Multiply-accumulates of one image."""
    images_per_second: float | None = None
    trainings: tuple[Row, ...] = ()
    """The single trainings behind a mean, which one can unfold. Their `trainings` are empty, and their family is not
    shown: it is their network's."""
    page: str | None = None
    """The key of this network's `NetworkPage`."""


@dataclass(frozen=True)
class Board:
    """The leaderboard of one protocol. Rows of two protocols are never in one board."""

    caption: str
    """The protocol in one line."""
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    """In the order in which they are shown at first."""
    notes: tuple[str, ...] = ()
    published_by: str = ""
    """Who published these rows: such a board is grey and marked. Empty for one's own."""


@dataclass(frozen=True)
class Answer:
    """What a network said about an example."""

    network: str
    label: str
    right: bool
    confidence: float | None = None
    """0 to 1."""
    clean_label: str | None = None
    """What it said about the clean image, where that was another answer: then the answer flipped."""


@dataclass(frozen=True)
class Example:
    """An image as the networks saw it. image: a PNG or JPEG file; larger ones make the page heavy."""

    image: bytes
    name: str
    """The image's id."""
    label: str
    """The true class."""
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class ExampleGroup:
    """The examples of one corruption at one severity, in the order in which they are shown: worst flips first."""

    title: str
    """Such as "Fog, severity 3"."""
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Section:
    """All that is shown of one protocol."""

    title: str
    """The suite, such as "cifar10-jpeg"."""
    caption: str = ""
    board: Board | None = None
    published: tuple[Board, ...] = ()
    """Other people's rows, each protocol in a board of its own, below the first."""
    pictures: tuple[Picture, ...] = ()
    examples: tuple[ExampleGroup, ...] = ()
    examples_caption: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """What a baseline says about one network."""

    network: str
    suite: str
    verdict: Verdict
    message: str
    """The line that `lst-robust check` prints."""
    baseline: float | None = None
    current: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    """low and high: the ends of the difference's 95 % interval."""
    harmed: tuple[tuple[str, float], ...] = ()
    """Corruptions that became worse beyond chance, with their differences."""


@dataclass(frozen=True)
class Changes:
    """What changed since a baseline."""

    baseline: str
    """The name of its file."""
    metric: str
    """The label of the metric, such as "mCE (15)"."""
    tolerance: float
    changes: tuple[Change, ...]
    lower_is_better: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fact:
    """A line of a network's provenance."""

    term: str
    text: str
    code: bool = False
    """Whether it is a hash, a path or a command's word, which is set in a fixed width."""


@dataclass(frozen=True)
class Command:
    """A command that can be copied. text: may have several lines."""

    purpose: str
    text: str


@dataclass(frozen=True)
class NetworkPage:
    """The page of one network. key: unique in the report; the file's name is made of it."""

    key: str
    name: str
    family: str = ""
    caption: str = ""
    """The protocol in one line."""
    facts: tuple[Fact, ...] = ()
    pictures: tuple[Picture, ...] = ()
    worst_cells: DataTable | None = None
    confusions: DataTable | None = None
    commands: tuple[Command, ...] = ()
    notes: tuple[str, ...] = ()
    suite: str = ""
    """Stands behind its name in the list of all pages."""


@dataclass(frozen=True)
class Report:
    """A whole report: `index.html`, and a page for each network."""

    title: str
    generated: str
    """When it was made, as text, in UTC."""
    version: str
    """Of lst-robust."""
    command: str
    """The command that made it."""
    sections: tuple[Section, ...] = ()
    networks: tuple[NetworkPage, ...] = ()
    changes: Changes | None = None
    notes: tuple[str, ...] = ()
    """About the whole page, such as why there are no figures."""
