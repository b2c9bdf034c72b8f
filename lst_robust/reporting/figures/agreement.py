"""Agreement: how far networks err on the same images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from lst_robust.reporting.figure_names import Width
from lst_robust.reporting.figures.style import styled


class Agreement(NamedTuple):
    """Cohen's kappa of "right or wrong" between each two networks: (networks, networks), from -1 to 1, None where it is
    not known. Error consistency (Geirhos et al., "Beyond accuracy", NeurIPS 2020): 0 is what their accuracies give by
    chance, 1 means that they err on the same images. clean, corrupted: None leaves the matrix out."""

    names: Sequence[str]
    clean: Sequence[Sequence[float | None]] | None
    corrupted: Sequence[Sequence[float | None]] | None


@styled
def draw_agreement(agreement: Agreement, *, width: Width = "page") -> Figure:
    """Two matrices, clean and corrupted; the diagonal, where each network meets itself, is blank.

    Raises NothingToEvaluateError where there are fewer than two networks or no kappa.
    """
    raise NotImplementedError


def describe_agreement(agreement: Agreement) -> str:
    """What `draw_agreement` shows, in words."""
    raise NotImplementedError
