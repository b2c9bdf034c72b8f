"""Figures inside of a page: what is taken, what is refused."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from lst_robust.reporting.page.content import Picture
from lst_robust.reporting.page.svg import embedded

NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def drawn(inner: str, attributes: str = "") -> ElementTree.Element:
    picture = Picture(Markup(f"<svg {NAMESPACES} {attributes}>{inner}</svg>"), 'A "title"', "What <is> seen")
    return ElementTree.fromstring(embedded(picture, "p-"))


def test_the_root_is_an_image_with_a_text_alternative() -> None:
    root = drawn("", 'role="group" aria-labelledby="t" viewBox="0 0 90 60"')
    assert root.attrib == {
        "role": "img", "aria-label": 'A "title". What <is> seen', "viewBox": "0 0 90 60", "width": "120", "height": "80"
    }  # fmt: skip


@pytest.mark.parametrize(("size", "width"), [('width="200"', "200"), ('width="100%"', "120"), ('width="90pt"', "120")])
def test_a_size_in_pixels_stays(size: str, width: str) -> None:
    assert drawn("", f'{size} viewBox="0 0 90 60"').get("width") == width


def test_ids_and_what_refers_to_them_get_the_prefix() -> None:
    root = drawn(
        '<defs><path id="m0" d="M0 0"/><clipPath id="c"><rect width="9" height="9"/></clipPath></defs>'
        '<g clip-path="url(#c)"><use xlink:href="#m0"/><use href="#m0"/><text fill="var(--ink)">a</text></g>'
    )
    assert [one.get("id") for one in root.iter() if one.get("id")] == ["p-m0", "p-c"]
    assert [one.get("href") for one in root.iter("use")] == ["#p-m0", "#p-m0"]
    assert root[1].get("clip-path") == "url(#p-c)" and root[1][2].get("fill") == "var(--ink)"


def test_texts_stay_texts() -> None:
    root = drawn("<text>&lt;script&gt;<title>a &amp; b</title></text>")
    assert root[0].text == "<script>" and root[0][0].text == "a & b"


@pytest.mark.parametrize(
    "inner",
    [
        "<script>alert(1)</script>", "<style>a{}</style>", "<foreignObject/>", "<a href='#x'/>", "<image/>",
        "<animate/>", "<g style='fill:red'/>", "<g onclick='x'/>", "<g ONLOAD='x'/>", "<use href='http://x/y'/>",
        "<use xlink:href='x.svg#y'/>", "<g fill='url(http://x)'/>", "<g filter=\"url('x.svg#y')\"/>",
        "<x:y xmlns:x='z'/>",
    ],
)  # fmt: skip
def test_what_the_policy_would_drop_is_refused(inner: str) -> None:
    with pytest.raises(ValueError, match="the page cannot show it"):
        drawn(inner)


@pytest.mark.parametrize("text", ["", "no markup", "<svg>", "<p>not a figure</p>", "<svg/><svg/>"])
def test_what_is_no_figure_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the figure 'x' is no"):
        embedded(Picture(Markup(text), "x", ""), "p-")
