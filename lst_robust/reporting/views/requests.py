"""How a list of networks that are to be evaluated looks in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group

from lst_robust.reporting.escaping import terminal
from lst_robust.reporting.views.layout import plain_table

if TYPE_CHECKING:
    from lst_robust.evaluation.request import EvalRequest


def requests_view(requests: Sequence[EvalRequest]) -> Group:
    """One row a network, with its weights, and below it what is asked for."""
    table = plain_table()
    table.add_column("Network", overflow="fold")
    table.add_column("Weights", overflow="fold")
    for request in requests:
        table.add_row(terminal(request.label), terminal(_weights(request)))
    cells, networks = len(requests[0].cells()), len(requests)
    asked = f"{networks} {'network' if networks == 1 else 'networks'}, {cells} cells each, of {requests[0].suite.name}"
    return Group(table, terminal(asked, style="dim"))


def description(request: EvalRequest) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "model": request.label,
        "checkpoint": None if request.checkpoint is None else str(request.checkpoint),
        "options": dict(request.options),
        "suite": request.suite.name,
        "cells": len(request.cells()),
    }


def _weights(request: EvalRequest) -> str:
    if request.checkpoint is not None:
        return str(request.checkpoint)
    if weights := request.options.get("weights"):
        return f"weights={weights}"
    if request.has_weights:
        return "its own"
    return "an earlier training on the suite, or a new one" if request.train else "an earlier training on the suite"
