"""The commands by which a network's numbers were made, and are made again, from what its records say."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lst_robust.analysis.collect import MeasuredRun
from lst_robust.analysis.networks import MeasuredNetwork
from lst_robust.analysis.normalisers import OF_SUITE
from lst_robust.benchmark import CLEAN, CORRUPTIONS, SEVERITIES, engine_option, known_corruptions
from lst_robust.records.record import Run
from lst_robust.report.measured import Measured
from lst_robust.report.request import ReportRequest
from lst_robust.runtime.files import file_safe
from lst_robust.suites import Suite, suite_names

OWN_WEIGHTS = ("hf:", "open_clip:", "timm:hf_hub:", "timm:local-dir:")  # names that mean weights as well
AUTOMATIC = "auto"  # a stem that follows from the size of the images
NEEDS_NO_FOLDER = ("digits",)  # data sets that come with a package
RECIPE_OPTIONS = {
    "epochs": "--epochs",
    "lr": "--lr",
    "batch_size": "--batch-size",
    "accumulate": "--accumulate",
    "keep": "--keep",
}
"""What of a recipe `lst-robust train` takes in place of the suite's."""
DATA, CHECKPOINT, SUITE, NORMALISER = "DATA", "CHECKPOINT", "SUITE.yaml", "NORMALISER.yaml"  # what only readers know


def evaluation_commands(network: MeasuredNetwork, results_dir: Path) -> list[str]:
    """A command for each training. DATA stands for the folder of the images, and CHECKPOINT for a file of weights that
    is not among the checkpoints of the results folder."""
    return [_evaluation(measured, results_dir) for measured in network.runs]


def training_commands(network: MeasuredNetwork, results_dir: Path) -> list[str]:
    """Of the trainings by this tool whose checkpoints are in the results folder, because these say by which recipe.
    Empty where the weights come from elsewhere, or a recipe differs in something that no option can say."""
    commands = [_training(measured, results_dir) for measured in network.runs]
    return [command for command in commands if command is not None]


def table_command(measured: Measured, request: ReportRequest) -> str:
    """With the normaliser of the report."""
    words = ["lst-robust", "table", "--suite", _suite(measured.name)]
    if request.normaliser is None or request.normaliser != OF_SUITE:
        words += ["--normaliser", _normaliser(request.normaliser)]
    return _joined([*words, *_results(request.results_dir)])


def _normaliser(choice: object) -> str:
    if choice is None:
        return "none"
    return str(choice) if isinstance(choice, (str, Path)) else NORMALISER


def _suite(name: str) -> str:
    """A suite that does not ship with the package is a file, whose path is not known."""
    return name if name in suite_names() else SUITE


def _evaluation(measured: MeasuredRun, results_dir: Path) -> str:
    run, suite = measured.run, measured.suite
    protocol = run.protocol
    words = ["lst-robust", "eval", "-m", run.model.name, "-s", _suite(protocol.suite), *_data(suite)]
    if ":" not in run.model.name or "weights" not in run.model.options:
        words += ["--checkpoint", str(checkpoint_of(run, results_dir) or CHECKPOINT)] if _has_checkpoint(run) else []
    for key, value in run.model.options.items():
        words += ["--set", f"{key}={value}"] if key not in ("mean", "std", "prompts") else []
    if suite is None or protocol.n != suite.limit:
        words += ["--limit", str(protocol.n)]
    if suite is None or protocol.seed != suite.seed:
        words += ["--seed", str(protocol.seed)]
    if protocol.subset is not None and (suite is None or protocol.subset != suite.subset):
        words += ["--subset", protocol.subset]
    if protocol.preprocess not in (None, "suite" if suite is None else suite.preprocess):
        words += ["--preprocess", protocol.preprocess]
    if (engine := engine_option(protocol.engine)) not in (None, "cpu"):
        words += ["--engine", engine]
    return _joined([*words, *_cells(measured), *_results(results_dir)])


