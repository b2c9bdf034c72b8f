"""`lst-robust compare`, and what `table` and `check` say of several seeds."""

from __future__ import annotations

import json

import pytest

from tests.fixtures.commands import parsed


@pytest.mark.slow
def test_compare_two_seeds_of_two_models(run, tiny):
    for model in ("alexnet", "resnet18"):
        for seed in ("0", "1"):
            asked = ("eval", "-m", model, "-s", str(tiny), "--train-seed", seed, "--corruptions", "noise")
            assert run(*asked).exit_code == 0
    shown = run("compare", "alexnet", "resnet18", "-s", str(tiny), COLUMNS="80")
    assert shown.exit_code == 0, shown.stderr
    assert "mean of 2 training seeds" in shown.stdout and "gaussian_noise" in shown.stdout
    assert " SD\n" in shown.stdout and "fog" not in shown.stdout and "…" not in shown.stdout  # fits
    data = parsed(run("compare", "alexnet", "resnet18", "-s", str(tiny), "--json"))
    assert len(data["pairs"]) == 2 and data["quantity"] == "ce"
    fog = [pair["corruptions"]["shot_noise"]["difference"] for pair in data["pairs"]]
    assert data["corruptions"]["shot_noise"]["difference"] == pytest.approx(sum(fog) / 2)
    assert data["corruptions"]["shot_noise"]["seeds"]["n"] == 2
    single = run("compare", "alexnet@seed0", "alexnet@seed1", "-s", str(tiny))
    assert single.exit_code == 0 and " SD\n" not in single.stdout
    assert run("baseline", "write", "-s", str(tiny), "--model", "alexnet", "--out", "baseline.json").exit_code == 0
    checked = run("check", "--baseline", "baseline.json", "-s", str(tiny), "--metric", "clean_error", "--json")
    assert [finding["model"] for finding in parsed(checked)["findings"]] == ["alexnet@seed0", "alexnet@seed1"]
    table = run("table", "-s", str(tiny), "--format", "md", "--seeds").stdout
    assert "alexnet on tiny, 2 trainings: clean " in table and "±" in table
    rows = json.loads(run("table", "-s", str(tiny), "--json").stdout)
    assert {row["over_seeds"]["clean_error"]["n"] for row in rows} == {2}
    missing = run("compare", "alexnet", "vgg11", "-s", str(tiny))
    assert missing.exit_code == 5 and "alexnet@seed0@" in missing.stderr
