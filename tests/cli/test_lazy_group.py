"""The commands as a list, their help, and what all of them share."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module

import pytest

from lst_robust import __version__
from lst_robust.cli.lazy_group import COMMANDS


def help_of(run, *name: str) -> str:
    """The text of a command's help in one line, without the frames."""
    result = run(*name, "--help", COLUMNS="300")
    assert result.exit_code == 0, result.stderr
    return " ".join(result.stdout.replace("│", " ").split())


@pytest.mark.parametrize("package", ["typer", "scipy"])
def test_a_package_that_cannot_be_imported_is_no_regression(tmp_path, package):
    """With code 1 a gate in CI would say that a network got worse."""
    (tmp_path / f"{package}.py").write_text("raise ImportError('libfoo.so.1 is missing')")
    call = [sys.executable, "-m", "lst_robust", "check", "--baseline", "b.json"]
    done = subprocess.run(call, env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stderr.startswith("error: a package cannot be imported (ImportError: libfoo.so.1 is missing)")


GROUPS = ("baseline", "data")  # of several commands


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in GROUPS])
def test_the_list_says_of_a_command_what_its_own_help_begins_with(name):
    """The list is written by hand, so that it does not import the commands."""
    assert import_module(f"lst_robust.cli.{name}").HELP.splitlines()[0] == COMMANDS[name]


@pytest.mark.parametrize("name", [*(name for name in COMMANDS if name not in GROUPS), "baseline write", "data get"])
def test_every_command_has_help_with_examples(run, name):
    assert f"Examples • lst-robust {name}" in help_of(run, *name.split())


def test_the_list_has_all_commands_and_exit_codes(run):
    text = help_of(run)
    assert all(f" {name} " in text for name in COMMANDS)
    assert "141 the reader of a pipe has gone, 143 ended by SIGTERM" in text


LIGHT = {"numpy", "pydantic", "yaml", "scipy", "pyarrow", "cv2"}
TABLES = LIGHT | {"pandas"}
SLOW = TABLES | {"torch", "torchvision", "numba", "skimage", "sklearn", "imagecorruptions", "timm"}


@pytest.mark.parametrize(
    ("arguments", "loaded"),
    [
        *(([name, "--help"], TABLES if name in ("table", "compare", "check") else LIGHT) for name in COMMANDS),
        (["--help"], set()),
        (["--version"], set()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_help_does_not_wait_for_what_only_the_work_needs(arguments, loaded):
    code = (
        "import sys\n"
        "from lst_robust.cli.app import app\n"
        "try: app(sys.argv[2:])\n"
        "except SystemExit: print(sorted(set(sys.argv[1].split()) & set(sys.modules)), file=sys.stderr)\n"
    )
    call = [sys.executable, "-c", code, " ".join(SLOW - loaded), *arguments]
    assert subprocess.run(call, capture_output=True, text=True, check=True).stderr == "[]\n"


def test_importing_the_package_imports_next_to_nothing():
    code = "import sys, lst_robust; print(sorted({'torch', 'numpy', 'typer', 'rich', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_version(run):
    assert run("--version").stdout == f"lst-robust {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["eval", "--modle", "lst18"], ["No such option", "--modle", "--model"]),
        (["evl"], ["No such command 'evl'", "eval"]),
        (["eval"], ["Missing option '--model'"]),
        (["eval", "-m", "lst18", "--limit", "many"], ["'--limit'"]),
        (["table", "--format", "word"], ["'--format'", "'rich'", "'csv'"]),
        (["baseline", "read"], ["No such command 'read'"]),
        (["convert"], ["Missing argument"]),
        (["table", "--results-dir", ""], ["'--results-dir'", "it is empty: give a folder, or . for this one"]),
        (["eval", "-m", "lst18", "--data-dir", ""], ["'--data-dir'", "it is empty"]),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_one_line_with_a_hint(run, arguments, words):
    result = run(*arguments)
    assert result.exit_code == 2 and result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ") and line.endswith(" --help)")
    assert all(word in line for word in words), line


@pytest.mark.parametrize("group", GROUPS)
def test_without_a_command_a_group_shows_its_help(run, group):
    result = run(group)
    assert result.exit_code == 2
    assert "Usage: " in result.output and "error:" not in result.output and "completion" not in result.output


def test_python_m_lst_robust_is_the_same_command():
    call = [sys.executable, "-m", "lst_robust", "--version"]
    answer = subprocess.run(call, capture_output=True, text=True, check=True)
    assert answer.stdout == f"lst-robust {__version__}\n"


def test_an_unexpected_error_is_one_line_too(run, monkeypatch):
    monkeypatch.setattr("lst_robust.cli.suites.suite_names", lambda: 1 / 0)
    result = run("suites")
    assert result.exit_code == 3
    assert result.stderr.startswith("error: unexpected ZeroDivisionError")


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ("eval -m lst18 --device", "eval"),
        ("engines --size", "engines"),
        ("engines --size big", "engines"),
        ("eval", "eval"),
        ("corrupt a b --engine foo", "corrupt"),
        ("baseline write --out", "baseline write"),
        ("baseline write", "baseline write"),
        ("nothing", ""),
        ("--nothing", ""),
    ],
)
def test_a_wrong_option_sends_to_the_help_of_its_command(run, arguments, command):
    result = run(*arguments.split())
    (line,) = result.stderr.splitlines()
    assert result.exit_code == 2 and line.endswith(f" (see lst-robust{' ' * bool(command)}{command} --help)")


@pytest.mark.parametrize("name", ["eval", "train", "corrupt", "engines", "features"])
def test_devices_are_named_so_that_help_shows_them_whole(run, name):
    assert "auto, cpu, cuda or cuda:N." in help_of(run, name)


@pytest.mark.parametrize("name", ["eval", "train"])
def test_words_of_choices_look_alike(run, name):
    text = help_of(run, name)
    assert "auto|bf16|fp16|no" in text and "no|default|reduce-overhead|max-autotune" in text  # between [ ] or < >
    assert "fp16 on a card without bf16" in text
