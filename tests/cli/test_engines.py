"""`lst-robust engines`."""

from __future__ import annotations

import json

import pytest

from lst_robust.torch_engine import speed
from lst_robust.torch_engine.choice import Machine, Measurement, kept


@pytest.fixture
def engines(run, monkeypatch, tmp_path):
    """engines(*arguments) -> what the command says, with speeds that are made up."""

    def measured(device, size, preset, observer):
        machine = Machine.here(device, size, preset)
        return Measurement(machine=machine, cpu={"fog": 250.0, "snow": 20.0}, torch={"fog": 2500.0, "snow": 5.5})

    monkeypatch.setattr(speed, "measure_engines", measured)
    return lambda *arguments: run("engines", *arguments, LST_ROBUST_CACHE_DIR=str(tmp_path / "cache"))


def test_it_shows_a_table_and_keeps_the_result(engines, tmp_path, monkeypatch):
    result = engines("--device", "cpu", "--size", "32")
    assert result.exit_code == 0, result.stderr
    assert "32 px, preset cifar, severity 3" in result.stdout and "2,500" in result.stdout
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["snow", "20", "5.5", "0.28"] in lines
    assert ["ms", "for", "an", "image", "of", "each", "54", "182", "0.30"] in lines
    assert "the CPU's engine is faster here; --engine auto takes torch's on CUDA devices only" in result.stdout
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", str(tmp_path / "cache"))
    import torch

    assert kept(Machine.here(torch.device("cpu"), 32, "cifar")).torch == {"fog": 2500.0, "snow": 5.5}


def test_json(engines):
    document = json.loads(engines("--device", "cpu", "--json").stdout)
    assert document["faster"] == "cpu" and document["machine"]["preset"] == "imagenet"
    assert document["cpu"] == {"fog": 250.0, "snow": 20.0}


def test_a_cache_that_cannot_be_written_costs_nothing_but_the_file(engines, tmp_path):
    (tmp_path / "cache").touch()
    result = engines("--device", "cpu")
    assert result.exit_code == 0 and "fog" in result.stdout
    assert "the measurement is not kept: " in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "8"], "size is 8: give a whole number from 16 to 4,096"),
        (["--size", "400"], "size is 400: preset imagenet has textures for 314 pixels at most: give --size 16 to 314"),
        (["--size", "4096"], "preset imagenet has textures for 314 pixels at most"),
        (
            ["--size", "64", "--preset", "cifar"],
            "preset cifar has textures for 62 pixels at most: give --size 16 to 62",
        ),
        (["--preset", "cifer"], "unknown preset 'cifer': did you mean cifar?"),
        (["--device", "tpu"], "unknown device 'tpu'"),
    ],
)
def test_what_cannot_be_meant_is_one_line(engines, arguments, words):
    result = engines(*arguments)
    assert result.exit_code == 2 and words in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(("size", "preset"), [("314", "imagenet"), ("93", "tiny-imagenet"), ("62", "cifar")])
def test_the_largest_size_of_each_preset_is_measured(engines, size, preset):
    assert engines("--device", "cpu", "--size", size, "--preset", preset).exit_code == 0
