"""A report as files: HTML pages that need nothing but themselves.

Every page forbids by its Content-Security-Policy all that it does not hold itself: there is no request to a network,
and no script or style but the two of this package, which are named by their hashes. jinja2 escapes every text.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lst_robust.reporting.page import bars, thumbnails
from lst_robust.reporting.page.addresses import unique_slugs
from lst_robust.reporting.page.content import Column, NetworkPage, Report
from lst_robust.reporting.page.glossary import TERMS
from lst_robust.reporting.page.svg import embedded
from lst_robust.reporting.palette import DARK, LIGHT

PACKAGE = "lst_robust.reporting.page"
UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
"""Characters that a page must not hold, that have no shape, or that turn around what is beside them, so that a name
looks like another. Tabs and line breaks are not among them."""
ALWAYS_BELONG = 100  # from here on a number needs no digits behind the point


def render_report(report: Report) -> dict[str, bytes]:
    """The files of a report by their paths: "index.html" and "networks/<slug>.html". UTF-8.

    Raises ValueError where the content does not fit together: a row with more or fewer cells than columns, a link to a
    network without a page, two pages with one key, a figure or an image that a page cannot show.
    """
    _check(report)
    slugs = unique_slugs([network.key for network in report.networks])
    environment = _environment()
    environment.globals["slugs"] = slugs
    pages = {"index.html": _html(environment, "index.html.j2", report, None)}
    for network in report.networks:
        pages[f"networks/{slugs[network.key]}.html"] = _html(environment, "network.html.j2", report, network)
    return pages


def content_security_policy(style: str, script: str) -> str:
    """The policy of a page with this one style and this one script."""
    return "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            f"style-src '{_sha256(style)}'",
            f"script-src '{_sha256(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def colour_variables() -> str:
    """The colours of figures as CSS variables, which the page's own style uses as well."""
    rules = (f"--{name}: light-dark({colour}, {DARK[name]});" for name, colour in LIGHT.items())
    return f":root {{ {' '.join(rules)} }}\n"


def printable(value: object) -> object:
    """What a page writes for a value: characters without a shape become escapes that one can read, such as \\x1b."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), value)


def significant(number: float) -> str:
    """Three significant digits, never with an exponent: 0.0408, 25.6, 1,870."""
    if abs(number) >= ALWAYS_BELONG:
        return f"{number:,.0f}"
    text = f"{number:.3g}"
    return f"{number:.6f}" if "e" in text else text


def _html(environment: Environment, template: str, report: Report, network: NetworkPage | None) -> bytes:
    """One page. It ends in one line break."""
    rendered = environment.get_template(template).render(report=report, network=network)
    return (rendered.rstrip() + "\n").encode()


def _environment() -> Environment:
    style, script = colour_variables() + _resource("page.css"), _resource("page.js")
    environment = Environment(
        loader=PackageLoader(PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        style=Markup(style),
        script=Markup(script),
        policy=content_security_policy(style, script),
        bars=bars,
        glossary=TERMS,
    )
    environment.filters.update(
        embedded=embedded,
        significant=significant,
        data_address=thumbnails.data_address,
        has_few_pixels=thumbnails.has_few_pixels,
        is_number=_is_number,
        grouped_columns=_grouped,
    )
    return environment


def _resource(name: str) -> str:
    """A file of this package, with the line breaks that a browser hashes."""
    return (files(PACKAGE) / name).read_text(encoding="utf-8").replace("\r\n", "\n")


def _sha256(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+−]?[\d,]*\.?\d+( ?%)?|–|", text) is not None


def _grouped(columns: Sequence[Column]) -> list[tuple[str, int]]:
    """Each group of neighbouring columns, with their number."""
    return [(group, len(list(members))) for group, members in groupby(columns, key=lambda column: column.group)]


def _check(report: Report) -> None:
    keys = {network.key for network in report.networks}
    for section in report.sections:
        for board in (*((section.board,) if section.board else ()), *section.published):
            for row in (one for network in board.rows for one in (network, *network.trainings)):
                if len(row.cells) != len(board.columns):
                    raise ValueError(f"{row.name!r} has {len(row.cells)} cells for {len(board.columns)} columns")
                if row.page is not None and row.page not in keys:
                    raise ValueError(f"{row.name!r} links to the page {row.page!r}, which is not in the report")
