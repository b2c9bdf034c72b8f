"""A robustness table for a paper: booktabs, one table a protocol, in the layout of the LST-Net paper's Table 4.

The file is both a document that compiles as it stands and one that a paper reads with \\input. It asks for booktabs and
graphicx, which every installation has (texlive-latex-recommended), and for no fonts but TeX's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from lst_robust.reporting.columns import label
from lst_robust.reporting.escaping_latex import latex, printed_length
from lst_robust.reporting.formatting import LEGEND, MISSING, formatted, names_of
from lst_robust.reporting.tables import TableGroup, columns_of

HEAD = r"""% A table of lst-robust.
% This file compiles as it stands: pdflatex FILE.tex
% In a paper: write \usepackage{booktabs,graphicx} into the preamble, and \input{FILE} where the tables shall stand. The
% preamble and the end of this file are then skipped. What can be copied by hand stands between the lines of dashes.
% The tables go over all columns of a page, and shrink where it is narrower than they are: --no-intervals makes them
% narrower. The numbers below a mean are the ends of its 95 % interval.
\expandafter\ifx\csname @nodocument\endcsname\relax % a document has begun
  \let\lstrobustend\relax
\else
  \documentclass[10pt]{article}
  \usepackage[a4paper,landscape,margin=12mm]{geometry}
  \usepackage{booktabs,graphicx}
  \ifdefined\pdfgentounicode \input{glyphtounicode}\pdfgentounicode=1 \fi % text can be searched and copied
  \pagestyle{empty}
  \def\lstrobustend{\end{document}}
  \begin{document}
