"""A figure as a part of an HTML page with a strict Content-Security-Policy.

matplotlib writes a <style> element and style attributes, which such a policy forbids. Here these become presentation
attributes (`fill="..."`), which it allows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from matplotlib.figure import Figure

from lst_robust.errors import UsageError
from lst_robust.reporting.figures.export import saved
from lst_robust.reporting.figures.names import TIP, plain
from lst_robust.reporting.figures.style import drawing
from lst_robust.reporting.palette import LIGHT

Element = ElementTree.Element
SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
URL = re.compile(r"url\(#([^)]+)\)")
FONT = re.compile(r"(?P<words>.*?)\s*(?P<size>[\d.]+)px\s+(?P<family>.+)")
VARIABLES = {colour: f"var(--{name})" for name, colour in LIGHT.items()}
NUMERIC = {
    "d",
    "x",
    "y",
    "points",
    "transform",
    "width",
    "height",
    "stroke-width",
    "stroke-dasharray",
    "stroke-dashoffset",
}
PRESENTATION = {
    "fill", "fill-opacity", "fill-rule", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray",
    "stroke-dashoffset", "stroke-linejoin", "stroke-linecap", "stroke-miterlimit", "opacity", "text-anchor",
    "font-size", "font-weight", "font-style",
}  # fmt: skip
"""Properties that may become attributes; matplotlib's others, such as the font's family, are left out."""
BLACK = {f"{SVG}{name}" for name in ("text", "use", "path", "rect", "circle", "polygon", "ellipse")}
INHERITED = PRESENTATION - {"opacity"}
FAMILY = "DejaVu Sans, Verdana, sans-serif"
"""Verdana is as wide as DejaVu Sans, with which the places were reckoned."""


def inline_svg(figure: Figure, *, description: str, prefix: str) -> str:
    """The figure as an <svg> element that may stand in an HTML page with a strict Content-Security-Policy: no style
    attribute, no <style>, no script, nothing from elsewhere. It has the width of what is around it.

    description: its text alternative. prefix: what its ids begin with, other in each figure of a page: a letter, then
    letters, digits, - and _. Colours are CSS variables: --ink, --faint, --grid, --paper, --rest, --series-1 to
    --series-8 (see `palette.LIGHT` and `palette.DARK`). An artist with the gid "tip:TEXT" has TEXT as its tooltip.
    """
    if not PREFIX.fullmatch(prefix):
        raise UsageError(f"prefix {prefix!r}: give a letter, then letters, digits, - and _")
    with drawing():
        root = ElementTree.fromstring(saved(figure, "svg"))
    _drop_foreign(root)
    defined = _within_defs(root)
    for element in root.iter():
        _spread_style(element)
        _name_colours(element, elsewhere=element in defined)
    _place_single_uses(root)
    _number_ids(root, prefix)
    _round(root)
    _unwrap(root)
    _share(root)
    view_box = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib |= {
        "xmlns": SVG[1:-1],
        "viewBox": view_box,
        "role": "img",
        "aria-label": plain(description),
        "font-family": FAMILY,
        "fill": "none",
        "stroke-linejoin": "round",
    }
    for element in root.iter():
        element.tag = element.tag.removeprefix(SVG)
    return ElementTree.tostring(root, encoding="unicode")


def _drop_foreign(root: Element) -> None:
    """Takes away the metadata and the style sheet, which only says that lines have round joins."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in {f"{SVG}metadata", f"{SVG}style"}:
                parent.remove(child)


def _spread_style(element: Element) -> None:
    """Properties of the style attribute become attributes, `font: bold 8px ...` among them."""
    for rule in element.attrib.pop("style", "").split(";"):
        name, _, value = (part.strip() for part in rule.partition(":"))
        if name == "font" and (match := FONT.fullmatch(value)):
            element.set("font-size", match["size"])
            if "bold" in match["words"] or re.search(r"\b[6-9]00\b", match["words"]):
                element.set("font-weight", "bold")
            if "italic" in match["words"] or "oblique" in match["words"]:
                element.set("font-style", "italic")
        elif name in PRESENTATION:
            element.set(name, value.removesuffix("px"))


def _within_defs(root: Element) -> set[Element]:
    """Shapes that are drawn elsewhere, in the colours of that place."""
    return {child for defs in root.iter(f"{SVG}defs") for child in defs.iter()}


