"""Nothing is fetched, and what was said can be asked for."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def nothing_is_fetched(offline):
    """For all tests here."""


@pytest.fixture
def said(caplog):
    """said() -> what the tool said so far, from notes on."""
    caplog.set_level("INFO", logger="lst_robust")
    return lambda: [record.getMessage() for record in caplog.records if record.name.startswith("lst_robust")]
