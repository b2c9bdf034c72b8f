"""The site's parts that are made from the program, and the check of its links. `make docs` builds the whole."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import lst_robust
from lst_robust.cli.app import app
from lst_robust.cli.lazy_group import COMMANDS, loaded
from tests.fixtures.pages import GENERATED, PAGES

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import check_site  # noqa: E402
import cli_reference  # noqa: E402

PAGE = cli_reference.page()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_reference_has_every_command_with_every_option(name):
    for words, command in cli_reference.commands_of(name, loaded(name)):
        level = "##" if " " not in words else "###"
        section = re.search(rf"^{level} {words}\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE)
        assert section, words
        shown = CliRunner().invoke(app, [*words.split(), "--help"], env={"COLUMNS": "300"}).output
        options = set(re.findall(r"(?<![\w`-])--[a-z][a-z-]+(?= )", re.split(r"─ Options", shown)[-1])) - {"--help"}
        assert options or not command.params
        for option in options:
            assert f"`{option}`" in section[1], (words, option)


def test_the_reference_states_defaults_variables_and_choices():
    (row,) = re.findall(r"^\| `--tolerance`.*$", PAGE, re.MULTILINE)
    assert "`NUMBER`" in row and "Default: `0.5`." in row and "Environment: `LST_ROBUST_TOLERANCE`." in row
    assert r"| `--engine` `auto\|cpu\|torch` |" in PAGE
    assert "[default" not in PAGE


def test_the_committed_reference_is_what_the_commands_say():
    if "| `A` | A model with records. |" not in PAGE:
        pytest.skip("this old Typer loses the help of arguments beside a newer click")
    text = (ROOT / GENERATED).read_text(encoding="utf-8")
    assert text == PAGE, f"run python tools/cli_reference.py {GENERATED}"


def test_python_names_are_each_on_the_page_once():
    text = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    listed = re.findall(r"^::: lst_robust\.(\w+)$", text, re.MULTILINE)
    assert sorted(listed) == sorted(set(lst_robust.__all__) - {"__version__"})


def test_every_page_is_in_the_navigation_once():
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    named = [
        page for section in settings["nav"] for pages in section.values() for one in pages for page in one.values()
    ]
    there = {page.removeprefix("docs/") for page in (*PAGES, GENERATED) if page.startswith("docs/")}
    assert sorted(named) == sorted(there)


@pytest.mark.parametrize(
    ("content", "faults"),
    [
        ('<a href="there.html#here">', 0),
        ('<a href="https://example.org/">', 0),
        ('<a href="missing.html">', 1),
        ('<a href="there.html#nowhere">', 1),
        ('<a href="../outside.html">', 1),
        ('<img src="missing.png">', 1),
        ('<script src="https://example.org/x.js"></script>', 1),
    ],
)
def test_a_dead_link_and_a_foreign_script_are_found(tmp_path, content, faults):
    site = tmp_path / "site"
    site.mkdir()
    (tmp_path / "outside.html").touch()
    (site / "there.html").write_text('<h2 id="here">')
    (site / "index.html").write_text(content)
    assert len(list(check_site.faults_of_site(site))) == faults


@pytest.mark.parametrize(
    ("link", "faults"),
    [("b.md", 0), ("b.md#a-heading-small-but-true", 0), ("b.md#other", 1), ("c.md", 1), ("https://example.org", 0)],
)
def test_a_dead_link_of_a_markdown_file_is_found(tmp_path, link, faults):
    (tmp_path / "a.md").write_text(f"[a link]({link})\n")
    (tmp_path / "b.md").write_text("# B\n\n## A heading, small but true\n\n```bash\n# other\n```\n")
    assert len(list(check_site.faults_of_markdown(tmp_path / "a.md"))) == faults


def test_links_of_all_pages_lead_somewhere():
    for page in PAGES:
        assert list(check_site.faults_of_markdown(ROOT / page)) == []
