"""`lst-robust eval`: the main job."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import lst_robust  # whose names are imported when they are used: --help does not wait for torch
from lst_robust.analysis.evaluation import Evaluations
from lst_robust.analysis.normalisers import require_all_cells, to_yaml
from lst_robust.cli import options as opt
from lst_robust.cli.console import RichObserver, out, print_error, print_json, print_note
from lst_robust.cli.elsewhere import device_here, engine_of
from lst_robust.cli.options import means_several
from lst_robust.cli.output import Output, console_beside
from lst_robust.errors import LstRobustError, NothingToEvaluateError, UsageError
from lst_robust.reporting.views.evaluation import evaluation_view
from lst_robust.reporting.views.requests import description, requests_view
from lst_robust.runtime.allocator import keep_memory_mapped
from lst_robust.runtime.interruption import Interruption
from lst_robust.runtime.rank import is_leader

if TYPE_CHECKING:
    from lst_robust.distribution.engines import Engine
    from lst_robust.evaluation.request import EvalRequest

HELP = """Measure a model on a suite: clean error, 19 corruptions at 5 severities, CE and mCE.

A model without a checkpoint for the suite is trained first, once. Finished cells are kept: a second call, or one after
an interruption, measures only what is missing. Under `torchrun` the processes share the cells. With `--on` tasks
measure them: on processes of this machine, on Slurm, or on Ray.

Several models are measured in one pass: each image is loaded and corrupted once for all of them. One that cannot go on
is named, and the others go on. A line of a @FILE is a name or a pattern, and may go on with `checkpoint=FILE` and with
options of the model. Paths in it are relative to the folder of the @FILE.

**Examples**

