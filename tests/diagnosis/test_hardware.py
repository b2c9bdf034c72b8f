"""Devices and the engine's choice."""

from __future__ import annotations

import pytest
import torch

from lst_robust.diagnosis import hardware
from lst_robust.torch_engine.choice import Machine, Measurement, keep


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("LST_ROBUST_CACHE_DIR", str(tmp_path))


def test_the_processor_and_what_cuda_says(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    processor, cuda = hardware.devices()
    assert processor.what == "processor" and "cores" in processor.text
    assert cuda.what == "CUDA" and cuda.state in ("ok", "note")


def test_a_driver_that_is_too_old_is_a_note():
    finding = hardware._no_cuda("12.4", ["The NVIDIA driver on your system is too old"])
    assert finding.state == "note" and "driver on your system is too old" in finding.text and finding.mend


def test_a_card_without_a_build_for_it_is_a_note(monkeypatch):
    monkeypatch.setattr(hardware.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert hardware._no_cuda(None, []).state == "note"
    monkeypatch.setattr(hardware.shutil, "which", lambda name: None)
    monkeypatch.setattr(hardware.os.path, "exists", lambda path: False)
    assert hardware._no_cuda(None, []).state == "ok"


def test_a_device_that_does_not_answer_is_a_fault(monkeypatch):
    def lost(device):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device")

    monkeypatch.setattr(torch.cuda, "get_device_properties", lost)
    finding = hardware._cuda_device(torch.device("cuda", 1))
    assert (finding.what, finding.state) == ("cuda:1", "fault") and "no kernel image" in finding.text


def test_the_engine_is_the_cpus_without_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "nothing is measured yet" in next(hardware.engine()).text
    machine = Machine.here(torch.device("cpu"), 32, "cifar")
    keep(Measurement(machine=machine, cpu={"fog": 500.0}, torch={"fog": 250.0}))
    (finding,) = hardware.engine()
    assert finding.state == "ok" and "32 px: cpu is faster (cpu 2 ms and torch 4 ms" in finding.text


def test_on_cuda_an_engine_that_is_not_measured_is_a_note(monkeypatch):
    from lst_robust.runtime import devices

    monkeypatch.setattr(devices, "resolve_device", lambda name: torch.device("cuda"))
    monkeypatch.setattr(devices, "device_name", lambda device: "a card")
    (finding,) = hardware.engine()
    assert finding.state == "note" and finding.mend == "run `lst-robust engines --size 224 --preset imagenet`"
    keep(
        Measurement(
            machine=Machine.here(torch.device("cuda"), 64, "tiny-imagenet"), cpu={"fog": 1.0}, torch={"fog": 2.0}
        )
    )
    (finding,) = hardware.engine()
    assert finding.state == "ok" and "64 px: torch is faster" in finding.text