def _name_colours(element: Element, *, elsewhere: bool) -> None:
    """Colours of the palette become variables. What states no fill is black: stated here, so that none is the rule."""
    if not elsewhere and element.tag in BLACK and element.get("fill") is None:
        element.set("fill", "#000")
    for name in ("fill", "stroke"):
        if (value := element.get(name)) is not None:
            element.set(name, VARIABLES.get(value.lower(), value))


def _place_single_uses(root: Element) -> None:
    """A shape that is defined for one place only is drawn there: <defs><path id/></defs> <use y/> become a path."""
    parents = {child: parent for parent in root.iter() for child in parent}
    uses: dict[str, list[Element]] = {}
    for use in root.iter(f"{SVG}use"):
        uses.setdefault(use.attrib[f"{XLINK}href"].removeprefix("#"), []).append(use)
    for shape in list(root.iter(f"{SVG}path")):
        users = uses.get(shape.get("id", ""), [])
        if len(users) == 1 and parents[shape].tag == f"{SVG}defs":
            use = users[0]
            place = f"translate({use.attrib.pop('x', '0')} {use.attrib.pop('y', '0')})"
            del use.attrib[f"{XLINK}href"]
            parents[shape].remove(shape)
            use.tag = shape.tag
            use.attrib = {**{key: value for key, value in shape.attrib.items() if key != "id"}, **use.attrib}
            use.set("transform", place)


def _number_ids(root: Element, prefix: str) -> None:
    """Ids that are referred to get short new ones, tooltips become <title> elements, all other ids go."""
    used = dict.fromkeys(name for element in root.iter() for name in _references(element))
    new = {name: f"{prefix}-{number}" for number, name in enumerate(used, start=1)}
    for element in list(root.iter()):
        name = element.attrib.pop("id", "")
        if name in new:
            element.set("id", new[name])
        elif name.startswith(TIP):
            title = ElementTree.Element(f"{SVG}title")
            title.text = name.removeprefix(TIP)
            element.insert(0, title)
        if (link := element.attrib.pop(f"{XLINK}href", None)) is not None:
            element.set("href", f"#{new[link.removeprefix('#')]}")
        for key, value in element.attrib.items():
            if key != "href" and "url(" in value:
                element.set(key, URL.sub(lambda match: f"url(#{new[match[1]]})", value))


def _references(element: Element) -> Iterator[str]:
    for key, value in element.attrib.items():
        if key == f"{XLINK}href" and value.startswith("#"):
            yield value[1:]
        yield from URL.findall(value)


def _round(root: Element) -> None:
    """Two decimals within markers, which are small, one elsewhere: a tenth of a point is less than a pixel."""
    small = _within_defs(root)
    for element in root.iter():
        for name in NUMERIC & element.attrib.keys():
            digits = 2 if element in small or name.startswith("stroke") else 1
            element.set(name, _short(element.attrib[name], digits))
        if element.get("transform", "").startswith("rotate(-0 "):
            del element.attrib["transform"]


def _short(text: str, digits: int) -> str:
    text = NUMBER.sub(lambda match: _number(float(match[0]), digits), text)
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r" ?([A-Za-z]) ?", r"\1", text) if re.match(r"M ?-?[\d.]", text) else text


def _number(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def _unwrap(root: Element) -> None:
    """Groups without attributes and tooltip give way to their children, empty ones and white space go."""
    for parent in list(root.iter()):
        parent.tail = None
        if parent.tag not in {f"{SVG}text", f"{SVG}title", f"{SVG}tspan"}:
            parent.text = None
    for parent in reversed(list(root.iter())):
        children: list[Element] = []
        for child in parent:
            bare = child.tag == f"{SVG}g" and not child.attrib and child.find(f"{SVG}title") is None
            children.extend(child if bare else [child])
        parent[:] = [child for child in children if len(child) or child.attrib or child.text]


def _share(root: Element) -> None:
    """What all children of a group state alike, the group states for them; what is the rule, nobody states."""
    for group in reversed([element for element in root.iter(f"{SVG}g") if len(element)]):
        children = [child for child in group if child.tag != f"{SVG}title"]
        for name in sorted(INHERITED & children[0].attrib.keys()) if children else ():
            value = children[0].attrib[name]
            if name not in group.attrib and all(child.get(name) == value for child in children):
                group.set(name, value)
                for child in children:
                    del child.attrib[name]
    defined = _within_defs(root)
    for parent in root.iter():
        for child in parent:
            if child.get("fill") == "none" and "fill" not in parent.attrib and child not in defined:
                del child.attrib["fill"]
