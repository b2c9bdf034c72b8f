"""The numbers in docs/ are those of the results files that the benchmarks wrote."""

from __future__ import annotations

import pytest

from benchmarks.tables import BLOCKS, DOCS, with_block


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_of_numbers_is_what_its_results_file_says(name):
    file, make = BLOCKS[name]
    text = (DOCS / file).read_text()
    assert text.count(f"<!-- {name}: begin -->") == text.count(f"<!-- {name}: end -->") == 1
    assert with_block(text, name, make()) == text, "run python -m benchmarks.tables"
