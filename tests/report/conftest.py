"""Records of networks that were never measured, on real images of digits-c, with predictions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from lst_robust.benchmark import CLEAN_CELL, Cell
from lst_robust.evaluation.cell_images import open_cell_images
from lst_robust.evaluation.request import EvalRequest
from lst_robust.records.confidence import Outcomes
from lst_robust.records.record import ModelIdentity, Run, make_record
from lst_robust.records.run_file import RunFile
from lst_robust.records.store import Store
from lst_robust.report.measured import Measured, measured_networks
from lst_robust.report.request import ReportRequest
from tests.analysis.simulated import ALL_CELLS, PROVENANCE, protocol, simulated

N = 40
NETWORKS = {("lst20", 0): 0.3, ("lst20", 1): 0.35, ("resnet20", 0): 0.45, ("resnet20", 1): 0.4, ("alexnet", None): 0.6}
SOME = [CLEAN_CELL, *(Cell(name, severity) for name in ("fog", "snow") for severity in (1, 3))]


def store_network(
    store: Store,
    name: str,
    seed: int | None,
    wrong: Mapping[Cell, np.ndarray],
    labels: np.ndarray,
    images: str,
    engine: str = "lst-robust 1",
    pixels: str | None = None,
) -> Run:
    """Wrong answers are the next class; a network is the surer the further back an image stands."""
    model = ModelIdentity(name=name, checkpoint_sha256=f"{len(name) * 7 + (seed or 0):064x}", train_seed=seed)
    run = Run(protocol(N, images=images, engine=engine, pixels=pixels), model)
    run_file = RunFile.of(run, np.full((1, 10), float(seed or 0), np.float32))
    store.write_run_file(run_file)
    confidence = np.linspace(0.5, 0.99, N)
    for cell, bits in wrong.items():
        predicted = np.where(bits, (labels + 1) % 10, labels)
        outcomes = Outcomes(~bits, None, confidence, np.full(N, 0.2), predicted)
        store.write(make_record(run_file.run, cell, outcomes, PROVENANCE))
    return run_file.run


@pytest.fixture(scope="session")
def digits():
    """The images that the records are of."""
    return open_cell_images(EvalRequest.of("lst18", "digits-c", limit=N)).clean


@pytest.fixture(scope="session")
def results(tmp_path_factory, digits) -> Path:
    """Three networks, two of them trained twice, in all 96 cells."""
    store = Store(tmp_path_factory.mktemp("report") / "results")
    generator = np.random.default_rng(0)
    for (name, seed), error in NETWORKS.items():
        wrong = simulated(generator, N, {cell: error * (0.3 if cell == CLEAN_CELL else 1.0) for cell in ALL_CELLS})
        store_network(store, name, seed, wrong, digits.labels, digits.fingerprint())
    return store.results_dir


@pytest.fixture
def request_of(results):
    """A request of these results."""
    return lambda **options: ReportRequest.of(**({"results_dir": results} | options))


@pytest.fixture
def measured(request_of) -> Measured:
    (one,) = measured_networks(request_of(), predictions=True)
    return one
