"""Mutants of what mutmut leaves out: constants and tables, functions with a decorator, what runs at import.

cosmic-ray's operators change one number, truth value or condition at a time. Its own runner starts Python and imports
torch anew for each mutant; here a process that has imported everything forks, forgets this project's modules, and
imports them again with the mutant in the place of one.
"""

from __future__ import annotations

import ast
import os
import resource
import signal
import sys
from collections.abc import Iterator
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

TESTS = {
    "corruptions.streams": "tests/corruptions/test_streams.py",
    "corruptions.engine": "tests/corruptions/test_engine.py",
    "corruptions.noise": "tests/corruptions/test_presets.py tests/corruptions/test_noise.py",
    "corruptions.blur": "tests/corruptions/test_presets.py tests/corruptions/test_blur.py",
    "corruptions.color": "tests/corruptions/test_presets.py tests/corruptions/test_color.py",
    "corruptions.digital": "tests/corruptions/test_presets.py tests/corruptions/test_digital.py",
    "corruptions.elastic": "tests/corruptions/test_presets.py tests/corruptions/test_elastic.py",
    "corruptions.weather": "tests/corruptions/test_presets.py tests/corruptions/test_weather.py",
    "analysis.statistics": "tests/analysis/test_statistics.py",
    "records.confidence": "tests/records/test_confidence.py",
    "records.record": "tests/records/test_record.py tests/records/test_store.py",
    "analysis.gate": "tests/analysis/test_gate.py tests/analysis/test_gate_messages.py",
    "analysis.baseline": "tests/analysis/test_baseline.py tests/analysis/test_gate.py",
}
AT_IMPORT = ("amounts", "shifts", "_snow_small")
SECONDS = 120  # for the tests of one mutant
MEMORY = 4 << 30  # bytes that they may take beside what is loaded: a loop without an end may fill a list
OPERATORS = (
    "NumberReplacer",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "AddNot",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
)
PYTEST = ["-n", "0", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:unraisableexception", "--hypothesis-seed=0"]


def run(module: str) -> tuple[int, list[str]]:
    """(mutants, those that survived) of one module, the survivors as `line: old -> new`."""
    import pytest

    path = Path("lst_robust", *module.split(".")).with_suffix(".py")
    arguments = [*PYTEST, *TESTS[module].split()]
    quiet = os.open(os.devnull, os.O_WRONLY)
    output = os.dup(1)
    os.dup2(quiet, 1)
    try:
        pytest.main(arguments)  # imports everything that the mutants' tests need
        name, unchanged = f"lst_robust.{module}", path.read_text(encoding="utf-8")
        if not finished({fork(name, path, unchanged, arguments): 0}):
            raise SystemExit(f"{TESTS[module]} fails without any mutant")
        mutants = list(mutated(path))
        survivors: list[int] = []
        running: dict[int, int] = {}
        for place, (_, source) in enumerate(mutants):
            if len(running) == (os.cpu_count() or 1):
                survivors += finished(running)
            running[fork(name, path, source, arguments)] = place
        while running:
            survivors += finished(running)
    finally:
        os.dup2(output, 1)
    return len(mutants), [f"{path}:{mutants[place][0]}" for place in sorted(survivors)]


def fork(name: str, path: Path, source: str, arguments: list[str]) -> int:
    """The number of a process that ends with pytest's exit status, and has this source for the module."""
    import pytest

    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(SECONDS)  # whose default is to end the process
            limit_memory()
            for module in [key for key in sys.modules if key.partition(".")[0] in ("lst_robust", "tests")]:
                del sys.modules[module]
            sys.meta_path.insert(0, Mutant(name, path, source))
            code = int(pytest.main(arguments))
        finally:
            os._exit(code)
    return child


def limit_memory() -> None:
    sizes = Path("/proc/self/statm")  # of Linux
    if sizes.exists():
        loaded = int(sizes.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (loaded + MEMORY, resource.RLIM_INFINITY))


def finished(running: dict[int, int]) -> list[int]:
    """Waits for one of these processes; its place if no test failed in it."""
    child, status = os.wait()
    place = running.pop(child)
    return [place] if status == 0 else []


class Mutant(MetaPathFinder, Loader):
    """Imports one module from this source, and nothing else."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self.name, self.path, self.source = name, path.resolve(), source

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.source, str(self.path), "exec"), module.__dict__)


def mutated(path: Path) -> Iterator[tuple[str, str]]:
    """Each mutant as (`line: old -> new`, its source)."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    source = path.read_text(encoding="utf-8")
    lines, left_out = source.splitlines(), mutmuts_lines(source)
    for operator in (get_operator(f"core/{name}")() for name in OPERATORS):
        positions = [place for node in ast_nodes(get_ast(source)) for place in operator.mutation_positions(node)]
        for occurrence, ((row, _), _) in enumerate(positions):
            if row not in left_out:
                mutant = mutate_code(source, operator, occurrence)
                yield f"{row}: {lines[row - 1].strip()} -> {mutant.splitlines()[row - 1].strip()}", mutant


def mutmuts_lines(source: str) -> set[int]:
    """The lines that mutmut changes: of functions that have no decorator and do not run at import."""
    taken: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name not in AT_IMPORT:
            decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
            if decorators <= {"classmethod", "staticmethod"}:
                taken.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return taken
