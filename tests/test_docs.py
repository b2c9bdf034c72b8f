"""The numbers in docs/ are those of the results files that the benchmarks wrote."""

from __future__ import annotations

import re

import pytest

from benchmarks.tables import BLOCKS, DOCS, with_block


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_of_numbers_is_what_its_results_file_says(name):
    file, make = BLOCKS[name]
    text = (DOCS / file).read_text()
    assert text.count(f"<!-- {name}: begin -->") == text.count(f"<!-- {name}: end -->") == 1
    assert unaligned(with_block(text, name, make())) == unaligned(text), "run python -m benchmarks.tables"


def unaligned(text: str) -> str:
    """Without what tabulate pads cells with: its releases take other columns for numbers, which stand on the right."""
    ruled = re.sub(r"(?m)^\|[:|-]+\|$", lambda rule: "|" + "-|" * (rule[0].count("|") - 1), text)
    return re.sub(r"(?m)^\|.*\|$", lambda row: re.sub(r" +", " ", row[0]), ruled)