def _training(measured: MeasuredRun, results_dir: Path) -> str | None:
    run, suite = measured.run, measured.suite
    metadata = checkpoint_metadata(run, results_dir)
    recipe = metadata.get("recipe")
    if recipe is None or run.model.train_seed is None or suite is None or suite.training is None:
        return None
    usual = suite.training.model_dump(mode="json")
    other = {key: value for key, value in recipe.items() if key != "seed" and usual.get(key) != value}
    other = {key: value for key, value in other.items() if key != "augmentation" or _differs(usual[key], value)}
    if not set(other) <= set(RECIPE_OPTIONS):
        return None
    words = ["lst-robust", "train", "-m", run.model.name, "-s", _suite(run.protocol.suite), *_data(suite)]
    words += ["--seed", str(run.model.train_seed)]
    for key, value in other.items():
        words += [RECIPE_OPTIONS[key], str(value)]
    for key, value in _other_options(run, suite, metadata).items():
        words += ["--set", f"{key}={value}"]
    return _joined([*words, *_results(results_dir)])


def _other_options(run: Run, suite: Suite, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a checkpoint that are not what the suite and the network say."""
    from lst_robust.models import fitting_options, model_info

    usual = {**(model_info(run.model.name).options or {}), **fitting_options(run.model.name, suite.model_options)}
    found = metadata.get("options", {})
    return {key: value for key, value in found.items() if usual.get(key) not in (value, AUTOMATIC)}


def _differs(usual: Mapping[str, object], found: Mapping[str, object]) -> bool:
    """Whether an augmentation is another one; what it does not state is off."""
    return any(usual.get(key) != value for key, value in found.items()) or any(
        value for key, value in usual.items() if key not in found
    )


def _cells(measured: MeasuredRun) -> list[str]:
    """The options that choose the cells, where they are not all of the suite."""
    corruptions = {cell.corruption for cell in measured.records} - {CLEAN}
    severities = {cell.severity for cell in measured.records if cell.corruption != CLEAN}
    suite = measured.suite
    words = []
    if corruptions and corruptions != set(suite.corruptions if suite else CORRUPTIONS):
        order = {name: place for place, name in enumerate(known_corruptions())}
        words += ["--corruptions", ",".join(sorted(corruptions, key=lambda name: (order.get(name, len(order)), name)))]
    if severities and severities != set(suite.severities if suite else SEVERITIES):
        words += ["--severities", ",".join(map(str, sorted(severities)))]
    return words


def _has_checkpoint(run: Run) -> bool:
    """Whether its weights were in a file of their own, and not in a library or a hub, which is not asked here."""
    return not run.model.name.startswith(OWN_WEIGHTS)


def checkpoint_of(run: Run, results_dir: Path) -> Path | None:
    """The file of these weights among the checkpoints of the results folder, which the record's hash finds."""
    folder = results_dir / run.protocol.suite / "checkpoints"
    for file in sorted(folder.glob(f"{file_safe(run.model.name)}-*.safetensors")):
        if _sha256(file) == run.model.checkpoint_sha256:
            return file
    return None


@cache
def _sha256(file: Path) -> str:
    from lst_robust.models.checkpoint import checkpoint_sha256

    return checkpoint_sha256(file)


def checkpoint_metadata(run: Run, results_dir: Path) -> Mapping[str, Any]:
    """What that file says of itself; empty where it is not there."""
    from lst_robust.models.checkpoint import read_metadata

    file = checkpoint_of(run, results_dir)
    return {} if file is None else read_metadata(file)


def _data(suite: Suite | None) -> list[str]:
    bundled = suite is not None and suite.dataset.kind in NEEDS_NO_FOLDER
    return [] if bundled else ["--data-dir", DATA]


def _results(results_dir: Path) -> list[str]:
    return [] if results_dir == Path("results") else ["--results-dir", str(results_dir)]


def _joined(words: Iterable[str]) -> str:
    return shlex.join(words)
