"""Two processes that share each batch, as if the CPU were a device: they read their sums together and end alike."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from lst_robust.models.preprocess import Preprocess
from lst_robust.runtime.process_group import Ranks
from lst_robust.training.test_set import measure_error
from tests.training.conftest import PIXELS, RECIPE, small_network, trained

PROGRAM = """
import sys, torch
from pathlib import Path
from lst_robust.data import open_source
from lst_robust.runtime.process_group import process_group
from lst_robust.runtime.progress import Silent
from lst_robust.runtime.resources import Resources
from lst_robust.models import resident
from lst_robust.training import feeds, meter, test_set
from lst_robust.training.loop import TrainingImages, fit
from lst_robust.training.state import ResumeFile
from tests.training.conftest import PIXELS, small_network
from tests.training.test_shared import SHARED, network

for module in (feeds, meter, test_set):
    module.asynchronous = lambda device: True
torch.set_num_threads(1)
with process_group() as ranks:
    resident.room_for_images = lambda device: 2**30 * (1 - ranks.rank)  # the second process has its images sent
    source = open_source({"kind": "digits"}, "train", image_size=16).subset(70)
    model = network()
    images, resources = TrainingImages(source, source), Resources(torch.device("cpu"), 1, Silent())
    resume = Path(f"{ranks.rank}.resume")
    fitted = fit(model, images, SHARED, PIXELS, resources, resume_file=ResumeFile(resume), title="", ranks=ranks)
    Path(f"{ranks.rank}.csv").write_text(fitted.log)
    torch.save(model.state_dict(), f"{ranks.rank}.pt")
    with_bn, resume = small_network(), Path(f"{ranks.rank}-bn.resume")
    fitted = fit(with_bn, images, SHARED, PIXELS, resources, resume_file=ResumeFile(resume), title="", ranks=ranks)
    Path(f"{ranks.rank}-bn.csv").write_text(fitted.log)
    torch.save(with_bn.state_dict(), f"{ranks.rank}-bn.pt")
"""
SHARED = RECIPE.changed({"optimizer": "sgd", "epochs": 2, "accumulate": 2, "evaluate_every": 1})


def network() -> nn.Module:
    """Without BN, which sees the shares, and dropout."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 49, 10))


def numbers(log: str) -> list[list[float]]:
    """Loss, errors on training and on test images, of each epoch."""
    return [[float(line.split(",")[place]) for place in (1, 2, -1)] for line in log.splitlines()[1:]]


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(source, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "program.py"],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = network()
    log = trained(expected, source, tmp_path / "alone", SHARED, test=source).log
    one, two = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    for key, value in expected.state_dict().items():
        assert torch.equal(one[key], two[key])
        torch.testing.assert_close(one[key], value, rtol=1e-4, atol=1e-6, msg=key)
    for rank in (0, 1):
        for found, wanted in zip(numbers((tmp_path / f"{rank}.csv").read_text()), numbers(log), strict=True):
            torch.testing.assert_close(torch.tensor(found), torch.tensor(wanted), rtol=1e-4, atol=1e-3)

    saved, other = (torch.load(tmp_path / f"{rank}-bn.pt", weights_only=True) for rank in (0, 1))
    for key, value in saved.items():
        assert torch.equal(other[key], value), f"{key}: running statistics are those of rank 0"
    network_with_bn = small_network()
    network_with_bn.load_state_dict(saved)
    preprocess = Preprocess(PIXELS.mean, PIXELS.std, torch.device("cpu"))
    error = measure_error(network_with_bn, source, preprocess, 1, Ranks())
    assert numbers((tmp_path / "0-bn.csv").read_text())[-1][-1] == pytest.approx(error, rel=1e-5)
