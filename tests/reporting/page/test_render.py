"""The files of a report: what they hold, what they escape, and what their policy allows."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from xml.etree import ElementTree

import pytest

from lst_robust.reporting.page.content import Board, Cell, NetworkPage, Report, Row, Section
from lst_robust.reporting.page.render import printable, render_report, significant
from tests.fixtures.reports import ESCAPED, HOSTILE, make_board, make_network, make_report
from tests.reporting.page.html import Page

LARGEST = 3_000_000  # bytes of index.html, with about 20 networks


@pytest.fixture(scope="module")
def pages(report: Report) -> dict[str, Page]:
    return {path: Page(content) for path, content in render_report(report).items()}


def bare(**stated: object) -> Report:
    return Report("A title", "2026-01-02", "1.0", "lst-robust report", **stated)  # type: ignore[arg-type]


def test_a_page_for_each_network_and_one_for_all(pages: dict[str, Page], report: Report) -> None:
    assert "index.html" in pages and len(pages) == 1 + len(report.networks)
    assert all(re.fullmatch(r"networks/[a-z0-9_-]+\.html", path) for path in pages if path != "index.html")


def test_hostile_names_change_neither_elements_nor_attributes(pages: dict[str, Page]) -> None:
    plain = {path: Page(content) for path, content in render_report(make_report(hostile=False)).items()}
    allowed = set().union(*(page.shape() for page in plain.values()))
    for path, page in pages.items():
        assert page.shape() <= allowed, path


def test_names_are_shown_as_they_are(pages: dict[str, Page]) -> None:
    text = pages["index.html"].text
    assert [name for name in HOSTILE if name.isprintable() and name not in text] == []
    assert [shown for shown in ESCAPED if shown not in text] == []
    titles = {page.inside("h1") + page.inside("bdi") for page in pages.values()}
    assert all(any(name in title for title in titles) for name in HOSTILE if name.isprintable())


def test_no_page_holds_an_attribute_that_runs_code_or_styles(pages: dict[str, Page]) -> None:
    for page in pages.values():
        for tag, attributes in page.tags:
            assert not [name for name in attributes if name == "style" or name.startswith("on")], tag


def test_links_lead_to_pages_of_the_report_or_to_places(pages: dict[str, Page]) -> None:
    for path, page in pages.items():
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert len(ids) == len(set(ids)), path
        for attributes in page.of("a"):
            address = attributes["href"] or ""
            if address.startswith("#"):
                assert address[1:] in ids
            else:
                assert (address if path == "index.html" else address.removeprefix("../")) in pages


def test_the_policy_names_the_one_style_and_the_one_script(pages: dict[str, Page]) -> None:
    for page in pages.values():
        policy = next(meta["content"] for meta in page.of("meta") if "http-equiv" in meta)
        parts = dict(part.split(" ", 1) for part in (policy or "").split("; "))
        assert set(parts) == {"default-src", "img-src", "style-src", "script-src", "base-uri", "form-action"}
        assert (parts["default-src"], parts["img-src"]) == ("'none'", "data:")
        assert (parts["base-uri"], parts["form-action"]) == ("'none'", "'none'")
        for kind in ("style", "script"):
            assert len(page.of(kind)) == 1 and page.of(kind) == [{}]
            digest = hashlib.sha256(page.inside(kind).encode()).digest()
            assert parts[f"{kind}-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"


def test_the_policy_comes_before_all_that_it_governs(pages: dict[str, Page]) -> None:
    for page in pages.values():
        order = [
            tag for tag, attributes in page.tags if tag in ("style", "script", "link") or "http-equiv" in attributes
        ]
        assert order[0] == "meta"


def test_every_page_has_what_a_page_needs(pages: dict[str, Page]) -> None:
    for page in pages.values():
        assert page.of("html") == [{"lang": "en"}]
        assert [len(page.of(tag)) for tag in ("h1", "main", "header", "footer")] == [1] * 4
        names = [meta.get("name") for meta in page.of("meta")]
        assert {"viewport", "referrer", "color-scheme"} <= set(names)
        assert len(page.of("table")) == len(page.of("caption")) > 0
        assert all("scope" in head for head in page.of("th"))
        assert all(image["alt"] for image in page.of("img"))


def test_a_page_is_small(report: Report) -> None:
    files = render_report(report)
    assert len(files["index.html"]) < LARGEST
    assert (
        len(files["index.html"]) - len(render_report(dataclasses.replace(report, sections=()))["index.html"]) > 50_000
    )


def test_the_same_report_gives_the_same_bytes(report: Report) -> None:
    assert render_report(report) == render_report(make_report())


def test_a_board_shows_values_spreads_and_intervals_and_sorts_by_the_exact_value() -> None:
    board = make_board("c", [("lst18", "LST-Net")])
    page = Page(
        render_report(bare(sections=(Section("s", board=board),), networks=(make_network("lst18", "", ()),)))[
            "index.html"
        ]
    )
    mce = board.rows[0].cells[0]
    assert any(attributes.get("data-value") == str(mce.value) for attributes in page.of("td"))
    assert "40.0\u00a0± 0.4 [38.8, 41.9]" in page.text
    assert page.inside("strong") == "40.060.080.0100.0"


def test_published_boards_are_marked() -> None:
    row = Row("theirs", (Cell("60.0", 60.0),))
    board = Board("somewhere else", make_board("c", []).columns[:1], (row,), (), "RobustBench")
    page = Page(render_report(bare(sections=(Section("s", published=(board,)),)))["index.html"])
    assert any("published" in (part.get("class") or "").split() for part in page.of("div"))
    assert page.inside("b") == "published by RobustBench" and page.inside("i") == "published"


def test_a_report_of_nothing_says_so() -> None:
    files = render_report(bare())
    assert set(files) == {"index.html"}
    assert "There are no results to show." in Page(files["index.html"]).text


def test_results_without_figures_say_so() -> None:
    section = Section("s", board=make_board("c", [("lst18", "LST-Net")]))
    files = render_report(bare(sections=(section,), networks=(NetworkPage("lst18", "lst18"),)))
    assert "There are no figures for these results." in Page(files["index.html"]).text
    assert "There are no figures for this network." in Page(files["networks/lst18.html"]).text


def test_without_mce_and_sizes_there_are_no_such_columns() -> None:
    board = make_board("c", [])
    lean = Board("c", board.columns[4:], (Row("one", (Cell("1.00", 1.0),)),))
    page = Page(render_report(bare(sections=(Section("s", board=lean),)))["index.html"])
    assert [head for head in page.of("th") if "data-quantity" in head] == [
        {"scope": "col", "class": "number", "data-sort": "ascending", "data-quantity": "clean_error"}
    ]
    assert "Params" not in page.text and "MACs" not in page.inside("th")
    assert page.of("circle") == [] and page.of("rect") == []  # one value has no scale


def test_an_empty_board_says_so() -> None:
    page = Page(render_report(bare(sections=(Section("s", board=make_board("c", [])),)))["index.html"])
    assert "There are no networks in this table." in page.text


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (
            bare(sections=(Section("s", board=Board("c", (), (Row("a", (Cell("1"),)),))),)),
            "'a' has 1 cells for 0 columns",
        ),
        (bare(sections=(Section("s", board=Board("c", (), (Row("a", (), page="b"),))),)), "'a' links to the page 'b'"),
        (bare(networks=(NetworkPage("a", "a"), NetworkPage("a", "b"))), "two networks have the key 'a'"),
    ],
)
def test_content_that_does_not_fit_together_is_refused(report: Report, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        render_report(report)


def test_figures_have_ids_of_their_own_and_a_text_alternative(pages: dict[str, Page]) -> None:
    cuts = [attributes["id"] for attributes in pages["index.html"].of("clippath")]
    assert cuts == ["section-1-figure-1-cut", "section-1-figure-2-cut", "section-2-figure-1-cut"]
    used = [group["clip-path"] for group in pages["index.html"].of("g") if "clip-path" in group]
    assert used == [f"url(#{cut})" for cut in cuts]
    labels = [svg["aria-label"] for svg in pages["index.html"].of("svg") if svg.get("role") == "img"]
    assert labels[0] == "Clean error against mCE. A scatter of twelve points: Clean error against mCE."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b\x1b\x7f\x85", r"a\x00b\x1b\x7f\x85"),
        ("line\nand\ttab", "line\nand\ttab"),
        ("\udcff\u2028\u202e\u2066", r"\udcff\u2028\u202e\u2066"),
        ("网络 é 🙂 עברית", "网络 é 🙂 עברית"),
    ],
)
def test_characters_without_a_shape_become_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (0.0408, "0.0408"),
        (0.27, "0.27"),
        (25.55, "25.6"),
        (99.96, "100"),
        (1870.4, "1,870"),
        (1e-5, "0.000010"),
    ],
)
def test_significant_digits(number: float, text: str) -> None:
    assert significant(number) == text


def test_pages_are_whole_documents(report: Report) -> None:
    for content in render_report(report).values():
        assert content.startswith(b"<!DOCTYPE html>\n") and content.endswith(b"</html>\n") and b"\r" not in content


def test_bars_are_well_formed_and_inside_of_their_picture(report: Report) -> None:
    index = render_report(report)["index.html"].decode()
    bars = re.findall(r'<svg class="bar".*?</svg>', index, re.DOTALL)
    assert len(bars) > 100
    for drawn in bars:
        for shape in ElementTree.fromstring(drawn):
            places = [float(shape.get(name, "0")) for name in ("x1", "x2", "x", "cx")]
            assert min(places) >= 0 and max(places) + float(shape.get("width", "0")) <= 96
