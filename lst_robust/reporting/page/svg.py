"""Figures inside of a page: checked, named for screen readers, and with ids that no other figure has.

The page's policy would silently drop styles and scripts inside of a figure, so that it would look wrong. It is better
to refuse such a figure when the page is made.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from markupsafe import Markup

from lst_robust.reporting.page.content import Picture

ALLOWED = {
    "svg", "g", "defs", "title", "desc", "path", "rect", "line", "circle", "ellipse", "polyline", "polygon", "text",
    "tspan", "use", "clipPath", "symbol", "linearGradient", "radialGradient", "stop", "pattern", "marker", "mask",
}  # fmt: skip
FORBIDDEN_ATTRIBUTE = re.compile(r"^(on.*|style|base)$", re.IGNORECASE)
REFERENCE = re.compile(r"""url\(\s*['"]?#([^'")]+)['"]?\s*\)""")
OUTSIDE = re.compile(r"""url\(\s*['"]?(?!['"]?#)""")
PIXELS_IN_A_POINT = 4 / 3  # CSS
LABELS = ("aria-labelledby", "aria-describedby")


def embedded(picture: Picture, prefix: str) -> Markup:
    """The figure as HTML's parser wants it. prefix: put before each of its ids, unique on the page.

    Raises ValueError for anything but one <svg> element of shapes and texts.
    """
    try:
        root = ElementTree.fromstring(picture.svg)
    except ElementTree.ParseError as error:
        raise ValueError(f"the figure {picture.title!r} is no XML: {error}") from error
    if _local(root.tag) != "svg":
        raise ValueError(f"the figure {picture.title!r} is no svg element")
    for element in root.iter():
        element.tag = _local(str(element.tag))
        if element.tag not in ALLOWED:
            raise ValueError(f"the figure {picture.title!r} has an element <{element.tag}>: the page cannot show it")
        attributes = {_local(name): value for name, value in element.attrib.items()}
        element.attrib.clear()
        element.attrib.update({name: _value(picture, name, value, prefix) for name, value in attributes.items()})
    for name in LABELS:
        root.attrib.pop(name, None)
    root.attrib.update({"role": "img", "aria-label": f"{picture.title}. {picture.description}".strip()})
    root.attrib.update(_size(root))
    root.tail = None
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _size(root: ElementTree.Element) -> dict[str, str]:
    """Width and height in pixels, so that texts have the size in which they were drawn. The user units of a viewBox are
    taken for points, as matplotlib means them. Empty for a figure that states its own pixels or has no viewBox."""
    box = root.get("viewBox", "").replace(",", " ").split()
    if len(box) != 4 or root.get("width", "100%").replace(".", "", 1).isdigit():
        return {}
    return {
        name: f"{float(length) * PIXELS_IN_A_POINT:.0f}"
        for name, length in zip(("width", "height"), box[2:], strict=True)
    }


def _local(name: str) -> str:
    """A name without its namespace: HTML's parser knows that what is inside of <svg> is SVG."""
    return name.rpartition("}")[2]


def _value(picture: Picture, name: str, value: str, prefix: str) -> str:
    """The value of an attribute, with the prefix before ids and before what refers to them."""
    if FORBIDDEN_ATTRIBUTE.match(name) or OUTSIDE.search(value):
        raise ValueError(f"the figure {picture.title!r} has {name}={value!r}: the page cannot show it")
    if name == "id":
        return prefix + value
    if name == "href":
        if not value.startswith("#"):
            raise ValueError(f"the figure {picture.title!r} has {name}={value!r}: the page cannot show it")
        return f"#{prefix}{value[1:]}"
    if name in LABELS:
        return " ".join(prefix + word for word in value.split())
    return REFERENCE.sub(lambda found: f"url(#{prefix}{found[1]})", value)
