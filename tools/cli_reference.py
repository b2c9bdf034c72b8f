"""Writes the reference of the command line as one Markdown page, from the commands themselves.

    python tools/cli_reference.py docs/reference/cli.md

tools/build_docs.py calls it as well. The page is committed, so that links to it work in a clone. A test holds that it
is what this writes.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from lst_robust.cli.app import EXIT_CODES
from lst_robust.cli.lazy_group import COMMANDS, loaded

HEAD = f"""# Command line

<!-- Written by tools/cli_reference.py from the commands. Do not edit. -->

`lst-robust COMMAND --help` says the same in a terminal. An option wins over its environment variable,
and that wins over the suite; see [rules of all commands](rules.md). {EXIT_CODES}
"""


def page() -> str:
    """The whole page: a list of all commands, then each with its options."""
    listed = [f"| [`{name}`](#{name}) | {text} |" for name, text in COMMANDS.items()]
    parts = [HEAD, "\n".join(["| command | what it does |", "|---|---|", *listed])]
    for name in COMMANDS:
        for words, command in commands_of(name, loaded(name)):
            parts.append(section(words, command))
    return "\n\n".join(parts) + "\n"


def commands_of(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    """The command, and those below it, such as `data verify`: (the words to call it, the command)."""
    yield words, command
    for name, further in getattr(command, "commands", {}).items():
        yield from commands_of(f"{words} {name}", further)


def section(words: str, command: Any) -> str:
    """One command: how it is called, what it does, and what can be given to it."""
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    kinds = get_type_hints(inspect.unwrap(command.callback)) if command.callback else {}
    usage = ["lst-robust", words, *map(_placeholder, arguments)]
    usage += ["COMMAND"] if getattr(command, "commands", None) else []
    usage += ["[OPTIONS]"] if options else []
    level = "#" * (2 + words.count(" "))
    parts = [f"{level} {words}", f"`{' '.join(usage)}`", (command.help or "").strip()]
    if arguments:
        rows = [f"| `{_placeholder(argument)}` | {_cell(argument.help or '')} |" for argument in arguments]
        parts.append("\n".join(["| argument | what it is |", "|---|---|", *rows]))
    if options:
        rows = [_option_row(option, kinds.get(option.name)) for option in options]
        parts.append("\n".join(["| option | what it does |", "|---|---|", *rows]))
    return "\n\n".join(part for part in parts if part)


def _option_row(option: Any, kind: Any) -> str:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    word = (option.metavar or _value(kind)).strip("<>")
    value = "" if kind is bool else f" `{_cell(word)}`"
    text, default = option.help or "", _default(option)
    stated = re.search(r"\s*\[default: (.+?)\]\s*$", text)  # where the help itself says it
    if stated:
        text, default = text[: stated.start()], stated[1]
    variables = [option.envvar] if isinstance(option.envvar, str) else list(option.envvar or ())
    further = [
        "**Required.**" if option.required else "",
        f"Default: {_cell(default)}." if default else "",
        f"Environment: {', '.join(f'`{variable}`' for variable in variables)}." if variables else "",
    ]
    below = " ".join(part for part in further if part)
    return f"| {names}{value} | {_cell(text)}{f'<br>{below}' if below else ''} |"


def _default(option: Any) -> str:
    value = option.default
    if option.required or not isinstance(value, (str, int, float, Path)):
        return ""
    if isinstance(value, bool):
        return ("yes" if value else "no") if option.secondary_opts else ""
    return f"`{value}`"


def _placeholder(argument: Any) -> str:
    """What stands for an argument in the usage: `SUITE`, `[NAMES]...`"""
    word = argument.metavar or argument.name.upper()
    return (word if argument.required else f"[{word}]") + ("..." if argument.nargs == -1 else "")


def _value(kind: Any) -> str:
    """What stands for the value of an option, from the annotation of its parameter."""
    kinds = [part for part in (kind, *get_args(kind)) if part is not type(None)]
    for part in kinds:
        if get_origin(part) is Literal:
            return "|".join(map(str, get_args(part)))
    words = {Path: "FILE", int: "INTEGER", float: "NUMBER"}
    return next((word for part, word in words.items() if part in kinds), "TEXT")


def _cell(text: str) -> str:
    """A text that fits into a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def write(file: Path) -> None:
    """Writes the page. An unchanged page keeps its time."""
    text = page()
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("call: python tools/cli_reference.py FILE.md")
    write(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
