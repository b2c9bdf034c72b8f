"""Versions of packages, and what is said of those that are missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lst_robust.diagnosis import software
from lst_robust.diagnosis.variables import KNOWN

PROJECT = (Path(__file__).parents[2] / "pyproject.toml").read_text()
NAME = re.compile(r'"([A-Za-z0-9_-]+)>=([0-9.]+)"')


def test_the_required_packages_are_those_of_the_project():
    section = PROJECT.split("\ndependencies = [")[1].split("\n]")[0]
    assert dict(NAME.findall(section)) == dict(software.REQUIRED)


def test_the_extras_are_those_of_the_project():
    section = PROJECT.split("[project.optional-dependencies]")[1].split("[project.scripts]")[0]
    found = {name: body for name, body in re.findall(r"^(\w+) = \[(.*?)^(?=\w+ = |\Z)", section, re.M | re.S)}
    own = {name: {package for package, _ in NAME.findall(body)} for name, body in found.items()}
    for_developers = {"test", "browser", "dev", "docs", "release", "mutants"}
    assert {name: packages for name, packages in own.items() if name not in for_developers} == {
        name: set(packages) for name, (packages, _) in software.EXTRAS.items()
    }


@pytest.mark.parametrize(
    ("found", "least", "enough"),
    [
        ("2.4.0+cpu", "2.4", True),
        ("2.4", "2.4.0", True),
        ("2.10.1", "2.4", True),
        ("2.3.9", "2.4", False),
        ("3.0.0rc1", "3", True),
        ("0.4.2", "0.4.3", False),
        ("unknown", "1", True),
        (None, "1", False),
    ],
)
def test_versions_are_compared_by_their_numbers(found, least, enough):
    assert software.is_new_enough(found, least) is enough


def test_here_everything_is_fine():
    assert {finding.state for finding in software.packages()} == {"ok"}
    assert next(software.python()).state == "ok"


def test_a_package_that_is_missing_or_old_is_a_fault_with_the_pip_line(monkeypatch):
    versions = {"torch": None, "numpy": "1.25.9", "rich": None, "typer": "0.11"}
    real = software.installed
    monkeypatch.setattr(
        software, "installed", lambda name: versions.get(name, real(name)) if name in versions else real(name)
    )
    found = {finding.what: finding for finding in software.packages()}
    assert (found["torch"].state, found["torch"].mend) == ("fault", "pip install 'torch>=2.4'")
    assert found["numpy"].text == "1.25.9 is older than 1.26"
    others = found["other packages"]
    assert others.state == "fault" and others.text == "typer 0.11, rich is missing"
    assert others.mend == "pip install 'typer>=0.19' 'rich>=13.7'"


def test_a_package_that_cannot_be_imported_is_a_fault(monkeypatch):
    def broken(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(software, "import_module", broken)
    found = {finding.what: finding for finding in software.packages()}
    assert found["torchvision"].state == "fault" and "nms does not exist" in found["torchvision"].text
    assert "pip install --force-reinstall torch torchvision" in found["torchvision"].mend


def test_an_extra_that_is_missing_is_a_note(monkeypatch):
    monkeypatch.setattr(software, "installed", lambda name: None if name == "timm" else "9.9")
    found = {finding.what: finding for finding in software.extras()}
    assert {name for name, finding in found.items() if finding.state == "note"} == {"extra timm", "extra hf"}
    assert found["extra timm"].mend == "pip install 'lst-robust[timm]' if wanted"


def test_an_old_python_is_a_fault(monkeypatch):
    monkeypatch.setattr(software.sys, "version_info", (3, 9, 1))
    (finding,) = software.python()
    assert (finding.state, finding.mend) == ("fault", "take Python 3.10 or newer")


def test_settings_are_those_of_the_environment(monkeypatch):
    monkeypatch.setenv("LST_ROBUST_LIMIT", "20")
    assert "LST_ROBUST_LIMIT=20" in next(software.settings()).text


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("LST_ROBUST_RESULT_DIR", "did you mean LST_ROBUST_RESULTS_DIR?"),
        ("LST_ROBUST_Q", "unset what is not meant for another program"),
    ],
)
def test_a_variable_that_nobody_reads_is_a_note(monkeypatch, name, mend):
    monkeypatch.setenv(name, "x")
    finding = next(software.settings())
    assert finding.state == "note" and f"nobody reads {name};" in finding.text and finding.mend == mend


def test_the_known_variables_are_those_of_the_sources():
    package = Path(software.__file__).parents[1]
    sources = [file.read_text(encoding="utf-8") for file in package.rglob("*.py") if file.name != "variables.py"]
    read = {name for source in sources for name in re.findall(r"LST_ROBUST_[A-Z_]*[A-Z]", source)}
    assert read == KNOWN
