"""Which engine `auto` is, and the measurement that decides it."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
import torch

from lst_robust import benchmark
from lst_robust.errors import DataError
from lst_robust.runtime import devices
from lst_robust.torch_engine import choice
from lst_robust.torch_engine.choice import Machine, Measurement, is_any_kept, keep, kept, resolve_engine

CUDA = torch.device("cuda")


@pytest.fixture(autouse=True)
def card(monkeypatch, tmp_path):
    """A machine with an imagined card, on which nothing has been measured or said."""
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(devices, "device_name", lambda device: "Card 1" if device.type == "cuda" else "cpu (x)")
    choice._say_once.cache_clear()
    choice._warn_once.cache_clear()


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, "lst_robust")
    return lambda: [record.getMessage() for record in caplog.records]


def measured(torch_: float, cpu: float = 100.0, device: torch.device = CUDA, other: dict | None = None) -> Measurement:
    """other: of the machine."""
    machine = Machine.here(device, 224, "imagenet").model_copy(update=other or {})
    return Measurement(machine=machine, cpu={"fog": cpu, "snow": 50.0}, torch={"fog": torch_, "snow": 50.0})


def test_what_is_named_is_taken_and_a_cpu_has_its_own():
    assert resolve_engine("torch", torch.device("cpu"), 224, "imagenet") == "torch"
    assert resolve_engine("cpu", CUDA, 224, "imagenet") == "cpu"
    keep(measured(1000.0, device=torch.device("cpu")))
    assert resolve_engine("auto", torch.device("cpu"), 224, "imagenet") == "cpu"


def test_without_a_measurement_it_is_the_cpus_and_one_line_says_so_once(said):
    for _ in range(2):
        assert resolve_engine("auto", CUDA, 224, "imagenet") == "cpu"
    assert said() == [
        "the CPU's engine corrupts the images: `lst-robust engines --size 224 --preset imagenet` has not measured yet "
        "whether Card 1 is faster (--engine torch takes it unmeasured; --engine cpu stays with the CPU's, after a "
        "measurement, too)"
    ]


@pytest.mark.parametrize(
    ("speed", "engine", "whose"), [(400.0, "torch", "torch's"), (50.0, "cpu", "the CPU's"), (100.0, "cpu", "the CPU's")]
)
def test_the_measured_total_decides(said, speed, engine, whose):
    assert not is_any_kept()
    keep(measured(speed))
    assert is_any_kept() and kept(Machine.here(CUDA, 224, "imagenet")) == measured(speed)
    assert resolve_engine("auto", CUDA, 224, "imagenet") == engine
    [line] = said()
    assert line.startswith(f"{whose} engine corrupts the images: `lst-robust engines --size 224 --preset imagenet` has")
    assert f"{1000 / speed + 20:.3g} ms on Card 1, 30 ms on the CPU" in line
    assert line.endswith("(--engine cpu stays with the CPU's, and --engine torch with torch's)")


@pytest.mark.parametrize(
    "other",
    [
        {"device": "Card 2"},
        {"cores": 10**6},
        {"cpu_engine": "0"},
        {"torch_engine": "0"},
        {"torch": "1.0"},
        {"size": 32},
        {"preset": "cifar"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_measurement_of_another_machine_is_none(other):
    keep(measured(400.0, other=other))
    assert resolve_engine("auto", CUDA, 224, "imagenet") == "cpu"


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"machine": 3}', None])
def test_a_file_that_cannot_be_used_is_left_out_with_a_line(said, content):
    file = Machine.here(CUDA, 224, "imagenet").file
    file.parent.mkdir(parents=True)
    file.mkdir() if content is None else file.write_bytes(content)
    assert resolve_engine("auto", CUDA, 224, "imagenet") == "cpu"
    (line, *_) = said()
    advice = "measure again with `lst-robust engines --size 224 --preset imagenet`"
    assert line.startswith(f"{file} is left out (")
    assert line.endswith(f"): remove it, and {advice}" if content is None else f"): {advice}")


def test_speeds_that_cannot_be_are_damage(said):
    good = measured(400.0)
    keep(good)
    file = good.machine.file
    file.write_text(file.read_text().replace("400.0", "0.0"))
    assert kept(good.machine) is None and "it is damaged" in said()[0]


def test_a_cache_that_cannot_be_written_is_an_error_that_names_it(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(DataError, match="set LST_ROBUST_CACHE_DIR"):
        keep(measured(400.0))
    assert not is_any_kept()


def test_totals_and_means():
    found = measured(200.0)
    assert found.milliseconds("cpu") == pytest.approx(30) and found.milliseconds("torch") == pytest.approx(25)
    assert found.geometric_mean("torch") == pytest.approx(100) and found.faster == "torch"


def test_who_takes_the_cpus_engine_does_not_wait_for_torch():
    code = "import sys, lst_robust.torch_engine.choice as c; c.is_any_kept(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_the_names_in_records_mean_the_options():
    from lst_robust import corruptions, torch_engine

    assert {corruptions.ENGINE: "cpu", torch_engine.ENGINE: "torch"} == benchmark.ENGINES
    assert benchmark.engine_option("lst-robust-torch 1") == "torch" and benchmark.engine_option("lst-robust 9") == "cpu"
    assert benchmark.engine_option("imagecorruptions 1.1.2") is None
