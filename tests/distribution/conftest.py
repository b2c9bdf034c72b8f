"""Two small networks of a file on thirteen cells of the digits, and what one process has measured of them."""

from tests.clusters.conftest import shared_work, undisturbed, work

__all__ = ["shared_work", "undisturbed", "work"]
