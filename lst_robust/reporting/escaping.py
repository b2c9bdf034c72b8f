"""Names, captions and notes as plain text of each format.

Names of networks, suites, classes and files are data, and a record's JSON may hold any string. What stands here makes
such a string harmless in one format, and keeps it as readable as the format allows. In every format, control
characters, bytes that are not UTF-8, line breaks and marks that turn the direction of writing become escapes, such as
\\n or \\x1b, see `lst_robust.errors.one_line`. LaTeX has a module of its own, `escaping_latex`.
"""

from __future__ import annotations

import html as _html
import re

from rich.text import Text

from lst_robust.errors import one_line
from lst_robust.reporting.escaping_latex import latex

__all__ = ["csv_cell", "html", "latex", "markdown", "plain", "terminal", "xml"]

FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""What makes a spreadsheet take a cell for a formula (OWASP, CSV injection). Tabs and line breaks, which OWASP names as
well, are escapes already; the last four are the wide forms, which some spreadsheets read as the narrow ones."""

_MARKDOWN = re.compile(r"[\\`*\[\]#!~$|]|(?<![^\W_])_|_(?![^\W_])")  # an underscore inside of a word is no emphasis
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_LEADING = re.compile(r"^(?:[-+=]|\d+(?=[.)]))")  # lists, and what underlines a heading
_EDGES = re.compile(r"^\s+|\s+$")  # before a mark, a space would keep it from closing
_LINK = re.compile(r"(?i)\b(?:https?|ftp|mailto|xmpp):(?=\S)|\bwww(?=\.)|(?<!\w)@(?=\w)|@(?=[\w-]+\.\w)")
_BREAK = "<!-- -->"  # nothing to see, and no link or mention across it
_NOT_XML = re.compile("[\ufffe\uffff]")  # beside the control characters, which are escapes already


def plain(text: str) -> str:
    """One line without control characters, for what escapes by itself, such as a template or an SVG writer."""
    return one_line(str(text))


def html(text: str) -> str:
    """For the content of an element and for an attribute in quotation marks."""
    return _html.escape(plain(text), quote=True)


def markdown(text: str) -> str:
    """For a paragraph, an entry of a list or a cell of a table in GitHub's Markdown: no markup, image, link or HTML,
    and no end of the cell. Underscores inside of a word stay as they are, so that names of networks stay readable."""
    escaped = _MARKDOWN.sub(lambda found: "\\" + found[0], plain(text).translate(_ENTITIES))
    escaped = _LINK.sub(lambda found: found[0] + _BREAK, escaped)
    escaped = _LEADING.sub(lambda found: found[0] + "\\" if found[0].isdigit() else "\\" + found[0], escaped)
    return _EDGES.sub(lambda found: "".join(f"&#{ord(space)};" for space in found[0]), escaped)


def csv_cell(text: str) -> str:
    """For a text in a CSV file, which a spreadsheet may open: one that begins with = + - or @ gets an apostrophe in
    front, so that it is no formula. The csv module quotes the rest. Numbers are not to go through this."""
    line = plain(text)
    return f"'{line}" if line.startswith(FORMULA) else line


def terminal(text: str, style: str = "") -> Text:
    """For rich: text that is no markup and holds no commands to the terminal."""
    return Text(plain(text), style=style)


def xml(text: str) -> str:
    """For an XML writer, which escapes markup itself but would write characters that XML 1.0 does not allow."""
    return _NOT_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", plain(text))
