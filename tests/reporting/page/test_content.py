"""Nothing that is put into a report is lost: every text and every number of it is on a page."""

from __future__ import annotations

import dataclasses
import html
import itertools
import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from markupsafe import Markup

from lst_robust.reporting.page import content
from lst_robust.reporting.page.content import NetworkPage, Report, Row
from lst_robust.reporting.page.render import render_report
from tests.fixtures.reports import make_png

LINKS = {(NetworkPage, "key"), (Row, "page")}
"""Fields that become the address of a page, and are shown as such."""
NUMBERS = itertools.count(1)


def filled(kind: Any, field: str) -> Any:
    """A value of a type: each text has a number of its own, each tuple one member."""
    if dataclasses.is_dataclass(kind):
        values = {"trainings": (), "page": None} if kind is Row else {}  # a row has rows, and links to a page
        hints = {name: hint for name, hint in get_type_hints(kind).items() if name not in values}
        return kind(**values, **{name: filled(hint, f"{kind.__name__}.{name}") for name, hint in hints.items()})
    if kind is Markup:
        return Markup('<svg viewBox="0 0 9 9"><text>drawn</text></svg>')
    if kind is str:
        return f"<{field}-{next(NUMBERS)}>"
    if get_origin(kind) is tuple:
        return tuple(filled(one, field) for one in get_args(kind) if one is not Ellipsis)
    if get_origin(kind) in (Union, types.UnionType):
        return filled(get_args(kind)[0], field)
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    return {int: 7, float: 0.5, bool: True, bytes: make_png(0, 2)}[kind]


def texts(value: Any) -> Iterator[tuple[str, str]]:
    """All texts below a value, each with the name of its field."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            inner = getattr(value, field.name)
            if (type(value), field.name) not in LINKS and not isinstance(inner, Markup):
                yield from ((f"{type(value).__name__}.{field.name}", text) for _, text in texts(inner))
    elif isinstance(value, tuple):
        for one in value:
            yield from texts(one)
    elif isinstance(value, str):
        yield "", value


def everything() -> Report:
    report: Report = filled(Report, "Report")
    section = report.sections[0]
    assert section.board is not None
    training = dataclasses.replace(filled(Row, "Row"), family="")  # it has its network's
    rows = (dataclasses.replace(section.board.rows[0], trainings=(training,)),)
    board = dataclasses.replace(section.board, rows=rows, published_by="")
    return dataclasses.replace(report, sections=(dataclasses.replace(section, board=board),))


def test_every_text_is_on_a_page() -> None:
    report = everything()
    shown = html.unescape(b"\n".join(render_report(report).values()).decode())
    stated = list(texts(report))
    assert len(stated) > 60
    assert [one for one in stated if one[1] not in ("", "regression") and one[1] not in shown] == []


def test_every_dataclass_is_part_of_a_report() -> None:
    seen: set[type] = set()

    def visit(value: Any) -> None:
        if isinstance(value, tuple):
            for one in value:
                visit(one)
        elif dataclasses.is_dataclass(value):
            seen.add(type(value))
            for field in dataclasses.fields(value):
                visit(getattr(value, field.name))

    visit(everything())
    defined = {one for one in vars(content).values() if dataclasses.is_dataclass(one)}
    assert defined == seen


@pytest.mark.parametrize(
    ("kind", "field", "value", "shown"),
    [
        ("Cell", "value", 12.0625, 'data-value="12.0625"'),
        ("Cell", "low", -3.3, "[-3.3000000, 0.5000000]"),
        ("Cell", "high", 8.8, "[0.5000000, 8.8000000]"),
        ("Cell", "spread", 1.7, "± 1.7000000"),
        ("Cell", "best", True, "<strong>"),
        ("Column", "decimals", 2, "± 0.50<"),
        ("Column", "lower_is_better", False, 'data-sort="descending"'),
        ("Row", "params", 12_345_678, ">12.3<"),
        ("Row", "macs", 4_560_000_000, ">4.56<"),
        ("Row", "images_per_second", 789.4, ">789<"),
        ("Change", "baseline", 61.23, ">61.23<"),
        ("Change", "current", 62.34, ">62.34<"),
        ("Change", "difference", 1.11, ">+1.11<"),
        ("Change", "low", -0.22, "[-0.22, +0.50]"),
        ("Change", "high", 2.44, "[+0.50, +2.44]"),
        ("Change", "harmed", (("fog", 3.14),), "<bdi>fog</bdi> +3.1"),
        ("Change", "verdict", "missing", "1 not measured"),
        ("Changes", "tolerance", 0.125, "tolerance of 0.125"),
        ("Changes", "lower_is_better", False, "Higher is better"),
        ("Answer", "confidence", 0.87, " 87 %"),
        ("Answer", "right", False, "wrong:"),
        ("Answer", "clean_label", "cat", "(clean: <bdi>cat</bdi>)"),
        ("Fact", "code", True, "<dd><code>"),
    ],
)
def test_every_number_is_on_a_page(kind: str, field: str, value: object, shown: str) -> None:
    report = replaced(everything(), getattr(content, kind), field, value)
    assert shown in b"\n".join(render_report(report).values()).decode()


def replaced(value: Any, kind: type, field: str, new: object) -> Any:
    """A copy in which all instances of a dataclass have a new value of one field."""
    if isinstance(value, tuple):
        return tuple(replaced(one, kind, field, new) for one in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    changes = {one.name: replaced(getattr(value, one.name), kind, field, new) for one in dataclasses.fields(value)}
    return dataclasses.replace(value, **{**changes, **({field: new} if isinstance(value, kind) else {})})
