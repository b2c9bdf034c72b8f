"""The program as a whole: its version, its help, its codes."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest
import shellingham

import lst_robust


def test_the_version(run):
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"lst-robust {lst_robust.__version__}\n")


def test_without_a_command_it_says_what_to_do_next(run):
    result = run()
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line.split() for line in result.stdout.splitlines()]
    named = [words[1] for words in lines if words[:1] == ["lst-robust"]]
    assert named == ["measures", "doctor", "eval", "table", "eval"]
    assert max(map(len, result.stdout.splitlines())) <= 120 and "lst-robust --help" in result.stdout


def test_the_network_of_a_file_is_not_trained_unasked(run):
    (words,) = [line.split() for line in _commands(run) if ".py:" in line]
    assert "--checkpoint" in words


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_what_it_says_can_be_called(run, number):
    """Each command with its options is known: with --help behind it nothing is missing."""
    lines = [shlex.split(line.strip().split("   ")[0]) for line in _commands(run)]
    assert run(*lines[number][1:], "--help").exit_code == 0


def _commands(run) -> list[str]:
    return [line for line in run().stdout.splitlines() if line.startswith("  lst-robust")]


def complete(*words: str) -> list[str]:
    """What the Tab key offers in bash for these words, the last one unfinished."""
    environment = os.environ | {"_LST_ROBUST_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(["lst-robust", *words])}
    environment["COMP_CWORD"] = str(len(words))
    code = "import sys; sys.argv[0] = 'lst-robust'; from lst_robust.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_completion_knows_commands_and_their_options():
    assert complete("we") == ["weights"]
    assert "--checkpoint" in complete("eval", "--ch")
    assert complete("data", "ver") == ["verify"]


def test_completion_knows_networks_and_suites():
    assert complete("eval", "--model", "lst18-r") == ["lst18-relu"]
    assert complete("train", "-m", "alexnet-b") == ["alexnet-bn"]
    assert complete("eval", "--suite", "digi") == complete("table", "-s", "digi") == ["digits-c"]


def test_completion_does_not_wait_for_torch():
    code = (
        "import sys\n"
        "from lst_robust.cli.options import _model_names, _suite_names\n"
        "assert 'lst18' in _model_names() and 'digits-c' in _suite_names()\n"
        "print('torch' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_completion_can_be_installed_and_shown(run):
    shown = " ".join(run("--help").stdout.split())
    assert "--install-completion" in shown and "--show-completion" in shown
    assert "completion" not in run("eval", "--help").stdout


@pytest.mark.parametrize("option", ["--install-completion", "--show-completion"])
def test_completion_for_an_unknown_shell_is_no_regression(run, monkeypatch, option):
    def detect_shell(*_: object) -> None:
        raise shellingham.ShellDetectionFailure

    monkeypatch.setattr(shellingham, "detect_shell", detect_shell)
    done = run(option)
    assert done.exit_code == 2 and done.stderr.splitlines()[-1].startswith("error: the shell is not one that Typer")


@pytest.mark.parametrize("command", ["doctor", "table"])
def test_a_folder_that_has_been_removed_is_one_line(tmp_path, command):
    call = f"mkdir gone; cd gone; rmdir ../gone; {sys.executable} -m lst_robust {command}"
    done = subprocess.run(["bash", "-c", call], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    assert done.stderr.startswith("error: the folder in which this is called has been removed: change into another")


@pytest.mark.parametrize(
    "arguments",
    [("table", "--results-dir"), ("show",), ("migrate",), ("convert", "x.safetensors", "-m", "alexnet")],
    ids=" ".join,
)
def test_a_name_that_is_too_long_is_one_line(run, arguments):
    command, *options = arguments
    place = [*options, "n" * 300] if command == "table" else ["n" * 300, *options]
    done = run(command, *place)
    assert (done.exit_code, done.stdout) == (2, "") and "File name too long" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and "choose another" in done.stderr


def test_completion_that_cannot_be_installed_is_one_line(tmp_path):
    (tmp_path / "home").touch()
    install = f"{sys.executable} -m lst_robust --install-completion; exit $?"  # of the shell that it is called from
    environment = os.environ | {"HOME": str(tmp_path / "home")}
    done = subprocess.run(["bash", "-c", install], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 3 and done.stdout == "" and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"error: {tmp_path / 'home'}") and "choose another place" in done.stderr


@pytest.mark.parametrize("arguments", [["eval", "--help"], []], ids=["help", "nothing"])
def test_a_terminal_of_ascii_gets_help(tmp_path, arguments):
    """Whose examples are a list with bullets."""
    done = subprocess.run(
        [sys.executable, "-m", "lst_robust", *arguments],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "") and "lst-robust eval --model lst18" in done.stdout


@pytest.mark.parametrize("arguments", ["--help", "--version", "eval --help", "--show-completion bash", ""])
@pytest.mark.parametrize(
    ("redirection", "code", "says"),
    [("> /dev/full", 3, "error: No space left on device: make room where"), (">&-", 0, ""), ("| true", 141, "")],
    ids=["full", "closed", "pipe"],
)
def test_help_that_nobody_can_read_is_no_traceback_and_no_regression(tmp_path, arguments, redirection, code, says):
    shell = f"sleep 1 | {sys.executable} -m lst_robust {arguments} {redirection}; exit ${{PIPESTATUS[1]}}"
    done = subprocess.run(["bash", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert done.stderr.startswith(says) and len(done.stderr.splitlines()) == bool(says)


def test_help_lists_the_exit_codes(run):
    shown = " ".join(run("-h").stdout.split())
    for code in ("0 fine", "1 regression found", "2 usage", "5 nothing to evaluate", "143 ended by SIGTERM"):
        assert code in shown
