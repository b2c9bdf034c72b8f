"""Agreement: how far networks err on the same images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from lst_robust.errors import NothingToEvaluateError
from lst_robust.reporting.figure_names import Width
from lst_robust.reporting.figures.cells import add_key, colour_scale, draw_cells
from lst_robust.reporting.figures.names import plain, short_names
from lst_robust.reporting.figures.numbers import array
from lst_robust.reporting.figures.style import new_figure, styled

NAME_LENGTH = 22
MOST_WITH_NUMBERS = {"column": 12, "page": 14}  # networks; more leave no room for numbers
KAPPA = "Cohen's kappa"


class Agreement(NamedTuple):
    """Cohen's kappa of "right or wrong" between each two networks: (networks, networks), from -1 to 1, None where it is
    not known. Error consistency (Geirhos et al., "Beyond accuracy", NeurIPS 2020): 0 is what their accuracies give by
    chance, 1 means that they err on the same images. clean, corrupted: None leaves the matrix out."""

    names: Sequence[str]
    clean: Sequence[Sequence[float | None]] | None
    corrupted: Sequence[Sequence[float | None]] | None


@styled
def draw_agreement(agreement: Agreement, *, width: Width = "page") -> Figure:
    """Two matrices, clean and corrupted: side by side on a page, one below the other in a column of a paper. The
    diagonal, where each network meets itself, is blank.

    Raises NothingToEvaluateError where there are fewer than two networks or no kappa.
    """
    matrices = _matrices(agreement)
    count = len(agreement.names)
    known = np.concatenate([matrix[~np.isnan(matrix)] for matrix in matrices.values()])
    scale = colour_scale(float(known.min()), float(known.max()))
    names = short_names(agreement.names, NAME_LENGTH)
    upright = width == "column"
    side = min(2.3 if upright else 2.75, 0.6 + 0.4 * count)
    figure = new_figure(width, 0.85 + (len(matrices) if upright else 1) * side + 0.9)
    grid = (len(matrices), 1) if upright else (1, len(matrices))
    axes = figure.subplots(*grid, sharex=True, sharey=True, squeeze=False).ravel()
    for panel, (title, matrix) in zip(axes, matrices.items(), strict=True):
        draw_cells(
            panel,
            matrix,
            scale,
            text=_two_digits if count <= MOST_WITH_NUMBERS[width] else None,
            tips=partial(_tip, agreement.names, matrix),
            size=min(6.5, 60 / count),
            blank=[(index, index) for index in range(count)],
        )
        panel.set_aspect("equal")
        panel.set_title(title)
        panel.set_xticks(range(count), names, rotation=90)
        panel.set_yticks(range(count), names)
    add_key(figure, list(axes), scale, f"{KAPPA}\nhigher: errors on the same images")
    return figure


def describe_agreement(agreement: Agreement) -> str:
    """What `draw_agreement` shows, in words."""
    matrices = _matrices(agreement)
    parts = []
    for title, matrix in matrices.items():
        pairs = np.where(np.triu(np.ones(matrix.shape, dtype=bool), 1), matrix, np.nan)
        if np.isnan(pairs).all():
            continue
        low, high = (np.unravel_index(find(pairs), pairs.shape) for find in (np.nanargmin, np.nanargmax))
        parts.append(
            f"{title.lower()} images, mean {np.nanmean(pairs):.2f}, from {_pair(agreement.names, pairs, low)} to "
            f"{_pair(agreement.names, pairs, high)}"
        )
    return (
        f"{KAPPA} of being right or wrong between {len(agreement.names)} networks (0: as by chance, 1: errors on the "
        f"same images). On {'; on '.join(parts)}."
    )


def _matrices(agreement: Agreement) -> dict[str, np.ndarray]:
    """Title -> float64 (networks, networks), NaN on the diagonal."""
    found = {}
    for title, rows in (("Clean", agreement.clean), ("Corrupted", agreement.corrupted)):
        if rows is not None and len(agreement.names) > 1:
            matrix = np.stack([array(row) for row in rows])
            np.fill_diagonal(matrix, np.nan)
            if not np.isnan(matrix).all():
                found[title] = matrix
    if not found:
        raise NothingToEvaluateError("no agreement to draw: it needs two networks with the outcomes of the same images")
    return found


def _two_digits(value: float) -> str:
    return f"{value:.2f}".replace("0.", ".", 1)


def _pair(names: Sequence[str], matrix: np.ndarray, place: tuple[np.intp, ...]) -> str:
    row, column = map(int, place)
    return f"{matrix[row, column]:.2f} ({plain(names[row])} and {plain(names[column])})"


def _tip(names: Sequence[str], matrix: np.ndarray, row: int, column: int) -> str:
    value = matrix[row, column]
    if row == column:
        return names[row]
    return f"{names[row]} and {names[column]}: " + ("not known" if np.isnan(value) else f"kappa {value:.3f}")
