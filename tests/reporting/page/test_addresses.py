"""Names of files that any name gives."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lst_robust.reporting.page.addresses import LONGEST, RESERVED, slug, unique_slugs
from tests.fixtures.reports import HOSTILE


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("lst20", "lst20"),
        ("lst20-relu", "lst20-relu"),
        ("timm:resnet50", "timm-resnet50-2f6adf94"),
        ("..", "network-"),
        ("/", "network-"),
        ("CON", "con-"),
        ("nul", "nul-"),
        ("网络", "network-"),
        ("Réseau 7", "reseau-7-"),
    ],
)
def test_a_slug_is_the_name_or_names_its_change(name: str, made: str) -> None:
    assert re.fullmatch(made if not made.endswith("-") else made + "[0-9a-f]{8}", slug(name))


@pytest.mark.parametrize("name", ["", ".", "..", "/", "a/b", "a\\b", "CON", "con.html", "x" * 300, *HOSTILE])
def test_a_slug_is_a_safe_name_of_a_file(name: str) -> None:
    assert_safe(slug(name))


@given(st.text(st.characters(exclude_categories=()), max_size=400))
def test_any_name_gives_a_safe_slug(name: str) -> None:
    assert_safe(slug(name))


@given(st.lists(st.text(max_size=8), unique=True, max_size=12))
def test_slugs_differ_where_names_do(names: list[str]) -> None:
    slugs = unique_slugs(names)
    assert list(slugs) == names and len(set(slugs.values())) == len(names)


def test_a_name_that_is_anothers_slug_gets_a_number() -> None:
    taken = slug("timm:resnet50")
    assert unique_slugs(["timm:resnet50", taken]) == {"timm:resnet50": taken, taken: f"{taken}-2"}


def test_the_same_name_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="two networks have the key 'a'"):
        unique_slugs(["a", "b", "a"])


def assert_safe(made: str) -> None:
    assert re.fullmatch(r"[a-z0-9_-]+", made) and len(made) <= LONGEST and made not in RESERVED
