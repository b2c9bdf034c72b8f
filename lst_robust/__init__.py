"""lst-robust: how robust is this image classifier?

    import lst_robust

    evaluation = lst_robust.evaluate("lst18", "digits-c")
    print(evaluation.summary().metrics["mce15"])

Names are imported when they are first used, so that `import lst_robust` and `lst-robust --help` stay quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lst_robust._version import __version__

if TYPE_CHECKING:
    from lst_robust.analysis.baseline import Baseline, make_baseline, read_baseline, write_baseline
    from lst_robust.analysis.comparison import Comparison, compare
    from lst_robust.analysis.corruption_errors import (
        corruption_error,
        corruption_errors,
        mce15,
        mce19,
        mean_corruption_error,
        relative_corruption_error,
        relative_mce,
    )
    from lst_robust.analysis.evaluation import Evaluation
    from lst_robust.analysis.gate import Gate, check
    from lst_robust.analysis.metrics import Metric, register_metric
    from lst_robust.analysis.summary import Summary, bootstrap_intervals
    from lst_robust.corruptions import corrupt, corruption_names
    from lst_robust.evaluation.runner import evaluate
    from lst_robust.models import create_model, model_names
    from lst_robust.reporting import robustness_table
    from lst_robust.reporting.render import render
    from lst_robust.suites import Suite, load_suite, suite_names
    from lst_robust.suites.normaliser import Normaliser, load_normaliser, published_normaliser

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
    "Metric": "analysis.metrics",
    "register_metric": "analysis.metrics",
    "Summary": "analysis.summary",
    "bootstrap_intervals": "analysis.summary",
    "corruption_error": "analysis.corruption_errors",
    "corruption_errors": "analysis.corruption_errors",
    "mce15": "analysis.corruption_errors",
    "mce19": "analysis.corruption_errors",
    "mean_corruption_error": "analysis.corruption_errors",
    "relative_corruption_error": "analysis.corruption_errors",
    "relative_mce": "analysis.corruption_errors",
    "published_normaliser": "suites.normaliser",
    "Evaluation": "analysis.evaluation",
    "evaluate": "evaluation.runner",
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
    "Metric",
    "Normaliser",
    "Suite",
    "Summary",
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
    "register_metric",
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
