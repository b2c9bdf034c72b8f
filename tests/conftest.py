"""Fixtures for all tests."""

from __future__ import annotations

import getpass
import os
import signal
import tempfile

# One thread a process, before anything starts OpenMP: the networks here are tiny, and threads that wait for a core
# which another process holds make them a hundred times slower. Inherited by the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Nothing is written into the home folder. The folder is kept, because compiling the kernels takes half a minute.
os.environ.setdefault("LST_ROBUST_CACHE_DIR", f"{tempfile.gettempdir()}/lst-robust-tests-{getpass.getuser()}")
os.environ.pop("COLUMNS", None)  # of pytest-xdist's workers: the command line's consoles would keep that width
# A shell starts `make test &` with Ctrl-C ignored, and the processes that tests start and interrupt would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# A slow or busy machine is no fault of a test.
settings.register_profile("lst-robust", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lst-robust")

pytest_plugins = [
    "tests.fixtures.commands",
    "tests.faults.tally",
    "tests.fixtures.corruptions",
    "tests.fixtures.goldens",
    "tests.fixtures.images",
    "tests.fixtures.libraries",
    "tests.fixtures.networks",
    "tests.fixtures.reports",
]


@pytest.fixture(scope="session")
def photographs() -> np.ndarray:
    """uint8 (4, 64, 64, 3): crops of the two photographs that ship with scikit-learn."""
    from sklearn.datasets import load_sample_images

    flower, china = load_sample_images().images
    crops = [china[60:124, 200:264], china[250:314, 300:364], flower[100:164, 300:364], flower[220:284, 250:314]]
    return np.ascontiguousarray(np.stack(crops)[..., :3])
