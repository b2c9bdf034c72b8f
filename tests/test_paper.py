"""The printed tables: every row is there as printed, misprints included."""

from __future__ import annotations

import pytest

from lst_robust.benchmark import CORRUPTIONS, STANDARD_15
from lst_robust.paper import TABLES, printed_table


@pytest.mark.parametrize("name", TABLES)
def test_every_row_is_whole_and_there_once(name):
    rows = printed_table(name)
    assert rows and len({tuple(row.values()) for row in rows}) == len(rows)
    for row in rows:
        assert None not in row and None not in row.values(), "as many values as columns"


def mean_ce(row: dict[str, str], names: tuple[str, ...]) -> float:
    return sum(float(row[name]) for name in names) / len(names)


def test_the_printed_mce_is_the_mean_over_all_19():
    """Each CE is rounded by at most a half, so their mean is too. SENet-18 alone is farther off."""
    rows = printed_table("table4")
    assert list(rows[0])[2:] == list(CORRUPTIONS)
    off = {row["network"]: abs(mean_ce(row, CORRUPTIONS) - float(row["mce"])) for row in rows}
    assert [network for network, difference in off.items() if difference > 0.5] == ["SENet-18"]
    assert all(abs(mean_ce(row, STANDARD_15) - float(row["mce"])) > 1 for row in rows)


def test_an_unknown_table_is_a_key_error():
    with pytest.raises(KeyError):
        printed_table("table5")
