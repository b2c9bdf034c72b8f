"""Two small networks of a file on thirteen cells of the digits, and what one process has measured of them."""

from pathlib import Path

import pytest

from lst_robust.distribution.planning import Planned, planned_networks
from tests.clusters.conftest import shared_work, undisturbed, work
from tests.clusters.work import requests

__all__ = ["planned", "shared_work", "undisturbed", "work"]


@pytest.fixture
def planned(work: Path) -> list[Planned]:
    """Plans of both networks, with nothing measured, in the results folder `here`."""
    found, failed = planned_networks(requests(work, work / "here"))
    assert not failed
    return found
