"""The report's pages in a real browser: what the policy allows, keyboard and mouse, widths, colours, accessibility."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lst_robust.reporting.page.addresses import slug
from lst_robust.reporting.page.content import Report
from tests.browser.conftest import THEMES, WIDTHS, Browser
from tests.fixtures.reports import ESCAPED, HOSTILE, PLAIN

NETWORK = f"networks/{slug(HOSTILE[0])}.html"
BOARD = "#section-1-board"
NAMES = f"return [...document.querySelectorAll('{BOARD} tbody')].filter(b => !b.hidden).map(b => b.dataset.name)"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def first_of(browser: Browser, selector: str) -> Any:
    return browser.driver.find_element("css selector", selector)


def press(browser: Browser, key: str) -> None:
    """A key, as the keyboard sends it to whatever has the focus."""
    from selenium.webdriver import ActionChains, Keys

    ActionChains(browser.driver).send_keys(getattr(Keys, key)).perform()


def tab_to(browser: Browser, selector: str, most: int = 60) -> None:
    """Presses the tabulator key until the focus is on an element."""
    for _ in range(most):
        press(browser, "TAB")
        if browser.driver.execute_script("return document.activeElement.matches(arguments[0])", selector):
            return
    raise AssertionError(f"{most} presses of the tabulator key do not lead to {selector}")


def violations(browser: Browser, axe: str) -> list[str]:
    """What axe-core finds on the page that is open."""
    driver = browser.driver
    driver.execute_script(axe)
    driver.set_script_timeout(120)
    found = driver.execute_async_script(
        "axe.run(document, {...arguments[0], resultTypes: ['violations']}).then(arguments[1])", RULES
    )
    assert len(found["passes"]) > 20  # the rules did run
    return [
        f"{one['impact']} {one['id']}: {one['help']}: {node['html'][:200]}"
        for one in found["violations"]
        for node in one["nodes"][:3]
    ]


def names(browser: Browser) -> list[str]:
    """Of the networks that the first leaderboard shows, from above."""
    return browser.driver.execute_script(NAMES)


@pytest.mark.parametrize("page", ["index.html", NETWORK])
@pytest.mark.parametrize("theme", THEMES)
def test_a_page_opens_from_disk_without_a_complaint_and_without_a_request(
    browser: Browser, page: str, theme: str
) -> None:
    driver = browser.open(page, theme=theme)
    assert driver.find_elements("css selector", "h1")
    assert browser.complaints() == []
    requests = browser.requests()
    assert any(address.endswith(page) for address in requests)
    assert {address.split(":")[0] for address in requests} <= {"file", "data"}
    assert [address for address in requests if address.startswith("file:")] == [(browser.folder / page).as_uri()]


@pytest.fixture
def asked_for() -> list[str]:
    """The paths that `listener` was asked for."""
    return []


@pytest.fixture
def listener(asked_for: list[str]) -> Iterator[str]:
    """The address of a server on this machine that writes down what it is asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked_for.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/x.png"
        server.shutdown()


def test_the_policy_stops_what_is_put_into_the_page(browser: Browser, listener: str, asked_for: list[str]) -> None:
    driver = browser.open()
    driver.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s);"
        "const i = document.createElement('img'); i.src = arguments[0]; document.body.append(i);"
        "const p = document.createElement('p'); p.setAttribute('style', 'color: red'); document.body.append(p);",
        listener,
    )
    assert driver.execute_script("return window.ran") is None
    complaints = " ".join(browser.complaints())
    assert all(f"{kind}-src" in complaints for kind in ("script", "img", "style"))
    assert asked_for == []


@pytest.mark.parametrize("page", ["index.html", NETWORK])
def test_hostile_names_stay_text(browser: Browser, page: str) -> None:
    driver = browser.open(page)
    assert len(driver.find_elements("css selector", "script")) == 1
    assert driver.find_elements("css selector", "[onmouseover], [onerror], [style], a[href^='javascript']") == []
    assert driver.find_elements("css selector", "img[src='x'], b.hostile") == []
    text = driver.execute_script("return document.body.textContent")
    assert HOSTILE[0] in text
    if page == "index.html":
        assert [name for name in HOSTILE if name.isprintable() and name not in text] == []
        assert [shown for shown in ESCAPED if shown not in text] == []


def test_every_link_leads_to_a_page_or_a_place(browser: Browser) -> None:
    for page in ("index.html", NETWORK):
        driver = browser.open(page)
        broken = driver.execute_script(
            "return [...document.links].filter(a => a.hash && a.pathname === location.pathname "
            "&& !document.getElementById(a.hash.slice(1))).map(a => a.href)"
        )
        assert broken == []
        others = driver.execute_script(
            "return [...document.links].filter(a => !a.hash).map(a => a.getAttribute('href'))"
        )
        assert others
        assert [one for one in others if not ((browser.folder / page).parent / one).resolve().is_file()] == []


