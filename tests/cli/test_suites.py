"""`lst-robust suites`."""

from __future__ import annotations

from lst_robust.suites import suite_names
from tests.fixtures.commands import parsed


def test_suites_lists_all_and_shows_one(run):
    assert {suite["name"] for suite in parsed(run("suites", "--json"))} == set(suite_names())
    assert all(name in run("suites").stdout for name in suite_names())
    assert "lr: 0.002" in run("suites", "digits-c").stdout
    assert run("suites", "digit-c").exit_code == 2
