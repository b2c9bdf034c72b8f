"""What the hosted workflows run can be run here: each command is a make target, a file, or a tool of the extra dev."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from release_check import disagreements

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text()
PYPROJECT = (ROOT / "pyproject.toml").read_text()
TARGETS = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, flags=re.MULTILINE)[1].split())
JOBS = [
    pytest.param(job, id=f"{file.stem}-{name}")
    for file in WORKFLOWS
    for name, job in yaml.safe_load(file.read_text())["jobs"].items()
]


def stem(command: str) -> list[str]:
    """The words of a command without sudo."""
    words = shlex.split(command)
    return words[1:] if words[0] == "sudo" else words


@pytest.mark.parametrize("job", JOBS)
def test_each_step_can_be_run_here_too(job):
    runs = [line for step in job["steps"] for line in step.get("run", "").splitlines()]
    for program, *arguments in map(stem, runs):
        if program == "make":
            assert arguments[0] in TARGETS
        elif program == "python":
            assert (ROOT / arguments[0]).is_file()
        elif program.startswith(".venv/bin/"):
            assert f'"{Path(program).name}>=' in PYPROJECT
        else:
            assert os.access(ROOT / program, os.X_OK), program


@pytest.mark.parametrize("job", JOBS)
def test_actions_are_pinned_by_their_major_version(job):
    for step in job["steps"]:
        assert ("uses" in step) != ("run" in step)
        assert re.fullmatch(r"[\w-]+/[\w-]+@(release/)?v\d+", step.get("uses", "a/b@v1"))


def test_pythons_that_the_package_names_are_tested():
    ci = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    tested = ci["jobs"]["tests"]["strategy"]["matrix"]["python"]
    named = re.findall(r"Python :: (3\.\d+)", PYPROJECT)
    assert named and set(named) <= set(tested)
    assert f'requires-python = ">={tested[0]}"' in PYPROJECT
    assert ci["jobs"]["lowest"]["steps"][1]["with"]["python-version"] == tested[0]


def test_help_has_a_line_for_each_target():
    explained = re.findall(r"^# make ([\w-]+) ", MAKEFILE, flags=re.MULTILINE)
    assert sorted(explained) == sorted(TARGETS)


@pytest.mark.parametrize("file", [".pre-commit-config.yaml", ".github/dependabot.yml", "CITATION.cff"])
def test_it_is_yaml(file):
    assert yaml.safe_load((ROOT / file).read_text())


def test_hooks_before_a_commit_download_nothing():
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    assert {hook["language"] for hook in repositories[0]["hooks"]} <= {"system", "pygrep"}


@pytest.fixture
def release(tmp_path) -> Path:
    (tmp_path / "lst_robust").mkdir()
    (tmp_path / "lst_robust/_version.py").write_text('__version__ = "1.2.3"\n')
    (tmp_path / "CITATION.cff").write_text("cff-version: 1.2.0\nversion: 1.2.3\n")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-11-29\n\n- A change.\n")
    return tmp_path


def test_a_release_whose_files_agree(release):
    assert disagreements("v1.2.3", release) == []
    assert [line.split(":")[0] for line in disagreements("v1.2.4", release)] == [
        "the tag is v1.2.4, but lst_robust/_version.py says 1.2.3"
    ]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("CITATION.cff", "version: 1.2.3", "version: 1.2.2"),
        ("CHANGELOG.md", "2026-11-29", "soon"),
        ("CHANGELOG.md", "## [Unreleased]\n", "## [Unreleased]\n\n- Not yet.\n"),
    ],
)
def test_a_release_whose_files_do_not_agree(release, file, old, new):
    path = release / file
    path.write_text(path.read_text().replace(old, new))
    assert [line.split()[0] for line in disagreements("v1.2.3", release)] == [file]


def test_the_citation_is_of_this_version():
    import lst_robust

    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == lst_robust.__version__
