"""The look of all tables."""

from __future__ import annotations

from rich.console import Console

from lst_robust.reporting.views.layout import plain_table


def test_a_table_has_its_title_to_the_left_a_rule_under_its_head_and_no_frame():
    table = plain_table("Model", "Error", title="two networks")
    table.add_row("lst18", "0.60")
    console = Console(width=80, record=True)
    console.print(table)
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert lines[0] == "two networks" and lines[1].split() == ["Model", "Error"]
    assert set(lines[2]) == {"─"} and lines[3].split() == ["lst18", "0.60"] and len(lines) == 4
