"""`lst-robust models`."""

from __future__ import annotations

from tests.fixtures.commands import parsed


def test_models_lists_and_describes(run):
    rows = parsed(run("models", "lst18", "alexnet", "--json"))
    assert [row["name"] for row in rows] == ["lst18", "alexnet"]
    keys = "name family input_size num_classes params params_expanded macs paper_params paper_macs verdict"
    assert set(keys.split()) <= set(rows[0])
    assert "lst18" in run("models", "lst18").stdout
    assert run("models", "lst81").exit_code == 2
