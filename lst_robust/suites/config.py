"""Reading YAML that says what to do: plain data only, checked as a whole, every mistake reported with file and key."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from lst_robust.errors import UsageError, unknown_name
from lst_robust.schema import Config

MAX_BYTES = 1_000_000  # a suite with the 95 errors of a normaliser has 8 kB
MAX_REASON = 500  # characters of a mistake's reason, which quotes the value
YAML_SUFFIXES = (".yaml", ".yml")
EXTENDS = "extends"

AnyConfig = TypeVar("AnyConfig", bound=Config)


def suites_folder() -> Path:
    """Where the suites and recipes lie: inside an installed package, or at the top of a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_suites"
    return installed if installed.is_dir() else package.parent / "suites"


def shipped_names(folder: Path) -> list[str]:
    """Names of the YAML files in one of the package's folders, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def shipped_file(kind: str, name: str, folder: Path) -> Path:
    """The YAML file of that name in one of the package's folders; UsageError with the nearest names otherwise."""
    known = shipped_names(folder)
    if name not in known:
        raise unknown_name(kind, name, known)
    return folder / f"{name}.yaml"


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
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or error
        raise UsageError(f"{path}{line}: {' '.join(str(problem).split())}") from error


def read_extended(
    path: Path, find: Callable[[str, Path], Path], own: tuple[str, ...] = ()
) -> tuple[Any, dict[str, Path]]:
    """The YAML data of a file together with the keys of the file that it `extends`, and the file of each key.

    A key that both have is the extending file's, as a whole. find: (name or path, folder of the extending file) ->
    file. own: keys that each file states itself. UsageError with file and key for a base that cannot be meant.
    """
    data = read_yaml(path)
    if not isinstance(data, Mapping):
        return data, {}
    merged, chain = dict(data), [path]
    file_of_key = dict.fromkeys(merged, path)
    while EXTENDS in data:
        name, extending = data[EXTENDS], chain[-1]
        if not isinstance(name, str):
            raise UsageError(f"{extending}: {EXTENDS}: give the name of a suite, or its YAML file")
        try:
            base = find(name, extending.parent)
            data = _required_mapping(read_yaml(base), base)
        except UsageError as error:
            raise UsageError(*(f"{extending}: {EXTENDS}: {line}" for line in error.args)) from error
        if base.resolve() in [file.resolve() for file in chain]:
            circle = " -> ".join(map(str, [*chain, base]))
            raise UsageError(f"{extending}: {EXTENDS}: these suites extend each other in a circle: {circle}")
        inherited = {key: value for key, value in data.items() if key not in merged and key not in own}
        merged |= inherited
        file_of_key |= dict.fromkeys(inherited, base)
        chain.append(base)
    merged.pop(EXTENDS, None)
    return merged, file_of_key


def validated(
    data: Any, kind: type[AnyConfig], path: Path | str, file_of_key: Mapping[str, Path] | None = None
) -> AnyConfig:
    """`data` as a config of that kind; UsageError with one line a mistake, each with file and key.

    file_of_key: where a key stands, if not in `path`.
    """
    try:
        return kind.model_validate(_required_mapping(data, path))
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            key = ".".join(str(part) for part in problem["loc"]) or "(whole file)"
            file = (file_of_key or {}).get(str(problem["loc"][0]), path) if problem["loc"] else path
            mistakes = problem["msg"].removeprefix("Value error, ").splitlines()  # several, of a recipe's own file
            if problem["type"] == "float_type" and is_number(problem["input"]):
                mistakes = [f"YAML reads {problem['input']} as a text: write {float(problem['input'])!r}"]
            lines += [f"{file}: {key}: {mistake[:MAX_REASON]}" for mistake in mistakes]
        raise UsageError(*lines) from error


def is_number(value: object) -> bool:
    """Whether a text is a number for people, such as 1e-3, which YAML 1.1 takes for a text because it has no dot."""
    try:
        return isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        return False


def _required_mapping(data: Any, path: Path | str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise UsageError(f"{path}: expected keys and values, found {type(data).__name__}")
    return data


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
