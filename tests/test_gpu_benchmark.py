"""The arithmetic of `make gpu`, and its tables. .ci/run runs the program itself, on a CPU and with few images."""

from __future__ import annotations

import os
import subprocess
from importlib import import_module
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import table, timing
from benchmarks.gpu.evaluation_speed import cases, whole_imagenet_c
from benchmarks.gpu.images import CLASSES, Crops
from benchmarks.gpu.scale import FULL
from benchmarks.gpu.training_speed import cifar_minutes


def evaluated(network: str, amp: str, cell: str, seconds: float) -> dict[str, object]:
    return {
        "network": network, "side": 224, "batch_size": 250, "amp": amp, "cell": cell, "images": 1000,
        "seconds": seconds, "forward_seconds": 2.0, "peak_bytes": 3 * 2**29,
    }  # fmt: skip


EVALUATIONS = [
    evaluated("resnet50", amp, cell, seconds)
    for amp, scale in (("no", 1.0), ("auto", 0.5))
    for cell, seconds in (("clean", 2.0 * scale), ("fog-3", 2.2 * scale), ("snow-3", 2.6 * scale))
]
TRAININGS = [
    {"side": side, "network": network, "batch_size": 8, "images_per_second": speed, "peak_bytes": None}
    for side, network, speed in ((32, "lst20", 8000.0), (32, "resnet20", 10000.0), (224, "lst18", 900.0))
]


def test_all_of_imagenet_c_is_the_clean_cell_and_95_of_the_mean():
    """50 times as many images: 100 s for the clean cell, and 110 and 130 s for the corrupted ones."""
    whole = whole_imagenet_c(EVALUATIONS, "no")
    assert whole["clean_seconds"] == pytest.approx(100)
    assert whole["mean_corrupted_cell_seconds"] == pytest.approx(120) and whole["corruptions"] == 2
    assert whole["minutes"] == pytest.approx((100 + 95 * 120) / 60)
    assert whole_imagenet_c(EVALUATIONS, "auto")["minutes"] == pytest.approx(whole["minutes"] / 2)
    small = [{**row, "batch_size": 32, "seconds": 9.0} for row in EVALUATIONS]
    assert whole_imagenet_c([*EVALUATIONS, *small], "no") == whole, "by the large batches, with all corruptions"


def test_evaluations_are_measured_where_starting_an_operation_costs_most_too():
    found = [(case.network, case.side, case.batch_size) for case in cases(FULL)]
    assert ("resnet50", 224, 32) in found and ("resnet20", 32, 256) in found and ("lst20", 32, 256) in found


def test_lst20s_epochs_at_the_measured_speed():
    assert cifar_minutes(TRAININGS) == pytest.approx(160 * 50_000 / 8000 / 60)


def test_the_tables_hold_ratios_and_say_what_is_equal():
    fidelity = [
        {"corruption": name, "preset": "cifar", "style": "hendrycks", "values": 1000, "different": different,
         "most_levels": min(different, 1), "share": different / 1000, "mean_levels": different / 1000}
        for name, different in (("fog", 0), ("contrast", 3))
    ]  # fmt: skip
    speeds = [
        {"side": 32, "corruption": name, "severity": severity, "device_images_per_second": speed,
         "host_images_per_second": 100.0, "host_cores": 2, "peak_bytes": None}
        for name, speed in (("fog", 400.0), ("snow", 900.0)) for severity in (1, 3)
    ]  # fmt: skip
    where = {"device": "card", "host_cores": 2, "torch": "2", "lst_robust": "1", "date": "today", "quick": False}
    text = table.text(
        {"environment": where, "fidelity": fidelity, "corruptions": speeds, "evaluations": EVALUATIONS,
         "trainings": TRAININGS}
    )  # fmt: skip
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert "Equal to the last byte in all cells: fog." in text
    assert ["contrast", "cifar", "hendrycks", "0.003", "1", "0.003"] in cells
    assert ["32", "fog", "400", "100", "4.00", ""] in cells
    assert ["32", "geometric mean", "600", "100", "6.00", ""] in cells
    assert ["resnet50", "224", "250", "no", "500", "1.00", "1.20", "2", "1.50"] in cells
    assert ["32", "lst20", "8", "8,000", "0.80", ""] in cells
    assert "= 191.7 minutes (extrapolated)" in text