\fi"""
BEGIN, END = f"% {'-' * 40} tables: begin", f"% {'-' * 40} tables: end"
SETTINGS = r"\centering\footnotesize\setlength{\tabcolsep}{2.5pt}\sloppy\frenchspacing\hyphenpenalty=10000"
FIT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
SMALL = r"\fontsize{6}{7}\selectfont "  # of the ends of intervals, below their means
_BOLD, _ENDS, _SPREAD = "\0", "\n", " ± "  # marks in formatted cells, of which no number is made

NAME_WIDTH = 34  # characters of a network's name in one line; longer ones are broken
LINES = 34  # of a page for the rows of a table; with more of them it goes on in a further one
NOTE = 190  # characters of a note in one line


class _Cell(NamedTuple):
    value: str
    spread: str  # the part behind the mean
    ends: str  # of the interval
    best: bool


class _Column(NamedTuple):
    part: str
    head: str
    cells: list[_Cell]

    @property
    def width(self) -> int:
        """Columns of the tabular: the spread has one of its own, so that the means stay in line."""
        return 2 if any(cell.spread for cell in self.cells) else 1


def latex_tables(groups: Sequence[TableGroup], notes: Sequence[str]) -> str:
    """The whole file."""
    tables = []
    for place, group in enumerate(groups, start=1):
        columns = _columns(group)
        further = list(notes) if place == len(groups) else []
        parts = _parts(group, columns, after=_lines_of(further))
        for number, rows in enumerate(parts, start=1):
            suffix = f" (part {number} of {len(parts)})" if len(parts) > 1 else ""
            below = [LEGEND, *group.notes, *(further if number == len(parts) else [])]
            tables.append(_table(group, columns, rows, latex(group.caption, breakable=True) + suffix, below))
    return "\n\n".join([HEAD, BEGIN, *tables, END, r"\lstrobustend"]) + "\n"


def _columns(group: TableGroup) -> list[_Column]:
    text = formatted(group, _BOLD + "{}", _ENDS + "{:.1f}--{:.1f}")
    return [
        _Column(part, label(quantity), [_cell(str(cell)) for cell in text.iloc[:, index]])
        for index, (part, quantity) in enumerate(columns_of(text))
    ]


def _cell(text: str) -> _Cell:
    number, _, ends = text.partition(_ENDS)
    mean, _, spread = number.replace(_BOLD, "").partition(_SPREAD)
    return _Cell("--" if mean == MISSING else mean, spread, ends, _BOLD in number)


def _parts(group: TableGroup, columns: Sequence[_Column], after: int) -> list[range]:
    """The rows of each table that fits onto a page. after: lines below the last one."""
    names = names_of(group)
    room = max(LINES - _lines_of(group.notes), LINES // 4)
    lines = [max(-(-printed_length(name) // NAME_WIDTH), 1 + _has_ends(columns, row)) for row, name in enumerate(names)]
    starts, used = [0], 0
    for row, needed in enumerate(lines):
        if row > starts[-1] and used + needed > room:
            starts.append(row)
            used = 0
        used += needed
    if used + after > room:  # rows of the last table go into one of their own, with what stands below
        fitting = (row for row in range(starts[-1] + 1, len(names)) if sum(lines[row:]) + after <= room)
        if (row := next(fitting, len(names) - 1)) > starts[-1]:
            starts.append(row)
    return [range(start, stop) for start, stop in zip(starts, [*starts[1:], len(names)], strict=True)]


def _lines_of(notes: Sequence[str]) -> int:
    return sum(1 + printed_length(note) // NOTE for note in notes)


def _has_ends(columns: Sequence[_Column], row: int) -> bool:
    return any(column.cells[row].ends for column in columns)


def _table(group: TableGroup, columns: Sequence[_Column], rows: range, caption: str, notes: Sequence[str]) -> str:
    names = names_of(group)
    specification = "".join("r@{}l" if column.width == 2 else "r" for column in columns)
    body = [line for row in rows for line in _row(names[row], columns, row)]
    return "\n".join(
        [
            r"\begin{table*}[htbp]",
            SETTINGS,
            rf"\setlength{{\belowcaptionskip}}{{4pt}}\caption{{{caption}}}",
            FIT,
            rf"\begin{{tabular}}{{@{{}}l{specification}@{{}}}}",
            r"\toprule",
            *_heads(columns),
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\par\vspace{3pt}\parbox{\linewidth}{\raggedright\hyphenpenalty=10000",
            "\\\\\n".join(latex(note, breakable=True) for note in notes) + "}",
            r"\end{table*}",
        ]
    )


def _heads(columns: Sequence[_Column]) -> list[str]:
    """The groups of columns over their rules, then the columns."""
    upper, rules, lower, place = [""], [], ["Network"], 2
    for part, found in groupby(columns, key=lambda column: column.part):
        members = list(found)
        width = sum(column.width for column in members)
        upper.append(rf"\multicolumn{{{width}}}{{c}}{{{latex(part)}}}")
        rules.append(rf"\cmidrule(lr){{{place}-{place + width - 1}}}")
        for column in members:
            head = latex(column.head)
            turned = head if len(members) == 1 or column.head.isdigit() else rf"\rotatebox{{90}}{{{head}\,}}"
            lower.append(rf"\multicolumn{{{column.width}}}{{c}}{{{turned}}}")
        place += width
    return [" & ".join(upper) + r" \\", "".join(rules), " & ".join(lower) + r" \\"]


def _row(name: str, columns: Sequence[_Column], row: int) -> list[str]:
    """A line of numbers, and where there are intervals, a smaller one below it."""
    shown, below = latex(name, breakable=True), ""
    with_ends = _has_ends(columns, row)
    if printed_length(name) > NAME_WIDTH:
        shown = rf"\parbox[t]{{50mm}}{{\raggedright\strut {shown}\strut}}"
        if with_ends:  # the further lines of the name stand beside the intervals
            shown, below = (
                rf"\raisebox{{0pt}}[\height][0pt]{{{shown}}}",
                rf"\vphantom{{\raisebox{{7pt}}[0pt]{{{shown}}}}}",
            )
    cells = [part for column in columns for part in _parts_of_cell(column, row)]
    if not with_ends:
        return [" & ".join([shown, *cells]) + r" \\"]
    ends = [part for column in columns for part in _ends_of_cell(column, row)]
    return [" & ".join([shown, *cells]) + r" \\[-3pt]", " & ".join([below, *ends]) + rf" \\[{4 if below else 1}pt]"]


def _parts_of_cell(column: _Column, row: int) -> list[str]:
    cell = column.cells[row]
    value, spread = cell.value, rf"\,$\pm$\,{cell.spread}" if cell.spread else ""
    marked = rf"\textbf{{{value}}}" if cell.best else value
    return [marked, spread] if column.width == 2 else [marked]


def _ends_of_cell(column: _Column, row: int) -> list[str]:
    ends = column.cells[row].ends
    return [f"{{{SMALL}{ends}}}" if ends else "", ""][: column.width]
