"""Runs that a gate is tried on, and what is read of its outcome."""

from __future__ import annotations

import numpy as np

from lst_robust.analysis.gate import Finding, Gate
from tests.analysis.simulated import ALL_CELLS, simulated

N = 300
WRONG = simulated(np.random.default_rng(1), N, dict.fromkeys(ALL_CELLS, 0.3))
METRIC = {"metric": "mean_corruption_error"}


def worse(corruptions: tuple[str, ...], share: float) -> dict:
    """WRONG, and of these corruptions a share of the images that were right as well."""
    generator = np.random.default_rng(2)
    return {
        cell: bits | (generator.random(N) < share) if cell.corruption in corruptions else bits
        for cell, bits in WRONG.items()
    }


def one(gate: Gate) -> Finding:
    (finding,) = gate.findings
    return finding
