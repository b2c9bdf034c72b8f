"""The benchmark's words: the frozen sets of the papers, further corruptions behind them, and the names of cells."""

from __future__ import annotations

import pytest

from lst_robust import benchmark
from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, GROUPS, LABELS, STANDARD_15, Cell
from lst_robust.errors import UsageError


@pytest.fixture
def with_own(monkeypatch):
    """Two further corruptions, known in one test only."""
    monkeypatch.setattr(benchmark, "_groups", dict(GROUPS))
    monkeypatch.setattr(benchmark, "_labels", dict(LABELS))
    benchmark.add_corruption("rain", "weather", "Rain")
    benchmark.add_corruption("scanlines", "own", "Scan")


def test_the_papers_sets():
    """15 and 4 more; Table 4 of the LST-Net paper has its columns in this order."""
    assert len(STANDARD_15) == 15 and len(CORRUPTIONS) == 19 and CORRUPTIONS[:15] == STANDARD_15
    assert set(CORRUPTIONS) - set(STANDARD_15) == {"saturate", "spatter", "gaussian_blur", "speckle_noise"}
    assert set(LABELS) == set(CORRUPTIONS) and len(set(LABELS.values())) == 19
    assert CORRUPTIONS[0] == "gaussian_noise" and STANDARD_15[-1] == "jpeg_compression"


def test_further_corruptions_come_last_and_leave_the_papers_sets_alone(with_own):
    assert benchmark.known_corruptions() == (*CORRUPTIONS, "rain", "scanlines")
    assert benchmark.groups()["weather"] == ("snow", "frost", "fog", "brightness", "rain")
    assert list(benchmark.groups()) == [*GROUPS, "own"]
    assert (benchmark.group_of("rain"), benchmark.label_of("rain")) == ("weather", "Rain")
    assert GROUPS["weather"] == ("snow", "frost", "fog", "brightness")
    assert benchmark.checked_corruptions("corruptions", ["rain", "fog"]) == ("rain", "fog")


def test_a_corruption_that_is_added_again_is_not_there_twice(with_own):
    benchmark.add_corruption("rain", "weather", "Wet")
    assert benchmark.groups()["weather"].count("rain") == 1 and benchmark.label_of("rain") == "Wet"


def test_what_is_not_known_here_has_a_group_and_a_label():
    assert (benchmark.group_of("motion_smear"), benchmark.label_of("motion_smear")) == ("own", "Motion smear")
    with pytest.raises(UsageError, match="unknown corruption 'rain'"):
        benchmark.checked_corruptions("corruptions", ["rain"])


def test_the_name_of_a_cell_leads_back_to_it():
    for cell in (CLEAN_CELL, Cell("fog", 3), Cell("gaussian_noise", 5), Cell("own_one", 1)):
        assert Cell.from_name(cell.name) == cell
    assert (Cell("fog", 3).name, Cell("fog", 3).folder, CLEAN_CELL.name) == ("fog-3", "fog/3", "clean")


@pytest.mark.parametrize("name", ["", "fog", "fog-0", "fog-6", "fog-03", "-3", "Fog-3", "a/b-3", "fog-3 ", "clean-0"])
def test_what_is_no_cell_is_refused(name):
    with pytest.raises(ValueError, match="no such cell"):
        Cell.from_name(name)


def test_severities_are_sorted_and_counted_once():
    assert benchmark.checked_severities("severities", [3, 1, 3]) == (1, 3)
    with pytest.raises(UsageError, match=r"severities\[1\] is 6: give a whole number from 1 to 5"):
        benchmark.checked_severities("severities", [1, 6])
