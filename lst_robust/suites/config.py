"""Reading YAML that says what to do: plain data only, checked as a whole, every mistake reported with file and key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from lst_robust.errors import UsageError
from lst_robust.schema import Config

MAX_BYTES = 1_000_000  # a suite with the 95 errors of a normaliser has 8 kB
MAX_REASON = 500  # characters of a mistake's reason, which quotes the value


AnyConfig = TypeVar("AnyConfig", bound=Config)


def suites_folder() -> Path:
    """Where the suites and recipes lie: inside an installed package, or at the top of a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_suites"
    return installed if installed.is_dir() else package.parent / "suites"


def read_yaml(path: Path) -> Any:
    """The YAML data of a file; UsageError with file and line when it is missing, too large or not YAML."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise UsageError(f"{path}: a pipe or device is no suite; give a known name or a YAML file")  # may never end
        with open(path, "rb") as file:
            text = file.read(MAX_BYTES + 1)
    except UsageError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be read ({reason}); give a known name or a YAML file") from error
    if len(text) > MAX_BYTES:
        raise UsageError(f"{path}: a suite of more than {MAX_BYTES:,} bytes is too large")
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader
    except Exception as error:  # YAML's own errors, and what Python makes of dates, numbers and depths that cannot be
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or error
        raise UsageError(f"{path}{where}: {' '.join(str(problem).split())}") from error


def validated(data: Any, kind: type[AnyConfig], where: Path | str) -> AnyConfig:
    """`data` as a config of that kind; UsageError with one line a mistake, each with file and key."""
    if not isinstance(data, Mapping):
        raise UsageError(f"{where}: expected keys and values, found {type(data).__name__}")
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            key = ".".join(str(part) for part in problem["loc"]) or "(whole file)"
            mistakes = problem["msg"].removeprefix("Value error, ").splitlines()  # several, of a recipe's own file
            lines += [f"{where}: {key}: {mistake[:MAX_REASON]}" for mistake in mistakes]
        raise UsageError(*lines) from error


class _Loader(yaml.SafeLoader):
    """Plain data only: no aliases (a few lines of them expand to gigabytes), no key twice (one would win silently)."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(
                None, None, "aliases (*name) are not allowed in a suite", self.peek_event().start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be plain text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)
