"""A report of many networks: all are on the leaderboard, and the best ones have pages and are in the figures."""

from __future__ import annotations

import pytest

from lst_robust import write_report
from lst_robust.errors import UsageError
from lst_robust.report import gather as module
from lst_robust.report.measured import best_of, in_memory, measured_networks


@pytest.fixture(autouse=True)
def without_figures(monkeypatch):
    monkeypatch.setattr(module, "can_draw", lambda: False)


def test_the_best_and_the_reference(request_of):
    (measured,) = measured_networks(request_of())
    labels = [label for label, _ in measured.labelled()]
    assert len(labels) == 3
    assert best_of(measured, len(labels), None) is measured
    assert [label for label, _ in best_of(measured, 2, None).labelled()] == labels[:2]
    assert [label for label, _ in best_of(measured, 2, labels[1]).labelled()] == labels[:2]
    assert [label for label, _ in best_of(measured, 2, labels[-1]).labelled()] == [*labels[:2], labels[-1]]
    read = in_memory(best_of(measured, 1, None))
    assert type(read.networks[0].runs[0].records) is dict
    assert read.networks[0].summary == measured.networks[0].summary


def test_all_are_on_the_leaderboard_and_the_page_says_which_are_not_in_the_figures(request_of, tmp_path):
    asked = request_of()
    options = {"suite": asked.suite, "results_dir": asked.results_dir}
    (measured,) = measured_networks(asked)
    count = len(measured.networks)
    some = write_report(tmp_path / "some", **options, pages=2).read_text()
    every = write_report(tmp_path / "all", **options).read_text()
    for label, _ in measured.labelled():
        assert label in some
    assert len(list((tmp_path / "some" / "networks").iterdir())) == 2
    assert len(list((tmp_path / "all" / "networks").iterdir())) == count
    line = f"{count} networks were measured. 2 of them have a page"
    assert line in some and line not in every


@pytest.mark.parametrize("pages", [0, -1, "many", 1.5, None])
def test_pages_that_cannot_be_meant(request_of, tmp_path, pages):
    asked = request_of()
    with pytest.raises(UsageError, match="pages"):
        write_report(tmp_path / "r", suite=asked.suite, results_dir=asked.results_dir, pages=pages)
