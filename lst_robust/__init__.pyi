from .analysis.baseline import Baseline, make_baseline, read_baseline, write_baseline
from .analysis.comparison import Comparison, compare
from .analysis.corruption_errors import (
    corruption_error,
    corruption_errors,
    mce15,
    mce19,
    mean_corruption_error,
    relative_corruption_error,
    relative_mce,
)
from .analysis.evaluation import Evaluation, Evaluations
from .analysis.features import FeatureStatistics
from .analysis.gate import Gate, check
from .analysis.metrics import Metric, register_metric
from .analysis.published import PublishedResult, published_results
from .analysis.summary import Summary, bootstrap_intervals
from .corruptions import corrupt, corruption_names, register_corruption
from .data import DatasetKind, register_dataset
from .distribution.run import run
from .evaluation.choice import requests_of
from .evaluation.measure import measure
from .evaluation.plan import EvalPlan, plan
from .evaluation.request import EvalRequest
from .features.statistics import feature_statistics
from .models import checkpoint_sha256, convert_checkpoint, create_model, describe_models, model_names
from .records.migration import migrate
from .report import figure_bytes, write_figure, write_report
from .reporting import render, robustness_table
from .suites import Suite, load_suite, suite_names
from .suites.normaliser import Normaliser, load_normaliser, published_normaliser
from .torch_engine import corrupt_tensor
from .workflow import evaluate, evaluate_many, run_request, run_requests

__version__: str
__all__ = [
    "Baseline",
    "Comparison",
    "DatasetKind",
    "EvalPlan",
    "EvalRequest",
    "Evaluation",
    "Evaluations",
    "FeatureStatistics",
    "Gate",
    "Metric",
    "Normaliser",
    "PublishedResult",
    "Suite",
    "Summary",
    "__version__",
    "bootstrap_intervals",
    "check",
    "checkpoint_sha256",
    "compare",
    "convert_checkpoint",
    "corrupt",
    "corrupt_tensor",
    "corruption_error",
    "corruption_errors",
    "corruption_names",
    "create_model",
    "describe_models",
    "evaluate",
    "evaluate_many",
    "feature_statistics",
    "figure_bytes",
    "load_normaliser",
    "load_suite",
    "make_baseline",
    "mce15",
    "mce19",
    "mean_corruption_error",
    "measure",
    "migrate",
    "model_names",
    "plan",
    "published_normaliser",
    "published_results",
    "read_baseline",
    "register_corruption",
    "register_dataset",
    "register_metric",
    "relative_corruption_error",
    "relative_mce",
    "render",
    "requests_of",
    "robustness_table",
    "run",
    "run_request",
    "run_requests",
    "suite_names",
    "write_baseline",
    "write_figure",
    "write_report",
]
