"""Do the tests notice when the engine is wrong? Mutants of its functions, by mutmut, and of its constants.

    make mutants                                # all of it
    make mutants ARGS="analysis.gate"         # one module, or several
    make mutants ARGS="--only functions"
    .venv/bin/mutmut show NAME                  # what a survivor changes

mutmut changes one thing in one function at a time and runs the tests that call it; which tests, pyproject.toml says.
It leaves out what is not in a function, and functions with a decorator: see constant_mutants.py. Prints a line a
module, then the survivors. Ends with 1 where a module's score is below 90 %. docs/mutants.md names the survivors that
are known, with the reason.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))
import constant_mutants

WANTED = 90  # percent
FUNCTIONS = {  # what of each module; of the corruptions only the draws, for what they do to pixels has its references
    "analysis.quantities": "*",
    "analysis.metrics": "*",
    "analysis.corruption_errors": "*",
    "analysis.scores": "*",
    "analysis.statistics": "*",
    "records.confidence": "*",
    "records.record": "*",
    "records.store": "*",
    "analysis.change": "*",
    "analysis.gate": "*",
    "analysis.baseline": "*",
    "corruptions.streams": "*",
    "corruptions.registry": "*",
    "corruptions.own": "*",
    "corruptions.engine": "*",
    "corruptions.noise": "x_draw_* x_impulse_threshold__*",
    "corruptions.blur": "x_draw_*",
    "corruptions.weather": "x_draw_* x_fog_map_size__*",
    "corruptions.elastic": "x_draw_* x_elastic_offsets__* x_elastic_reach__*",
}
SURVIVED, NO_TESTS, NOT_RUN = (0, 5), (33,), (None, 2)  # mutmut's exit codes; all others are kills


class Score(NamedTuple):
    module: str
    mutants: int
    survivors: list[str]

    @property
    def percent(self) -> float:
        return 100 * (1 - len(self.survivors) / self.mutants) if self.mutants else 100.0


def function_mutants(modules: Iterable[str]) -> list[Score]:
    """Runs mutmut on the functions of these modules and reads what became of each mutant."""
    patterns = [f"lst_robust.{module}.{name}" for module in modules for name in FUNCTIONS[module].split()]
    mutmut = Path(sys.executable).with_name("mutmut")
    subprocess.run([str(mutmut), "run", *patterns], check=True, stdout=sys.stderr)  # its progress
    return [outcome(module) for module in modules]


def outcome(module: str) -> Score:
    path = Path("mutants", "lst_robust", *module.split(".")).with_suffix(".py.meta")
    patterns = [f"lst_robust.{module}.{name}" for name in FUNCTIONS[module].split()]
    outcomes = {
        name: code
        for name, code in json.loads(path.read_text())["exit_code_by_key"].items()
        if code not in NOT_RUN and any(fnmatch(name, pattern) for pattern in patterns)
    }
    return Score(module, len(outcomes), [name for name, code in outcomes.items() if code in SURVIVED + NO_TESTS])


def summed(scores: Iterable[Score]) -> list[Score]:
    """One score a module, of its functions and its constants."""
    modules: dict[str, Score] = {}
    for score in scores:
        before = modules.get(score.module, Score(score.module, 0, []))
        survivors = before.survivors + score.survivors
        modules[score.module] = Score(score.module, before.mutants + score.mutants, survivors)
    return list(modules.values())


def report(scores: list[Score]) -> None:
    print(f"{'module':24}  mutants  killed  survived  score")
    for score in scores:
        survived = len(score.survivors)
        numbers = f"{score.mutants:7}  {score.mutants - survived:6}  {survived:8}  {score.percent:5.1f}"
        print(f"{score.module:24}  {numbers}")
    for survivor in [survivor for score in scores for survivor in score.survivors]:
        print(f"survived: {survivor}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="such as analysis.gate; all by default")
    parser.add_argument("--only", choices=["functions", "constants"], help="one of the two parts")
    arguments = parser.parse_args()
    known = dict.fromkeys([*FUNCTIONS, *constant_mutants.TESTS])
    unknown = set(arguments.modules) - set(known)
    if unknown:
        parser.error(f"unknown module {min(unknown)}: choose from {', '.join(known)}")
    modules = [module for module in known if module in arguments.modules or not arguments.modules]
    with_functions = [module for module in modules if module in FUNCTIONS]
    scores = function_mutants(with_functions) if arguments.only != "constants" and with_functions else []
    if arguments.only != "functions":
        with_constants = [module for module in modules if module in constant_mutants.TESTS]
        scores += [Score(module, *constant_mutants.run(module)) for module in with_constants]
    scores = summed(scores)
    report(scores)
    return int(any(score.percent < WANTED for score in scores))


if __name__ == "__main__":
    sys.exit(main())
