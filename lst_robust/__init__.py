"""lst-robust: how robust is this image classifier?

    import lst_robust

    evaluation = lst_robust.evaluate("lst18", "digits-c")
    print(evaluation.summary()["mce15"])

Names are imported when they are first used, so that `import lst_robust` and `lst-robust --help` stay quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lst_robust._version import __version__

if TYPE_CHECKING:
    from lst_robust.corruptions import corrupt, corruption_names
    from lst_robust.evaluation.baseline import Baseline, make_baseline, read_baseline, write_baseline
    from lst_robust.evaluation.comparison import Comparison, compare
    from lst_robust.evaluation.gate import Gate, check
    from lst_robust.evaluation.metrics import (
        corruption_error,
        corruption_errors,
        mce15,
        mce19,
        mean_corruption_error,
        relative_corruption_error,
        relative_mce,
    )
    from lst_robust.evaluation.results import bootstrap_intervals
    from lst_robust.evaluation.runner import Evaluation, evaluate
    from lst_robust.models import create_model, model_names
    from lst_robust.normaliser import Normaliser, load_normaliser, published_normaliser
    from lst_robust.reporting import render, robustness_table
    from lst_robust.suites import Suite, load_suite, suite_names

_HOME = {
    "corrupt": "corruptions",
    "corruption_names": "corruptions",
    "Baseline": "evaluation.baseline",
    "make_baseline": "evaluation.baseline",
    "read_baseline": "evaluation.baseline",
    "write_baseline": "evaluation.baseline",
    "Comparison": "evaluation.comparison",
    "compare": "evaluation.comparison",
    "Gate": "evaluation.gate",
    "check": "evaluation.gate",
    "bootstrap_intervals": "evaluation.results",
    "corruption_error": "evaluation.metrics",
    "corruption_errors": "evaluation.metrics",
    "mce15": "evaluation.metrics",
    "mce19": "evaluation.metrics",
    "mean_corruption_error": "evaluation.metrics",
    "relative_corruption_error": "evaluation.metrics",
    "relative_mce": "evaluation.metrics",
    "published_normaliser": "normaliser",
    "Evaluation": "evaluation.runner",
    "evaluate": "evaluation.runner",
    "create_model": "models",
    "model_names": "models",
    "render": "reporting",
    "robustness_table": "reporting",
    "Normaliser": "normaliser",
    "Suite": "suites",
    "load_normaliser": "normaliser",
    "load_suite": "suites",
    "suite_names": "suites",
}

__all__ = [
    "Baseline",
    "Comparison",
    "Evaluation",
    "Gate",
    "Normaliser",
    "Suite",
    "__version__",
    "bootstrap_intervals",
    "check",
    "compare",
    "corrupt",
    "corruption_error",
    "corruption_errors",
    "corruption_names",
    "create_model",
    "evaluate",
    "load_normaliser",
    "load_suite",
    "make_baseline",
    "mce15",
    "mce19",
    "mean_corruption_error",
    "model_names",
    "published_normaliser",
    "read_baseline",
    "relative_corruption_error",
    "relative_mce",
    "render",
    "robustness_table",
    "suite_names",
    "write_baseline",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lst_robust' has no attribute {name!r}")
    return getattr(import_module(f"lst_robust.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