def test_sorting_by_mouse_keeps_trainings_with_their_network(browser: Browser) -> None:
    driver = browser.open()
    before = names(browser)
    head = first_of(browser, f"{BOARD} th[data-quantity='clean_error']")
    head.find_element("css selector", "button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert names(browser) != before and sorted(names(browser)) == sorted(before)
    values = driver.execute_script(
        f"return [...document.querySelectorAll('{BOARD} tbody')].map(b => Number(b.rows[0].cells[5].dataset.value))"
    )
    assert values == sorted(values)
    head.find_element("css selector", "button").click()
    assert head.get_attribute("aria-sort") == "descending"
    together = driver.execute_script(
        f"return [...document.querySelectorAll('{BOARD} tbody')].every(b => [...b.rows].slice(1)"
        ".every(row => row.cells[0].textContent.trim().startsWith(b.dataset.name)))"
    )
    assert together


def test_a_network_without_a_value_is_last_in_both_orders(browser: Browser) -> None:
    browser.open()
    button = first_of(browser, f"{BOARD} th[data-quantity='relative_mce'] button")
    for order in ("ascending", "descending"):
        button.click()
        assert names(browser)[-1] == PLAIN[5][0], order


def test_sorting_by_keyboard(browser: Browser) -> None:
    browser.open()
    tab_to(browser, f"{BOARD} th[data-sort='text'] button")
    press(browser, "ENTER")
    assert first_of(browser, f"{BOARD} th[data-sort='text']").get_attribute("aria-sort") == "ascending"
    ascending = names(browser)
    press(browser, "SPACE")
    assert names(browser) == ascending[::-1]
    press(browser, "TAB")
    press(browser, "ENTER")
    heads = browser.driver.find_elements("css selector", f"{BOARD} [aria-sort]")
    assert [head.get_attribute("data-quantity") for head in heads] == ["mce15"]


def test_the_focus_can_be_seen(browser: Browser) -> None:
    browser.open()
    tab_to(browser, f"{BOARD} th[data-sort='text'] button")
    outline = "const s = getComputedStyle(document.activeElement); return [s.outlineStyle, parseFloat(s.outlineWidth)]"
    style, width = browser.driver.execute_script(outline)
    assert style == "solid" and width >= 2


def test_the_skip_link_leads_to_the_content(browser: Browser) -> None:
    browser.open()
    press(browser, "TAB")
    assert browser.driver.switch_to.active_element.text == "Skip to the content"
    press(browser, "ENTER")
    assert browser.driver.execute_script("return document.activeElement.id") == "content"


def test_filtering_by_name_and_family(browser: Browser) -> None:
    from selenium.webdriver.support.select import Select

    browser.open()
    count = first_of(browser, "#section-1 [data-count]")
    everything = len(PLAIN) + len(HOSTILE) + 9 + 4
    assert count.text == f"{everything} of {everything} networks"
    assert count.get_attribute("aria-live") == "polite"
    tab_to(browser, "#section-1 [data-filter='name']")
    browser.driver.switch_to.active_element.send_keys("RESNET")
    assert names(browser) == ["resnet18", "resnet50", "resnet101"]
    assert count.text == f"3 of {everything} networks"
    browser.driver.switch_to.active_element.clear()
    Select(first_of(browser, "#section-1 [data-filter='family']")).select_by_visible_text("<b>hostile</b>")
    assert len(names(browser)) == len(HOSTILE)
    first_of(browser, "#section-1 [data-filter='name']").send_keys("<script>")
    assert names(browser) == [HOSTILE[0]]


def test_unfolding_trainings_by_mouse_and_keyboard(browser: Browser) -> None:
    browser.open()
    button = first_of(browser, f"{BOARD} tbody [aria-expanded]")
    rows = [first_of(browser, f"[id='{one}']") for one in button.get_attribute("aria-controls").split()]
    assert len(rows) == 3 and not any(row.is_displayed() for row in rows)
    button.click()
    assert button.get_attribute("aria-expanded") == "true" and all(row.is_displayed() for row in rows)
    press(browser, "ENTER")  # the button has the focus
    assert button.get_attribute("aria-expanded") == "false" and not any(row.is_displayed() for row in rows)


def test_intervals_as_numbers(browser: Browser) -> None:
    browser.open()
    interval = first_of(browser, f"{BOARD} .interval")
    assert interval.size["width"] <= 1
    first_of(browser, "#section-1 [data-show-intervals]").click()
    assert interval.size["width"] > 20 and interval.text == "[38.8, 41.9]"


@pytest.mark.parametrize("page", ["index.html", NETWORK])
@pytest.mark.parametrize("width", (320, *WIDTHS))
def test_the_page_never_scrolls_sideways(browser: Browser, page: str, width: int) -> None:
    driver = browser.open(page, width=width)
    assert driver.execute_script("return innerWidth") == width
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    outside = driver.execute_script(
        "const inside = '.scroll, .command, .hidden-text', all = document.querySelectorAll('body *');"
        "return [...all].filter(e => !e.closest(inside) && e.getBoundingClientRect().right > innerWidth + 1)"
        ".map(e => e.outerHTML.slice(0, 120))"
    )
    assert outside == []


def test_names_stay_in_view_while_a_table_scrolls(browser: Browser) -> None:
    driver = browser.open(width=400)
    region = first_of(browser, f".scroll:has({BOARD})")
    assert region.get_attribute("tabindex") == "0" and region.get_attribute("role") == "region"
    driver.execute_script("arguments[0].scrollLeft = 300", region)
    left = driver.execute_script(f"return document.querySelector('{BOARD} tbody .name').getBoundingClientRect().left")
    assert abs(left - region.rect["x"]) < 2


def test_a_region_that_does_not_scroll_is_no_stop_for_the_keyboard(browser: Browser) -> None:
    driver = browser.open(width=1600)
    driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    wrong = driver.execute_script(
        "return [...document.querySelectorAll('.scroll')].filter(r => r.checkVisibility() && r.clientWidth &&"
        " (r.tabIndex === 0) !== (r.scrollWidth > r.clientWidth || r.scrollHeight > r.clientHeight)).length"
    )
    assert wrong == 0


def test_light_and_dark_follow_the_system_and_the_button(browser: Browser) -> None:
    paper = "return getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(255, 255, 255)", "rgb(18, 22, 27)"
    assert browser.open(theme="light").execute_script(paper) == light
    driver = browser.open(theme="dark")
    assert driver.execute_script(paper) == dark
    button = first_of(browser, ".theme")
    button.click()
    assert (driver.execute_script(paper), button.text) == (light, "Colours: light")
    button.click()
    assert (driver.execute_script(paper), button.text) == (dark, "Colours: dark")
    assert driver.execute_script("return localStorage.length + sessionStorage.length") == 0
    assert driver.execute_script("return document.cookie") == ""


@pytest.mark.parametrize("page", ["index.html", NETWORK])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_no_violation(browser: Browser, axe: str, page: str, width: int, theme: str) -> None:
    driver = browser.open(page, width=width, theme=theme)
    driver.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    for button in driver.find_elements("css selector", "[aria-expanded]")[:2]:
        driver.execute_script("arguments[0].click()", button)
    assert violations(browser, axe) == []


def test_without_scripts_everything_is_there_to_be_read(browser: Browser, report: Report) -> None:
    driver = browser.open(scripts=False)
    board = report.sections[0].board
    assert board is not None
    rows = driver.find_elements("css selector", f"{BOARD} tbody tr")
    assert len(rows) == sum(1 + len(row.trainings) for row in board.rows)
    assert all(row.is_displayed() for row in rows)
    shown = [one for one in driver.find_elements("css selector", "button, input, select") if one.is_displayed()]
    assert shown == []  # nothing that would do nothing


def test_print_is_light_without_controls_and_cuts_no_table(browser: Browser) -> None:
    driver = browser.open(theme="dark", width=1000)
    browser.devtools(
        "Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    try:
        assert driver.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        controls = driver.find_elements("css selector", ".controls, .theme, .skip, nav, figcaption details")
        assert controls and not any(one.is_displayed() for one in controls)
        overflow = "return [...document.querySelectorAll('.scroll')].map(r => getComputedStyle(r).overflowX)"
        assert set(driver.execute_script(overflow)) == {"visible"}
        heads = "return [...document.querySelectorAll('th button')].map(b => getComputedStyle(b).display)"
        assert set(driver.execute_script(heads)) == {"contents"}  # as text, which is repeated on each sheet
    finally:
        browser.devtools("Emulation.setEmulatedMedia", media="", features=[])
    paper = base64.b64decode(browser.devtools("Page.printToPDF", preferCSSPageSize=True)["data"])
    assert paper.startswith(b"%PDF")


@pytest.mark.parametrize("page", ["index.html", NETWORK])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("theme", THEMES)
def test_screenshots(browser: Browser, page: str, width: int, theme: str, tmp_path: Path) -> None:
    """Of the whole page, to be looked at: `pytest -m browser --basetemp FOLDER` keeps them."""
    from PIL import Image

    driver = browser.open(page, width=width, theme=theme)
    height = driver.execute_script("return document.documentElement.scrollHeight")
    shot = browser.devtools("Page.captureScreenshot", captureBeyondViewport=True,
                            clip={"x": 0, "y": 0, "width": width, "height": height, "scale": 1})  # fmt: skip
    file = tmp_path / f"{Path(page).stem}-{width}-{theme}.png"
    file.write_bytes(base64.b64decode(shot["data"]))
    with Image.open(file) as image:
        assert image.size == (width, height)
        colours = image.convert("RGB").getcolors(maxcolors=1 << 24)
    assert colours is not None and len(colours) > 20
    assert max(colours)[1] == ((255, 255, 255) if theme == "light" else (18, 22, 27))
