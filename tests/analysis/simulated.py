"""Runs that never happened: records of digits-c with errors as one likes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import ndtri

from lst_robust.analysis.collect import MeasuredRun
from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, SEVERITIES, Cell
from lst_robust.records.confidence import Outcomes
from lst_robust.records.record import ModelIdentity, Protocol, Provenance, Run, make_record
from lst_robust.records.run_file import RunFile
from lst_robust.records.store import Store
from lst_robust.suites import Normaliser, load_suite

ALL_CELLS = [CLEAN_CELL, *(Cell(name, severity) for name in CORRUPTIONS for severity in SEVERITIES)]
SUITE = load_suite("digits-c")
HALF = Normaliser(name="half", clean_error=10.0, errors={name: (50.0,) * 5 for name in CORRUPTIONS}, made_with={"n": 1})
"""A normaliser that is wrong on half of the corrupted images: a CE is twice an error."""
PROVENANCE = Provenance(
    versions={}, git_revision=None, device="cpu", transform=None, seconds=1.0, images_per_second=1.0, finished="today"
)


def protocol(n: int, **changes: Any) -> Protocol:
    fields = {
        "suite": "digits-c", "suite_version": SUITE.version, "suite_digest": SUITE.digest(), "protocol": "generated",
        "data": "digits/test", "images": "f" * 16, "n": n, "image_size": 32, "preset": "imagenet",
        "style": "hendrycks", "engine": "lst-robust 1", "seed": 0,
    }  # fmt: skip
    return Protocol(**(fields | changes))


def measured(
    name: str, wrong: Mapping[Cell, np.ndarray], weights: str = "0", train_seed: int | None = 0, **changes: Any
) -> MeasuredRun:
    """A run of digits-c from what is wrong in each cell, bool (n,); changes: of the protocol."""
    n = len(next(iter(wrong.values())))
    identity = ModelIdentity(name=name, checkpoint_sha256=(weights * 64)[:64], train_seed=train_seed)
    run = Run(protocol(n, **changes), identity)
    unsure = np.full(n, 0.5)
    records = {
        cell: make_record(run, cell, Outcomes(~bits, None, unsure, unsure), PROVENANCE) for cell, bits in wrong.items()
    }
    return MeasuredRun(run, records, SUITE)


def with_identity(run: MeasuredRun, **changes: Any) -> MeasuredRun:
    """The same records of a network with another identity."""
    identity = run.run.model.model_copy(update=changes)
    records = {cell: record.model_copy(update={"model": identity}) for cell, record in run.records.items()}
    return run._replace(run=run.run._replace(model=identity), records=records)


def stored(store: Store, run: MeasuredRun) -> MeasuredRun:
    store.write_run_file(RunFile(protocol=run.run.protocol, model=run.run.model))
    for record in run.records.values():
        store.write(record)
    return run


def simulated(
    generator: np.random.Generator, n: int, errors: Mapping[Cell, float], likeness: float = 1.0
) -> dict[Cell, np.ndarray]:
    """Which of n images are wrong in each cell, bool (n,); over all images of this kind the errors, in [0, 1], are
    exactly these. Some images are hard in all cells: a cell is wrong where likeness · hardness + noise, both standard
    normal, is below a threshold."""
    hardness = likeness * generator.normal(size=n)
    return {
        cell: hardness + generator.normal(size=n) < ndtri(error) * np.sqrt(1 + likeness**2)
        for cell, error in errors.items()
    }
