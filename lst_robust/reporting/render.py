"""A robustness table as text for files: CSV for machines; Markdown, LaTeX (booktabs) and HTML for people."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import pandas as pd
from rich.console import RenderableType

from lst_robust.arguments import choice, names, wrong
from lst_robust.reporting.columns import label
from lst_robust.reporting.formatting import LEGEND, MISSING, formatted
from lst_robust.reporting.protocols import PROTOCOL
from lst_robust.reporting.tables import columns_of, groups
from lst_robust.reporting.terminal import TerminalTables

Format = Literal["rich", "csv", "md", "latex", "html"]

_LATEX_SPECIAL = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"·": r"$\cdot$", "–": "--", "±": r"$\pm$", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
)
_STYLE = (
    "body{font-family:sans-serif;font-size:14px;margin:2em}table{border-collapse:collapse;margin:.5em 0}"
    "th,td{padding:.2em .5em;text-align:right}th{text-align:center}tbody th{text-align:left;white-space:nowrap}"
    "thead{border-bottom:1px solid}p{color:#555;margin:.2em 0 2em}"
)


def render(table: pd.DataFrame, format: Format, *, notes: Sequence[str] = ()) -> str | RenderableType:
    """The table of `robustness_table` as text, or for "rich" as something a rich console prints to its width.

    csv has one line a row with the protocol in columns of their own, plain numbers and no marks. The others
    have one table a protocol under a caption, with the best value of each column marked, and `notes` at the
    end. Raises UsageError for other formats.
    """
    if not isinstance(table, pd.DataFrame) or list(table.index.names) != [*PROTOCOL, "model"]:
        raise wrong("table", table, "give what robustness_table returned")
    return _RENDERERS[choice("format", format, _RENDERERS)](table, names("notes", notes, empty=True))


def _csv(table: pd.DataFrame, notes: Sequence[str]) -> str:
    flat = table.round(6)
    flat.columns = flat.columns.get_level_values("quantity")
    return flat.reset_index().to_csv(index=False, lineterminator="\n")


def _markdown(table: pd.DataFrame, notes: Sequence[str]) -> str:
    parts = []
    for group in groups(table):
        text = formatted(group, "**{}**", " [{:.1f}, {:.1f}]")
        text.columns = pd.Index([f"{part}<br>{label(name)}" for part, name in columns_of(text)])
        text.index = pd.Index(
            [html.escape(str(name), quote=False).replace("|", r"\|") for name in text.index], name="Model"
        )
        aligned = ("left", *["right"] * len(text.columns))
        body = text.to_markdown(disable_numparse=True, colalign=aligned)
        parts.append("\n\n".join([f"**{group.caption}**", body, " ".join((LEGEND, *group.notes))]))
    parts += ["\n".join(f"- {html.escape(note, quote=False)}" for note in notes)] if notes else []
    return "\n\n".join(parts) + "\n"


def _latex(table: pd.DataFrame, notes: Sequence[str]) -> str:
    parts = ["% needs \\usepackage{booktabs,graphicx}"]
    for group in groups(table):
        text = formatted(group, r"\textbf{{{}}}", " [{:.1f}, {:.1f}]").replace(MISSING, "--")
        text.columns = pd.MultiIndex.from_tuples(
            [(part, rf"\rotatebox{{90}}{{{label(name)}}}") for part, name in columns_of(text)]
        )
        text.index = pd.Index([str(name).translate(_LATEX_SPECIAL) for name in text.index])
        caption = f"{group.caption}. {' '.join((LEGEND, *group.notes))}".translate(_LATEX_SPECIAL)
        body = text.style.to_latex(
            hrules=True, column_format="l" + "r" * len(text.columns), multicol_align="c", caption=caption
        )
        tabular = body.replace(r"\begin{tabular}", "\\resizebox{\\textwidth}{!}{%\n\\begin{tabular}")
        parts.append(tabular.replace(r"\end{tabular}", r"\end{tabular}}"))
    return "\n".join([*parts, *(rf"\par\noindent {note.translate(_LATEX_SPECIAL)}" for note in notes)])


def _html(table: pd.DataFrame, notes: Sequence[str]) -> str:
    parts = [f'<!doctype html>\n<meta charset="utf-8">\n<title>Robustness</title>\n<style>{_STYLE}</style>']
    for group in groups(table):
        text = formatted(group, "<strong>{}</strong>", "<br><small>[{:.1f}, {:.1f}]</small>")
        text.columns = pd.MultiIndex.from_tuples([(part, label(name)) for part, name in columns_of(text)])
        text.index = pd.Index([html.escape(str(name)) for name in text.index])
        parts.append(f"<h2>{html.escape(group.caption)}</h2>")
        parts.append(text.to_html(escape=False, border=0))
        parts.append(f"<p>{html.escape(' '.join((LEGEND, *group.notes)))}</p>")
    return "\n".join([*parts, *(f"<p>{html.escape(note)}</p>" for note in notes)]) + "\n"


def _rich(table: pd.DataFrame, notes: Sequence[str]) -> RenderableType:
    return TerminalTables(groups(table), notes)


_RENDERERS: Mapping[str, Callable[[pd.DataFrame, Sequence[str]], str | RenderableType]] = {
    "rich": _rich,
    "csv": _csv,
    "md": _markdown,
    "latex": _latex,
    "html": _html,
}
