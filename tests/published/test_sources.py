"""Each source says where it is, in which state, under which licence, and how it is cited."""

from __future__ import annotations

from importlib.resources import files

import pytest

from lst_robust.published import GROUPS, SOURCES

README = files("lst_robust.published").joinpath("README.md").read_text(encoding="utf-8")


def test_every_source_has_rows_and_every_row_a_source():
    assert {group.source for group in GROUPS} == set(SOURCES)
    assert all(source.name == name for name, source in SOURCES.items())


@pytest.mark.parametrize("source", SOURCES.values(), ids=str)
def test_the_note_names_the_source_and_whom_to_cite(source):
    assert source.note.startswith(f"Source: {source.title} (") and "\n" not in source.note
    assert source.citation in source.note and "(," not in source.note and ", )" not in source.note
    if source.name != "paper":  # printed figures have no address and no licence
        assert source.url in source.note and source.licence in source.note


def test_the_readme_states_the_same():
    for source in SOURCES.values():
        if source.url:
            assert source.url in README
            for word in source.state.replace(" of ", " ").replace("commit", "").split():
                assert word in README, source.name
    for group in GROUPS:
        assert group.file in README, "every file is described"
