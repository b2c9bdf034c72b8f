"""A report of the committed results, with all of its figures, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from lst_robust.report import write_report
from tests.browser.conftest import THEMES, WIDTHS, Browser
from tests.browser.test_report_page import violations

pytestmark = pytest.mark.slow  # writes a whole report, and opens its pages at all widths

RESULTS = Path(__file__).parents[2] / "results" / "published" / "imagenet-sample"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two protocols, three networks each, with published networks behind them."""
    folder = tmp_path_factory.mktemp("real")
    write_report(folder, results_dir=RESULTS, published=["testbed"], match=["resnet*", "alexnet", "vgg*", "efficient*"])
    return folder


def pages(folder: Path) -> list[Path]:
    return [folder / "index.html", sorted((folder / "networks").iterdir())[0]]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_it_opens_without_a_complaint_and_fits(browser: Browser, axe: str, real: Path, width: int, theme: str) -> None:
    for page in pages(real):
        driver = browser.open(page, width=width, theme=theme)
        assert browser.complaints() == []
        assert {address.split(":")[0] for address in browser.requests()} <= {"file", "data"}
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        assert violations(browser, axe) == []


def test_every_figure_is_drawn_and_has_a_text(browser: Browser, real: Path) -> None:
    for page, least in zip(pages(real), (10, 2), strict=True):
        driver = browser.open(page)
        figures = driver.find_elements("css selector", "figure svg[role=img]")
        assert len(figures) >= least
        for figure in figures:
            assert len(figure.get_attribute("aria-label")) > 40
            assert figure.size["width"] > 300 and figure.size["height"] > 100
            painted = "return [...arguments[0].querySelectorAll('text')].map(t => getComputedStyle(t).fill)"
            assert set(driver.execute_script(painted, figure)) != {"none"}
