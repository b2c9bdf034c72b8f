"""Headless Chromium with the pages of a report.

Debian's packages chromium and chromium-driver, or any that LST_ROBUST_CHROMIUM and LST_ROBUST_CHROMEDRIVER name;
axe-core from the folder that LST_ROBUST_AXE names, or from build/browser, where `npm install --prefix build/browser
axe-core` puts it. Where one of them is missing, these tests are skipped and say which.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lst_robust.reporting.page.content import Report
from lst_robust.reporting.page.render import render_report

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--hide-scrollbars", "--force-color-profile=srgb",
)  # fmt: skip
AXE = Path(__file__).parents[2] / "build/browser/node_modules/axe-core"
WIDTHS = (400, 1600)
THEMES = ("light", "dark")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass(frozen=True)
class Browser:
    """A running Chromium and the folder of a report's pages."""

    driver: Any
    folder: Path

    def open(
        self, page: str | Path = "index.html", *, width: int = 1600, theme: str = "light", scripts: bool = True
    ) -> Any:
        """A page of that folder, or one by its whole path, laid out anew with this width and the system's colours so;
        what was logged before is forgotten."""
        self.devtools("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=False)
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        self.driver.get("about:blank")
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)
        address = (self.folder / page).as_uri()
        self.driver.get(address)
        deadline = time.monotonic() + 30
        while self.driver.current_url != address or not self.driver.find_elements("css selector", "footer"):
            assert time.monotonic() < deadline, f"{page} was not loaded in 30 seconds"  # a loaded machine may take long
            time.sleep(0.05)
        return self.driver

    def devtools(self, command: str, **arguments: Any) -> Any:
        return self.driver.execute_cdp_cmd(command, arguments)

    def complaints(self) -> list[str]:
        """What the console says since the page was opened: errors, warnings, violations of the policy."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """The addresses that were asked for since the page was opened."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return [params["request"]["url"] for params in sent]


@pytest.fixture(scope="session")
def pages(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the report's pages."""
    folder = tmp_path_factory.mktemp("report")
    for path, content in render_report(report).items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


@pytest.fixture(scope="session")
def browser(pages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is missing: pip install -e '.[browser]'")
    options = webdriver.ChromeOptions()
    options.binary_location = _program("LST_ROBUST_CHROMIUM", "chromium", "chromium-browser", "google-chrome")
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(_program("LST_ROBUST_CHROMEDRIVER", "chromedriver"))
    driver = webdriver.Chrome(options, service)
    try:
        yield Browser(driver, pages)
    finally:
        driver.quit()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    file = Path(os.environ.get("LST_ROBUST_AXE", AXE)) / "axe.min.js"
    if not file.is_file():
        pytest.skip(
            "axe-core is missing: npm install --prefix build/browser axe-core, or name its folder LST_ROBUST_AXE"
        )
    return file.read_text(encoding="utf-8")


def _program(variable: str, *names: str) -> str:
    """The path of a program; skips the test where there is none."""
    found = os.environ.get(variable) or next(filter(None, map(shutil.which, names)), None)
    if not found:
        pytest.skip(f"{names[0]} is missing: install it, or name its path {variable}")
    return found
