"""`lst-robust eval` as a person uses it: numbers, precedence, errors, and being killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lst_robust.benchmark import CORRUPTIONS
from lst_robust.suites import load_suite
from tests.fixtures.commands import PUBLISHED, command, parsed, records

ALEXNET = ("--model", "alexnet", "--checkpoint", str(PUBLISHED / "alexnet.safetensors"))


def test_json_has_every_promised_key_and_a_second_call_measures_nothing(run, tiny):
    asked = ("eval", *ALEXNET, "--suite", str(tiny), "--json")
    first = run(*asked)
    summary = parsed(first)
    promised = (
        "model suite suite_version protocol preset engine n seed normaliser clean_error mean_corruption_error mce15 "
        "mce19 relative_mce ce errors"
    )
    assert set(promised.split()) <= set(summary)
    assert set(summary["ce"]) == set(summary["errors"]) == set(CORRUPTIONS)
    assert all(len(row) == 5 for row in summary["errors"].values())
    assert summary["mce19"] == pytest.approx(sum(summary["ce"].values()) / 19)
    written = records(Path("results"))
    assert len(written) == 96 and len(list(Path("results").rglob("run.parquet"))) == 1
    again = run(*asked)
    assert again.stdout == first.stdout
    assert records(Path("results")) == written


def test_the_suites_normaliser_is_what_its_checkpoint_measures(run):
    """A part of the 95 stored errors, recomputed on all 500 images; the rest is the same code."""
    stored = load_suite("digits-c").normaliser
    asked = ("--corruptions", "contrast,jpeg_compression,glass_blur", "--severities", "1,4", "--json")
    summary = parsed(run("eval", *ALEXNET, *asked))
    assert summary["n"] == stored.made_with["n"] == 500
    assert summary["checkpoint_sha256"] == stored.made_with["checkpoint_sha256"]
    # One image of 500 may tip over on a processor that sums in another order.
    assert summary["clean_error"] == pytest.approx(stored.clean_error, abs=0.21)
    for name in ("contrast", "jpeg_compression", "glass_blur"):
        for severity in (1, 4):
            measured = summary["errors"][name][severity - 1]
            assert measured == pytest.approx(stored.errors[name][severity - 1], abs=0.21), (name, severity)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), "what was finished is kept, the same command goes on from there"),
        (("--overwrite",), "what was finished is kept, the same command measures all cells again"),
    ],
)
def test_ctrl_c_says_whether_finished_cells_are_measured_again(run, tiny, monkeypatch, more, words):
    def ended_in_its_work(requests):
        raise KeyboardInterrupt

    monkeypatch.setattr("lst_robust.run_requests", ended_in_its_work)
    result = run("eval", *ALEXNET, "--suite", str(tiny), *more)
    assert (result.exit_code, result.stderr) == (130, f"error: interrupted; {words}\n")


def test_people_get_a_table_on_stdout(run, tiny):
    asked = ("--suite", str(tiny), "--corruptions", "weather,elastic_transform", "--severities", "2-3")
    result = run("eval", *ALEXNET, *asked, COLUMNS="80")
    assert result.exit_code == 0
    assert "elastic_transform" in result.stdout and "…" not in result.stdout
    for word in ("snow", "frost", "fog", "brightness", "clean error", "not normalised", "alexnet-digits-c"):
        assert word in result.stdout
    assert "jpeg" not in result.stdout


def test_flag_beats_environment_beats_suite(run, tiny):
    asked = ("eval", *ALEXNET, "--suite", str(tiny), "--corruptions", "contrast", "--severities", "1", "--json")
    assert parsed(run(*asked))["n"] == 20
    assert parsed(run(*asked, LST_ROBUST_LIMIT="10"))["n"] == 10
    assert parsed(run(*asked, "--limit", "5", LST_ROBUST_LIMIT="10"))["n"] == 5


def test_a_model_without_a_checkpoint_is_trained_once(run, tiny):
    asked = ("eval", "-m", "alexnet", "-s", str(tiny), "--corruptions", "contrast", "--severities", "1", "--json")
    refused = run(*asked, "--no-train")
    assert refused.exit_code == 3
    assert "--checkpoint" in refused.stderr
    first = run(*asked)
    assert "training it first" in first.stderr
    again = run(*asked, "--no-train")
    assert "training" not in again.stderr
    assert parsed(again) == parsed(first)
    other_seed = parsed(run(*asked, "--train-seed", "7"))
    assert other_seed["train_seed"] == 7
    assert other_seed["checkpoint_sha256"] != parsed(first)["checkpoint_sha256"]


def test_a_suites_options_reach_the_models_that_have_them_only(run, tiny):
    asked = ("-s", str(tiny), "--corruptions", "contrast", "--severities", "1", "--json")
    assert parsed(run("eval", "-m", "resnet20", *asked))["options"] == {}  # resnet20 has no stem to choose
    assert run("eval", "-m", "resnet20", *asked, "--set", "stem=3x3s1").exit_code == 2


@pytest.mark.parametrize("name", ["torchvision:shufflenet_v2_x0_5", "timm:mobilenetv3_small_050"])
def test_networks_of_other_libraries_go_through_the_same_evaluation(run, tiny, name):
    if name.startswith("timm"):
        pytest.importorskip("timm", reason="timm is an optional extra")
    trained = parsed(run("eval", "-m", name, "-s", str(tiny), "--json"))  # by the suite's recipe, with its pixels
    assert trained["model"] == name
    assert trained["mce19"] is not None


def test_a_written_normaliser_can_be_used_and_gives_100(run, tiny):
    asked = ("eval", "-m", "alexnet", "-s", str(tiny), "--json")  # two steps of training: wrong nearly everywhere
    assert run(*asked, "--write-normaliser", "mine.yaml").exit_code == 0
    summary = parsed(run(*asked, "--normaliser", "mine.yaml"))
    assert summary["normaliser"] == "alexnet-tiny"
    assert all(ce == pytest.approx(100) for ce in summary["ce"].values())
    part = run(*asked, "--corruptions", "fog", "--write-normaliser", "part.yaml")
    assert part.exit_code == 2 and "all 96 cells, and 6 are asked for" in part.stderr


def test_errors_that_cannot_be_a_normaliser_are_shown_all_the_same(run, tiny):
    result = run("eval", *ALEXNET, "-s", str(tiny), "--json", "--write-normaliser", "mine.yaml")
    assert result.exit_code == 5 and "cannot be a normaliser" in result.stderr
    assert json.loads(result.stdout)["clean_error"] == 0  # of 20 digits, which is why
    assert not Path("mine.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["-m", "lst81"], 2, "did you mean lst18 or lst164 or lst110? (`lst-robust models` lists all)"),
        (["-m", "alexnet", "-s", "digit-c"], 2, "did you mean digits-c"),
        (["-m", "alexnet", "--severities", "6"], 2, "outside 1..5"),
        (["-m", "alexnet", "--severities", "one"], 2, "such as 1,3 or 1-5"),
        (["-m", "alexnet", "--corruptions", "fogg"], 2, "did you mean fog"),
        (["-m", "alexnet", "--limit", "0"], 2, "limit"),
        (["-m", "alexnet", "--batch-size", "0"], 2, "batch_size is 0"),
        (["-m", "alexnet", "--device", "abacus"], 2, "unknown device"),
        (["-m", "alexnet", "--device", "cuda:7"], 2, "--device auto"),
        (["-m", "alexnet", "--set", "stem"], 2, "KEY=VALUE"),
        (["-m", "alexnet", "--set", "colour=red"], 2, "colour"),
        (["-m", "alexnet", "--normaliser", "resnet"], 2, "alexnet-imagenet-c"),
        (["-m", "alexnet", "-s", "imagefolder"], 2, "--data-dir"),
        (["-m", "alexnet", "-s", "imagefolder", "--data-dir", "nowhere"], 3, "nowhere"),
        (["-m", "alexnet", "--checkpoint", "missing.safetensors"], 3, "missing.safetensors"),
        (["-m", "alexnet", "--results-dir", "/proc/nowhere"], 3, "--results-dir"),
    ],
)
def test_what_is_wrong_gets_one_line_and_its_code(run, arguments, code, words):
    result = run("eval", *arguments)
    assert result.exit_code == code, result.stderr
    assert words in result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert result.stdout == ""


def test_a_model_must_be_named(run):
    assert run("eval").exit_code == 2


def test_unreadable_images_are_refused_or_left_out(run, tmp_path, photographs):
    from PIL import Image

    for split in ("train", "test"):
        for label, name in enumerate(("cat", "dog")):
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for i in range(3):
                Image.fromarray(photographs[(label + i) % 4]).save(folder / f"{i}.png")
    asked = ("eval", "-m", "alexnet", "-s", "imagefolder", "--data-dir", "data", "--json", "--corruptions", "contrast")
    whole = parsed(run(*asked))
    assert (whole["n"], whole["data"]) == (6, "image_folder/test")
    broken = tmp_path / "data" / "test" / "cat" / "1.png"
    broken.write_bytes(broken.read_bytes()[:300])
    refused = run(*asked, "--overwrite")  # finished cells alone would not look at the images again
    assert refused.exit_code == 3
    assert "cat/1.png" in refused.stderr and "--skip-unreadable" in refused.stderr
    skipped = run(*asked, "--skip-unreadable")
    assert "left out 1 unreadable" in skipped.stderr
    assert parsed(skipped)["n"] == 5


def test_a_checkpoint_for_other_classes_is_refused(run, tmp_path, photographs):
    from PIL import Image

    for split in ("train", "test"):
        for name in ("cat", "dog"):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            Image.fromarray(photographs[0]).save(tmp_path / "data" / split / name / "a.png")
    result = run("eval", *ALEXNET, "-s", "imagefolder", "--data-dir", "data")
    assert result.exit_code == 3
    assert "10 classes" in result.stderr and "2 (cat, dog)" in result.stderr


def files_of_cells(folder: Path) -> int:
    """How many cells of a run that is not complete have a file."""
    return len(list(folder.rglob("*-[1-5].json")))


def finish(process) -> dict:
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    return json.loads(stdout)


def assert_kills_lose_nothing(asked: tuple[str, ...], cells: int, folder: Path) -> None:
    """An evaluation of so many cells that is killed at two random moments, and started again each time, ends with the
    numbers of one that nothing happened to, and measures no cell twice."""
    whole = finish(command(*asked, "whole", folder=folder))
    for kill_at in sorted(random.sample(range(1, cells - 6), 2)):
        process = command(*asked, "killed", folder=folder)
        while files_of_cells(folder / "killed") < kill_at and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    finished = records(folder / "killed")
    assert 0 < len(finished) < cells
    assert finish(command(*asked, "killed", folder=folder)) == whole
    assert finished.items() <= records(folder / "killed").items(), "a finished cell was measured again"


@pytest.mark.slow
def test_killed_and_started_again_it_ends_with_the_same_numbers(tiny, tmp_path):
    assert_kills_lose_nothing(("eval", *ALEXNET, "--suite", str(tiny), "--json", "--results-dir"), 96, tmp_path)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_exit_with_130_and_143_and_say_how_to_go_on(tiny, tmp_path, signum, code):
    process = command("eval", *ALEXNET, "--suite", str(tiny), "--results-dir", "r", folder=tmp_path)
    while files_of_cells(tmp_path / "r") < 3 and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signum)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code, stderr
    assert "same command" in stderr.splitlines()[-1]
    assert "Traceback" not in stderr


@pytest.mark.slow
def test_two_evaluations_at_once_share_the_cells(tiny, tmp_path):
    """Both find no checkpoint: one trains and the other waits, then each cell is measured by one of them."""
    (tmp_path / "logged.py").write_text(
        "import sys\n"
        "from lst_robust.cli import main\n"
        "from lst_robust.records.store import Store\n"
        "write, log = Store.write, open(sys.argv.pop(1), 'a', buffering=1)\n"
        "Store.write = lambda self, record: (print(record.cell.name, file=log), write(self, record))[1]\n"
        "main()\n"
    )
    asked = ("eval", "-m", "alexnet", "--suite", str(tiny), "--results-dir", "r", "-j", "1", "--json")
    both = [
        subprocess.Popen(
            [sys.executable, "logged.py", f"{i}.log", *asked],
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(2)
    ]
    first, second = (finish(process) for process in both)
    assert first == second
    logs = [(tmp_path / f"{i}.log").read_text().split() for i in range(2)]
    assert sorted(logs[0] + logs[1]) == sorted({*logs[0], *logs[1]}), "a cell was measured twice"
    assert len(logs[0] + logs[1]) == 96
    assert logs[0] and logs[1], "one process did everything"
    assert len(list((tmp_path / "r").rglob("*.safetensors"))) == 1
    assert not list((tmp_path / "r").rglob(".*.lock"))
