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
    from lst_robust.analysis.baseline import Baseline, make_baseline, read_baseline, write_baseline
    from lst_robust.analysis.comparison import Comparison, compare
    from lst_robust.analysis.evaluation import Evaluation
    from lst_robust.analysis.gate import Gate, check
    from lst_robust.analysis.metrics import (
        corruption_error,
        corruption_errors,
        mce15,
        mce19,
        mean_corruption_error,
        relative_corruption_error,
        relative_mce,
    )
    from lst_robust.analysis.results import bootstrap_intervals
    from lst_robust.corruptions import corrupt, corruption_names
    from lst_robust.models import create_model, model_names
    from lst_robust.reporting import render, robustness_table
    from lst_robust.suites import Suite, load_suite, suite_names
    from lst_robust.suites.normaliser import Normaliser, load_normaliser, published_normaliser
    from lst_robust.workflow import evaluate

_HOME = {
    "corrupt": "corruptions",
    "corruption_names": "corruptions",
    "Baseline": "analysis.baseline",
    "make_baseline": "analysis.baseline",
    "read_baseline": "analysis.baseline",
    "write_baseline": "analysis.baseline",
    "Comparison": "analysis.comparison",
    "compare": "analysis.comparison",
    "Gate": "analysis.gate",
    "check": "analysis.gate",
    "bootstrap_intervals": "analysis.results",
    "corruption_error": "analysis.metrics",
    "corruption_errors": "analysis.metrics",
    "mce15": "analysis.metrics",
    "mce19": "analysis.metrics",
    "mean_corruption_error": "analysis.metrics",
    "relative_corruption_error": "analysis.metrics",
    "relative_mce": "analysis.metrics",
    "published_normaliser": "suites.normaliser",
    "Evaluation": "analysis.evaluation",
    "evaluate": "workflow",
    "create_model": "models",
    "model_names": "models",
    "render": "reporting",
    "robustness_table": "reporting",
    "Normaliser": "suites.normaliser",
    "Suite": "suites",
    "load_normaliser": "suites.normaliser",
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
