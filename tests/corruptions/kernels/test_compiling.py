"""Compiling is lazy, visible and optional."""

from __future__ import annotations

import os
import subprocess
import sys

from lst_robust.corruptions.kernels.compiling import inlined, jit


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )


CALL = """
import sys, hashlib, logging, numpy as np
from lst_robust.corruptions import corrupt
logging.basicConfig(format="%(name)s: %(message)s", level=logging.INFO)
images = np.arange(2 * 32 * 32 * 3, dtype=np.uint32).astype(np.uint8).reshape(2, 32, 32, 3)
print(hashlib.sha256(corrupt(images, "impulse_noise", 3, preset="cifar")).hexdigest(), "numba" in sys.modules)
"""


def test_compiles_once_says_so_and_can_do_without(tmp_path):
    first, second = (run(CALL, LST_ROBUST_CACHE_DIR=str(tmp_path)) for _ in range(2))
    plain = run(CALL, LST_ROBUST_CORRUPTION_KERNELS="plain")
    assert [line for line in first.stderr.splitlines() if "impulse_noise" in line] == [
        "lst_robust.corruptions.kernels.compiling: compiling impulse_noise for this machine (once, some seconds)"
    ]
    assert second.stderr == "" and second.stdout == first.stdout
    assert plain.stdout == first.stdout.replace("True", "False") and plain.stderr == ""


def test_an_inlined_helper_is_not_called():
    """It becomes part of the loop: the compiled caller names it nowhere."""

    def helper_of_the_test(x):
        return x * x + 3

    helper = inlined(helper_of_the_test)
    caller = jit(lambda x: helper(x) + helper(x + 1))
    assert caller(5) == 28 + 39
    (code,) = caller.inspect_llvm().values()
    assert "helper_of_the_test" not in code


def test_works_where_nothing_can_be_cached(tmp_path):
    occupied = tmp_path / "file"
    occupied.write_text("")
    result = run(CALL, LST_ROBUST_CACHE_DIR=str(occupied), NUMBA_CACHE_LOCATOR_CLASSES="_UserProvidedCacheLocator")
    assert result.stdout == run(CALL, LST_ROBUST_CORRUPTION_KERNELS="plain").stdout.replace("False", "True")


def test_kernels_of_other_sources_are_not_taken_from_the_users_own_cache(tmp_path):
    """numba looks at a function's own file alone, so each state of the sources has a folder."""
    run(CALL, NUMBA_CACHE_DIR=str(tmp_path))
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("kernels-") and list(folder.rglob("*.nbi"))


def test_does_without_numba_where_it_is_switched_off():
    result = run(CALL, NUMBA_DISABLE_JIT="1")
    assert result.stdout == run(CALL, LST_ROBUST_CORRUPTION_KERNELS="plain").stdout