def test_the_images_have_names_of_their_own_and_are_always_the_same():
    images = Crops(32, 300)
    assert len(set(images.ids)) == 300 and set(images.labels) == set(range(CLASSES))
    assert (images.read([0, 256])[0] == images.read([0, 256])[1]).all(), "256 different crops, then they repeat"
    assert (images.read(range(5)) == Crops(32, 5).read(range(5))).all()


def test_a_speed_is_the_median_after_calls_that_do_not_count(monkeypatch):
    clock = iter([0.0, 5.0, 10.0, 11.0, 20.0, 22.0])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    calls = []
    assert timing.seconds_of(lambda: calls.append(1), torch.device("cpu"), at_least=1.0) == 2.0
    assert len(calls) == 5


@pytest.mark.parametrize(
    ("program", "arguments", "code", "words"),
    [
        ("gpu.__main__", "", 2, "take --device cpu --quick"),
        ("gpu.__main__", "--device foo", 2, "choose auto, cpu, cuda or cuda:N"),
        ("gpu.__main__", "--parts", 2, "expected at least one argument"),
        ("gpu.__main__", "--device cpu --quick --out {file}/a.json", 3, "error: "),
        ("fidelity", "--device foo", 2, "choose auto, cpu, cuda or cuda:N"),
        ("fidelity", "--severities 7", 2, "invalid choice"),
        ("fidelity", "--share 0", 2, "give a number above 0"),
        ("fidelity", "--share inf", 2, "give a number above 0"),
        ("fidelity", "--out {folder}", 2, "cannot be written (it is a folder)"),
        ("gpu.__main__", "--device cpu --quick --out {folder}", 2, "cannot be written (it is a folder)"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_the_work(
    program, arguments, code, words, monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (file := tmp_path / "file").touch()
    monkeypatch.setattr("sys.argv", [program, *arguments.format(file=file, folder=tmp_path).split()])
    with pytest.raises(SystemExit) as ended:
        import_module(f"benchmarks.{program}").main()
    assert ended.value.code == code and words in capsys.readouterr().err.splitlines()[-1]


PACK_GPU = Path(__file__).parents[1] / "tools" / "pack-gpu"


@pytest.fixture
def called(tmp_path, monkeypatch):
    """called(program, *arguments) in an empty folder, where python3 does nothing but note that it was called."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").write_text('#!/bin/sh\necho 3.12; echo "$@" >> "$CALLS"\n')
    (tmp_path / "bin" / "python3").chmod(0o755)
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))

    def call(*command: object):
        (tmp_path / "calls").unlink(missing_ok=True)
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=tmp_path / "empty")
        return done.returncode, done.stdout, done.stderr, (tmp_path / "calls").exists()

    return call


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_packing_says_how_it_is_used_and_downloads_nothing(called, option):
    code, said, errors, worked = called(PACK_GPU, option)
    assert code == 0 and not errors and not worked
    assert "tools/pack-gpu [FOLDER [PYTHON_VERSION]]" in said and said.startswith("Packs what")


def test_packing_refuses_a_folder_that_looks_like_an_option(called):
    code, said, errors, worked = called(PACK_GPU, "--out")
    assert code == 2 and not said and not worked
    assert errors == "error: the folder is --out: give one that does not begin with -, such as build/pack-gpu\n"


def test_what_is_packed_runs_in_the_repository_only(called, tmp_path):
    assert called(PACK_GPU, tmp_path / "pack")[0] == 0
    code, _, errors, worked = called(tmp_path / "pack" / "run")
    assert code == 2 and not worked and errors == "error: there is no benchmarks/gpu here: run this in the repository\n"
