"""Whatever a name holds: a parser of each format reads the same text back, and nothing but text."""

from __future__ import annotations

import csv as csv_module
import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from lst_robust.errors import one_line
from lst_robust.reporting.escaping import FORMULA, csv_cell, html, latex, markdown, plain, terminal, xml
from tests.reporting.hostile import HOSTILE

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
SIGNS = st.text(alphabet="ab1 _*`~#!|\\[]()<>&;:/.@=+-$'\"\n\t\x1b\u202e", max_size=20)
names = st.one_of(st.sampled_from(HOSTILE), SIGNS, st.text(max_size=20))


def squeezed(text: str) -> str:
    return " ".join(text.split())


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[str | None] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [value for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.tags.append("comment")


def rendered(markdown_text: str) -> _Text:
    """What a browser shows of Markdown; comments, which part a link, are no tags."""
    parser = _Text()
    parser.feed(MARKDOWN.render(markdown_text).replace("<!-- -->", ""))
    parser.close()
    return parser


@given(names)
def test_html_is_read_back_as_text_and_as_an_attribute(name):
    parser = _Text()
    parser.feed(f'<p title="{html(name)}">{html(name)}</p>')
    parser.close()
    assert (parser.text, parser.tags, parser.attributes) == (one_line(name), ["p"], [one_line(name)])


@given(names)
def test_markdown_in_a_table_is_one_cell_of_text(name):
    parser = rendered(f"| Model | mCE |\n|:--|--:|\n| {markdown(name)} | 50.0 |\n| next | 1.0 |\n")
    assert parser.tags == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td", "tr", "td", "td"]
    assert squeezed(parser.text) == squeezed(f"Model mCE {one_line(name)} 50.0 next 1.0")


@pytest.mark.parametrize(("before", "after", "tags"), [("", "", ["p"]), ("- ", "", ["ul", "li"]), ("a ", " b", ["p"])])
@given(name=names)
def test_markdown_in_a_paragraph_and_in_a_list_is_text(before, after, tags, name):
    parser = rendered(f"{before}{markdown(name)}{after}")
    assert parser.tags == (tags if before or name else [])
    assert squeezed(parser.text) == squeezed(f"{before.strip('- ')} {one_line(name)} {after}")


@given(names)
def test_markdown_in_bold_stays_bold(name):
    parser = rendered(f"**{markdown('x ' + name)}**")
    assert parser.tags == ["p", "strong"] and squeezed(parser.text) == squeezed(f"x {one_line(name)}")


@pytest.mark.parametrize(
    "name",
    ["vit_base_patch16_224", "timm:hf_hub:OWNER/NAME", "lst20 (seed 0, 3fa9c1)", "lst20@seed1", "nets/net.py:make"],
)
def test_names_of_networks_stay_readable_in_every_format(name):
    assert [markdown(name), html(name), csv_cell(name), xml(name), str(terminal(name))] == [name] * 5
    assert latex(name) == name.replace("_", r"\_")


def test_markdown_makes_no_links_of_addresses_and_mentions():
    text = markdown("@name www.x.org https://x.org a@b.org")
    assert not re.search(r"@\w|www\.|https://", text) and "a@<!-- -->b.org" in text


@given(names)
def test_csv_is_read_back_and_no_formula(name):
    out = io.StringIO()
    csv_module.writer(out, lineterminator="\n").writerow([csv_cell(name), "50.0"])
    (back,) = csv_module.reader(io.StringIO(out.getvalue()))
    assert len(back) == 2 and not back[0].startswith((*FORMULA, "\t", "\r", "\n"))
    assert back[0] == ("'" if one_line(name).startswith(FORMULA) else "") + one_line(name)


@given(names)
def test_the_terminal_shows_text_and_gets_no_commands(name):
    console = Console(file=io.StringIO(), width=10_000, force_terminal=True, color_system=None, emoji=False)
    console.print(terminal(name), end="")
    shown = console.file.getvalue()
    assert shown == one_line(name) and not re.search(r"[\x00-\x1f\x7f-\x9f\u202e]", shown)


@given(names)
@example("\ufffe\x0b")
def test_xml_is_read_back(name):
    element = ElementTree.Element("case", {"name": xml(name)})
    element.text = xml(name)
    back = ElementTree.fromstring(ElementTree.tostring(element, encoding="utf-8"))
    assert back.get("name") == (back.text or "") == xml(name)


@given(names)
def test_latex_is_ascii_without_special_characters_of_its_own(name):
    text = latex(name, breakable=True)
    assert text.isascii() and text.isprintable()
    bare = re.sub(r"\\([a-zA-Z]+|.)", "x", text)  # commands and escaped characters
    bare = re.sub(r"\$[^$]*\$", "", bare)  # formulas of signs
    assert not re.search(r"[\\#%&_~<>|\"`]|(?<!\{)[\[*]|--|''|,,", re.sub(r"\{[?!]`\}", "", bare))
    depth = 0
    for sign in re.sub(r"\\[{}]", "", text):
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    assert depth == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("é ñ ø ł ı ï", r"\'{e} \~{n} \o{} \l{} \i{} \"{\i}"),
        ("e\u0301", r"\'{e}"),
        ("đ ą", r"{\fontencoding{T1}\selectfont\dj} {\fontencoding{T1}\selectfont\k{a}}"),
        ("中", r"\textless{}U+4E2D\textgreater{}"),
        ("ế", r"\textless{}U+1EBF\textgreater{}"),
        ("a--b", "a-{}-b"),
        ("[x]", "{[}x{]}"),
        ("\x1b", r"\textbackslash{}x1b"),
        ("97.0 ± 3.4", r"97.0 $\pm$ 3.4"),
    ],
)
def test_latex_of_letters_and_signs(text, expected):
    assert latex(text) == expected


def test_long_words_can_be_broken_in_latex():
    pieces = latex("x" * 30 + "_y", breakable=True).split(r"\allowbreak{}")
    assert [len(piece) for piece in pieces] == [12, 12, 8, 1] and latex("x" * 30) == "x" * 30
    assert latex("中" * 4, breakable=True).count(r"\allowbreak{}") == 2


def test_plain_text_is_one_line():
    assert plain("a\nb\u202e\x1b[0m") == r"a\nb\u202e\x1b[0m"
