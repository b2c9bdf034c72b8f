"""`lst-robust features` as a person uses it."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import time
from pathlib import Path

import pytest
from PIL import Image

from lst_robust.errors import UsageError
from tests.fixtures.commands import PUBLISHED, command, parsed

ALEXNET = ("-m", "alexnet", "--checkpoint", str(PUBLISHED / "alexnet.safetensors"))
BOTH = ("-m", "lst18", *ALEXNET[:2], "--checkpoint", str(PUBLISHED / "lst18.safetensors"), *ALEXNET[2:])
QUICK = ("--images", "4", "--corruptions", "contrast", "--severities", "2")


def test_people_get_a_table_and_files(run):
    pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
    files = ("--out", "f.png", "--by-layer", "l.svg", "--csv", "t.csv")
    result = run("features", *BOTH, *QUICK, "--layer", "1", *files, COLUMNS="80")
    assert result.exit_code == 0, result.stderr
    assert "…" not in result.stdout and max(map(len, result.stdout.splitlines())) <= 80
    for word in ("lst18", "alexnet", "Hoyer sparsity", "below threshold *", "band 1,1", "contrast-2", "n = 4 images"):
        assert word in result.stdout
    for file in ("f.png", "l.svg", "t.csv"):
        assert f"wrote {file}" in result.stderr and Path(file).stat().st_size > 500
    words = [line for line in result.stderr.splitlines() if line.startswith("in words, for those who cannot see it: ")]
    assert "lst18, layer " in words[0] and ", RMS " in words[0]
    assert "Hoyer sparsity (scale-free), mean of the layers: lst18 0." in words[1] and len(words) == 2
    assert Image.open("f.png").size[0] == 2100
    rows = list(csv.DictReader(io.StringIO(Path("t.csv").read_text())))
    assert {row["network"] for row in rows} == {"lst18", "alexnet"}
    assert all(float(row["low"]) <= float(row["mean"]) <= float(row["high"]) for row in rows)


def test_json_is_the_table_of_python(run):
    from lst_robust import feature_statistics

    data = parsed(run("features", *ALEXNET, *QUICK, "--step", "input", "--threshold", "0.5", "--json"))
    found = feature_statistics(
        "alexnet", checkpoints=[PUBLISHED / "alexnet.safetensors"], limit=4, corruptions=["contrast"], severities=[2],
        step="input", threshold=0.5,
    )  # fmt: skip
    assert data == found.to_dict()
    assert (data["step"], data["threshold"], data["n"], len(data["images"])) == ("input", 0.5, 4, 4)


def test_image_files_in_place_of_the_suite(run):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (50, 40), (200, 120, 40) if name == "a.png" else (20, 200, 4)).save(name)
    data = parsed(
        run("features", "a.png", "b.png", *ALEXNET, "--corruptions", "none", "--layer", "features.3", "--json")
    )
    assert data["images"] == ["a.png", "b.png"] and data["cells"] == ["clean"]
    assert {row["layer"] for row in data["rows"]} == {"all layers", "features.3"}
    single = run("features", "a.png", *ALEXNET, "--corruptions", "none", COLUMNS="80")
    assert single.exit_code == 0 and "one image: no intervals" in single.stdout and "[0." not in single.stdout


def test_a_document_on_standard_output_stands_alone(run):
    result = run("features", *ALEXNET, *QUICK, "--csv", "-")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("network,model,seed,trained,number,") and "Hoyer sparsity" in result.stderr


def test_without_a_checkpoint_an_earlier_training_is_found(run, tiny):
    asked = ("features", "-m", "alexnet", "-s", str(tiny), *QUICK, "--json")
    refused = run(*asked)
    assert refused.exit_code == 3 and "has no checkpoint trained for suite 'tiny'" in refused.stderr
    assert "--checkpoint" in refused.stderr and "--train" in refused.stderr
    trained = parsed(run(*asked, "--train"))
    assert parsed(run(*asked)) == trained and trained["rows"][0]["seed"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["-m", "alexnet", "--checkpoint", "nothing.safetensors"], 3, "nothing.safetensors"),
        ([*ALEXNET, "--checkpoint", "more"], 2, "2 checkpoints for 1 models"),
        ([*ALEXNET, "--layer", "99"], 2, "no layer of alexnet is meant by 99"),
        ([*ALEXNET, "--out", "figure.jpg"], 2, "--out 'figure.jpg': the name says the format: let it end in .png"),
        ([*ALEXNET, "--csv", "-", "--json"], 2, "--json prints to standard output too"),
        ([*ALEXNET, "--corruptions", "fogg"], 2, "unknown corruption 'fogg'"),
        ([*ALEXNET, "nothing.png"], 3, "no image file nothing.png"),
        ([*ALEXNET, "--step", "middle"], 2, "'--step'"),
        ([*ALEXNET, "--step", "bn", "--images", "2"], 2, "is followed by no BN"),
        (["-m", "lst*"], 2, "may mean several networks"),
        ([], 2, "Missing option '--model'"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else "",
)
def test_errors_are_one_line(run, arguments, code, words):
    result = run("features", *arguments)
    assert result.exit_code == code and result.stdout == ""
    line = result.stderr.splitlines()[-1]
    assert line.startswith("error: ") and words in line, result.stderr


def test_without_matplotlib_a_figure_is_refused_before_the_work(run, monkeypatch):
    import sys

    for name in [name for name in sys.modules if name.startswith("lst_robust.reporting.figures")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = run("features", *ALEXNET, "--out", "f.png")
    assert result.exit_code == 2 and "pip install 'lst-robust[report]'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (7 * ALEXNET, "--out has room for 6 networks, not for 7: name fewer"),
        ((*(4 * ALEXNET), "--untrained"), "--out has room for 6 networks, not for 8 (4 models, each also untrained)"),
    ],
    ids=["models", "untrained"],
)
def test_too_many_networks_for_a_picture_are_refused_before_the_work(run, monkeypatch, arguments, words):
    pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
    monkeypatch.setattr("lst_robust.feature_statistics", lambda *_, **__: pytest.fail("the work has begun"))
    result = run("features", *arguments, *QUICK, "--out", "f.png", "--json")
    assert result.exit_code == 2 and result.stdout == "" and words in result.stderr


def test_a_picture_that_cannot_be_drawn_loses_no_numbers(run, monkeypatch):
    pytest.importorskip("matplotlib", reason="the extra `report` is not installed")

    def refuse(*_, **__):
        raise UsageError("no such picture")

    monkeypatch.setattr("lst_robust.reporting.figures.features.draw_columns", refuse)
    result = run("features", *ALEXNET, *QUICK, "--out", "f.png", "--csv", "t.csv", "--json")
    assert result.exit_code == 2 and "error: no such picture" in result.stderr
    assert json.loads(result.stdout)["n"] == 4 and "Hoyer" not in result.stdout
    assert "wrote t.csv" in result.stderr and Path("t.csv").stat().st_size > 500 and not Path("f.png").exists()


@pytest.mark.slow
def test_ctrl_c_ends_it_with_one_line(tmp_path):
    process = command("features", *BOTH, "--images", "500", folder=tmp_path)
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("features: 0 of"):
            break
    assert lines and lines[-1].startswith("features: 0 of"), lines
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130 and rest.endswith("error: interrupted; the same command starts anew\n")
    assert "Traceback" not in rest


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("in.png", "--out", "in.png"), "--out 'in.png': in.png is read by the same call"),
        (("in.png", "--csv", "./in.png"), "--csv './in.png': in.png is read by the same call"),
        (("in.png", "--csv", "my.safetensors"), "my.safetensors is read by the same call"),
        (("in.png", "--out", "a.png", "--by-layer", "a.png"), "--by-layer 'a.png': --out of that name is written"),
        (("in.png", "--skip-unreadable"), "--skip-unreadable is for the images of a suite"),
    ],
)
def test_no_document_is_written_over_what_it_is_made_of(run, arguments, words):
    Image.new("RGB", (40, 40), (200, 10, 10)).save("in.png")
    Path("my.safetensors").write_bytes((PUBLISHED / "alexnet.safetensors").read_bytes())
    before = {name: Path(name).read_bytes() for name in ("in.png", "my.safetensors")}
    result = run("features", "-m", "alexnet", "--checkpoint", "my.safetensors", "--corruptions", "none", *arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr and len(result.stderr.strip().splitlines()) == 1
    assert {name: Path(name).read_bytes() for name in before} == before
