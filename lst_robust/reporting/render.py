"""A robustness table as text for files: CSV for machines; Markdown, LaTeX (booktabs) and HTML for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import pandas as pd
from rich.console import RenderableType

from lst_robust.arguments import choice, names, wrong
from lst_robust.reporting.columns import label
from lst_robust.reporting.escaping import csv_cell, html, markdown
from lst_robust.reporting.formatting import LEGEND, formatted
from lst_robust.reporting.latex import latex_tables
from lst_robust.reporting.protocols import PROTOCOL
from lst_robust.reporting.tables import TRAININGS, columns_of, groups
from lst_robust.reporting.terminal import TerminalTables

Format = Literal["rich", "csv", "md", "latex", "html"]

_STYLE = (
    "body{font-family:sans-serif;font-size:14px;margin:2em}table{border-collapse:collapse;margin:.5em 0}"
    "th,td{padding:.2em .5em;text-align:right}th{text-align:center}tbody th{text-align:left;white-space:nowrap}"
    "thead{border-bottom:1px solid}p{color:#555;margin:.2em 0 2em}"
)
_HEAD = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Robustness</title>
<style>{_STYLE}</style>"""


def render(table: pd.DataFrame, format: Format, *, notes: Sequence[str] = ()) -> str | RenderableType:
    """The table of `robustness_table` as text, or for "rich" as something a rich console prints to its width.

    csv has one line a row with the protocol in columns of their own, plain numbers and no marks; a text that a
    spreadsheet would take for a formula has an apostrophe in front. The others have one table a protocol under a
    caption, with the best value of each column marked, and `notes` at the end. latex is a document that compiles, and
    that a paper can \\input. Names are escaped in every format. Raises UsageError for other formats.
    """
    if not isinstance(table, pd.DataFrame) or list(table.index.names) != [*PROTOCOL, "model"]:
        raise wrong("table", table, "give what robustness_table returned")
    return _RENDERERS[choice("format", format, _RENDERERS)](table, names("notes", notes, empty=True))


def _csv(table: pd.DataFrame, notes: Sequence[str]) -> str:
    flat = table.round(6)
    flat.columns = pd.Index([csv_cell(name) for name in flat.columns.get_level_values("quantity")])
    if TRAININGS[1] in flat:
        flat[TRAININGS[1]] = flat[TRAININGS[1]].astype("Int64")  # a number of trainings is a whole one
    flat = flat.reset_index()
    texts = table.index.names
    flat[texts] = flat[texts].map(csv_cell)
    return flat.to_csv(index=False, lineterminator="\n")


def _markdown(table: pd.DataFrame, notes: Sequence[str]) -> str:
    parts = []
    for group in groups(table):
        text = formatted(group, "**{}**", " [{:.1f}, {:.1f}]")
        text.columns = pd.Index([f"{markdown(part)}<br>{markdown(label(name))}" for part, name in columns_of(text)])
        text.index = pd.Index([markdown(name) for name in text.index], name="Model")
        aligned = ("left", *["right"] * len(text.columns))
        body = text.to_markdown(disable_numparse=True, colalign=aligned)
        remarks = " ".join(map(markdown, (LEGEND, *group.notes)))
        parts.append("\n\n".join([f"**{markdown(group.caption)}**", body, remarks]))
    parts += ["\n".join(f"- {markdown(note)}" for note in notes)] if notes else []
    return "\n\n".join(parts) + "\n"


def _latex(table: pd.DataFrame, notes: Sequence[str]) -> str:
    return latex_tables(groups(table), notes)


def _html(table: pd.DataFrame, notes: Sequence[str]) -> str:
    parts = [_HEAD]
    for group in groups(table):
        text = formatted(group, "<strong>{}</strong>", "<br><small>[{:.1f}, {:.1f}]</small>")
        text.columns = pd.MultiIndex.from_tuples([(html(part), html(label(name))) for part, name in columns_of(text)])
        text.index = pd.Index([html(name) for name in text.index])
        parts.append(f"<h2>{html(group.caption)}</h2>")
        parts.append(text.to_html(escape=False, border=0))
        parts.append(f"<p>{html(' '.join((LEGEND, *group.notes)))}</p>")
    return "\n".join([*parts, *(f"<p>{html(note)}</p>" for note in notes)]) + "\n"


def _rich(table: pd.DataFrame, notes: Sequence[str]) -> RenderableType:
    return TerminalTables(groups(table), notes)


_RENDERERS: Mapping[str, Callable[[pd.DataFrame, Sequence[str]], str | RenderableType]] = {
    "rich": _rich,
    "csv": _csv,
    "md": _markdown,
    "latex": _latex,
    "html": _html,
}