- `lst-robust eval --model lst18`
- `lst-robust eval -m resnet18 --corruptions noise,fog --severities 1,5 --json`
- `lst-robust eval -m resnet18 --suite imagefolder --data-dir my-images --limit 200`
- `lst-robust eval -m lst18 --checkpoint lst18.safetensors --no-train`
- `lst-robust eval -m lst18 --checkpoint published:lst18-digits-c`
- `lst-robust eval -m torchvision:resnet50 --set weights=DEFAULT -s imagenet-c --data-dir imagenet`
- `lst-robust eval -m 'lst*' -m resnet18 -m @models.txt --dry-run`
- `lst-robust eval -m 'timm:resnet*' --set weights=pretrained -s imagenet-c-generated --data-dir imagenet`
- `lst-robust eval -m mine.py:net --set weights=best -s imagenet-c --data-dir imagenet --subset robustbench-5k`
- `lst-robust eval -m hf:microsoft/resnet-50 -s imagenet-c --data-dir imagenet`
- `lst-robust eval -m resnet18 --device cuda --engine torch --amp auto --compile reduce-overhead`
- `torchrun --nproc-per-node 4 -m lst_robust eval -m lst18`
- `lst-robust eval -m @models.txt -s imagenet-c --on slurm --tasks-at-once 32 --gpus-per-worker 1 --slurm partition=gpu`
- `lst-robust eval -m @models.txt -s imagenet-c --on ray --ray-address auto --gpus-per-worker 1`
"""
MEASURES_AGAIN = "what was finished is kept, the same command measures all cells again"  # with --overwrite


Checkpoint = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        envvar="LST_ROBUST_CHECKPOINT",
        help="Weights to load: a file, or published:NAME, see `lst-robust weights`.",
    ),
]
Subset = Annotated[
    str | None,
    typer.Option(
        "--subset",
        envvar="LST_ROBUST_SUBSET",
        help="A published choice of the test images: robustbench-5k, of ImageNet.  [default: suite's, or all]",
    ),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", envvar="LST_ROBUST_LIMIT", help="A fixed stratified subset of so many images."),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size",
        "-b",
        envvar="LST_ROBUST_BATCH_SIZE",
        help="Images in the network at a time, at most.  [default: suite's]",
    ),
]
Train = Annotated[
    bool,
    typer.Option(
        "--train/--no-train", envvar="LST_ROBUST_TRAIN", help="Train a model that has no checkpoint for the suite."
    ),
]
TrainSeed = Annotated[
    int | None,
    typer.Option("--train-seed", envvar="LST_ROBUST_TRAIN_SEED", help="Seed of that training.  [default: recipe's]"),
]
WriteNormaliser = Annotated[
    str | None,
    typer.Option(
        "--write-normaliser",
        metavar="FILE",
        help="Also write the measured errors as a normaliser's YAML file; - is standard output.",
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite/--no-overwrite", envvar="LST_ROBUST_OVERWRITE", help="Measure finished cells again."),
]


DryRun = Annotated[
    bool, typer.Option("--dry-run/--no-dry-run", help="List the models that are meant, and measure nothing.")
]


def eval_command(
    context: typer.Context,
    model: opt.ModelWords,
    suite: opt.Suite = "digits-c",
    checkpoint: Checkpoint = None,
    data_dir: opt.DataDir = None,
    corrupted_dir: opt.CorruptedDir = None,
    corruptions: opt.Corruptions = None,
    severities: opt.Severities = None,
    preprocess: opt.Preprocess = None,
    subset: Subset = None,
    limit: Limit = None,
    batch_size: BatchSize = None,
    workers: opt.Workers = None,
    device: opt.Device = "auto",
    engine: opt.Engine = "auto",
    seed: opt.NoiseSeed = None,
    train: Train = True,
    train_seed: TrainSeed = None,
    set_: opt.Set = None,
    normaliser: opt.Normaliser = "suite",
    write_normaliser: WriteNormaliser = None,
    skip_unreadable: opt.SkipUnreadable = False,
    amp: opt.Amp = "no",
    compile_: opt.Compile = "no",
    results_dir: opt.ResultsDir = Path("results"),
    overwrite: Overwrite = False,
    on: opt.On = None,
    tasks_at_once: opt.TasksAtOnce = None,
    gpus_per_worker: opt.GpusPerWorker = None,
    slurm: opt.SlurmOptions = None,
    ray_address: opt.RayAddress = None,
    dry_run: DryRun = False,
    json: opt.Json = False,
) -> None:
    engine_of_tasks = engine_of(
        context,
        on,
        at_once=tasks_at_once,
        gpus=gpus_per_worker,
        threads=workers,
        device=device,
        slurm=opt.parse_pairs("--slurm", slurm, "partition=gpu"),
        ray_address=ray_address,
    )
    output = None if write_normaliser is None else Output("--write-normaliser", write_normaliser, json=json)
    with RichObserver() as observer:
        requests = lst_robust.requests_of(
            model,
            suite,
            checkpoint=checkpoint,
            model_options=opt.parse_options(set_),
            data_dir=data_dir,
            corrupted_dir=opt.of_official_files(context, suite, corrupted_dir),
            corruptions=opt.parse_corruptions(corruptions),
            severities=opt.parse_severities(severities),
            preprocess=preprocess,
            subset=subset,
            limit=limit,
            seed=seed,
            normaliser=normaliser,
            batch_size=batch_size,
            workers=workers,
            device=device if engine_of_tasks is None else device_here(device),
            engine=engine,
            amp=amp,
            compile=compile_,
            train=train,
            train_seed=train_seed,
            skip_unreadable=skip_unreadable,
            results_dir=results_dir,
            overwrite=overwrite,
            observer=observer,
        )
        if dry_run:
            return _list(requests, json=json)
        outcome = _measure(requests, engine_of_tasks, as_normaliser=output is not None)
    if is_leader():  # under torchrun one process speaks for all
        _report(outcome, output, model, suite, json=json)


def _measure(requests: Sequence[EvalRequest], engine: Engine | None, *, as_normaliser: bool) -> Evaluations:
    """engine: of the tasks, None: this process measures. as_normaliser: the errors are wanted as a normaliser, which is
    checked before any work."""
    if as_normaliser:
        _require_normaliser(requests)
    keep_memory_mapped()
    when_interrupted = MEASURES_AGAIN if requests[0].overwrite else None
    with redirect_stdout(sys.stderr), Interruption(when_interrupted):  # what a network's own code prints is no result
        return lst_robust.run_requests(requests) if engine is None else engine.run(requests)


def _require_normaliser(requests: Sequence[EvalRequest]) -> None:
    """UsageError for requests that cannot make a normaliser."""
    if len(requests) > 1:
        raise UsageError(
            f"--write-normaliser takes the errors of one model, and {len(requests)} are named: name one of them"
        )
    require_all_cells(requests[0].cells())


def _list(requests: Sequence[EvalRequest], *, json: bool) -> None:
    if json:
        print_json([description(request) for request in requests])
    else:
        out.print(requests_view(requests))


def _report(outcome: Evaluations, output: Output | None, words: list[str], suite: str, *, json: bool) -> None:
    """words, suite: what was asked for."""
    skipped = next((evaluation.skipped_images for evaluation in outcome if evaluation.skipped_images), ())
    if skipped:
        print_note(f"left out {len(skipped)} unreadable images, such as {', '.join(skipped[:3])}")
    alone = len(words) == 1 and not means_several(words[0])
    if output is not None:
        command = f"lst-robust eval --model {words[0]} --suite {suite}"  # by which the normaliser was made
        try:
            output.write(to_yaml(outcome.evaluations[0], command).encode())
        except NothingToEvaluateError:  # its errors cannot be a normaliser, but they were measured
            _show(outcome, output, json=json, alone=alone)
            raise
    _show(outcome, output, json=json, alone=alone)


def _show(outcome: Evaluations, output: Output | None, *, json: bool, alone: bool) -> None:
    """alone: one model was asked for by its name, so that the document is its summary, and no list."""
    summaries = outcome.summaries()
    if json:
        print_json(summaries[0].to_dict() if alone else [summary.to_dict() for summary in summaries])
    elif alone:
        console_beside(output).print(evaluation_view(summaries[0]))
    elif summaries:
        out.print(lst_robust.render(lst_robust.robustness_table(summaries), "rich"))
    problems = [failure.line for failure in outcome.failed]
    for evaluation in outcome:
        if evaluation.failed:
            whose = "" if alone else f" of {evaluation.run.model.name}"
            cells = ", ".join(cell.name for cell in evaluation.failed)
            problems.append(f"{len(evaluation.failed)} cells{whose} failed: {cells}")
    if problems:
        print_error(*problems)
        raise typer.Exit(LstRobustError.exit_code)


eval_command.__doc__ = HELP
