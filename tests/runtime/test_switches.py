"""The switches of the compiled kernels."""

from __future__ import annotations

import pytest

from lst_robust.errors import UsageError
from lst_robust.runtime.switches import (
    CORRUPTION_KERNELS,
    LST_KERNELS,
    LST_VECTORS,
    NUMBA_OFF,
    REPLACED,
    check_vectors,
    kernels_wanted,
)


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for name in (CORRUPTION_KERNELS, LST_KERNELS, NUMBA_OFF, REPLACED):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("switch", [CORRUPTION_KERNELS, LST_KERNELS])
def test_each_switch_is_its_own(monkeypatch, switch):
    assert kernels_wanted(switch)
    monkeypatch.setenv(switch, "plain")
    assert [kernels_wanted(name) for name in (CORRUPTION_KERNELS, LST_KERNELS)] == [
        switch != CORRUPTION_KERNELS,
        switch != LST_KERNELS,
    ]
    monkeypatch.setenv(switch, "fast")
    assert kernels_wanted(switch)


@pytest.mark.parametrize(("value", "wanted"), [("1", False), ("0", True), ("", True)])
def test_without_numba_there_are_no_kernels_for_corruptions(monkeypatch, value, wanted):
    """Its functions would be plain Python, which takes minutes for an image."""
    monkeypatch.setenv(NUMBA_OFF, value)
    assert kernels_wanted(CORRUPTION_KERNELS) == wanted and kernels_wanted(LST_KERNELS)


@pytest.mark.parametrize("value", ["turbo", "", "Plain"])
def test_other_values_are_refused(monkeypatch, value):
    monkeypatch.setenv(LST_KERNELS, value)
    with pytest.raises(UsageError, match=f"LST_ROBUST_LST_KERNELS is '{value}': set it to 'fast' or 'plain'"):
        kernels_wanted(LST_KERNELS)
    assert kernels_wanted(CORRUPTION_KERNELS)


@pytest.mark.parametrize("value", ["plain", "fast", ""])
def test_the_switch_of_earlier_releases_names_the_two(monkeypatch, value):
    monkeypatch.setenv(REPLACED, value)
    with pytest.raises(
        UsageError, match="set LST_ROBUST_CORRUPTION_KERNELS or LST_ROBUST_LST_KERNELS to fast or plain"
    ):
        kernels_wanted(CORRUPTION_KERNELS)


@pytest.mark.parametrize("value", ["2", "", "wide"])
def test_vectors_have_4_8_or_16_floats(monkeypatch, value):
    monkeypatch.delenv(LST_VECTORS, raising=False)
    check_vectors()
    monkeypatch.setenv(LST_VECTORS, "8")
    check_vectors()
    monkeypatch.setenv(LST_VECTORS, value)
    with pytest.raises(UsageError, match=f"LST_ROBUST_LST_VECTORS is '{value}': set it to 4, 8 or 16"):
        check_vectors()
