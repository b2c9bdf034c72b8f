"""`lst-robust eval`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import lst_robust  # whose names are imported when they are used: --help does not wait for torch
from lst_robust.analysis.evaluation import Evaluation
from lst_robust.analysis.normalisers import require_all_cells, to_yaml
from lst_robust.cli import options as opt
from lst_robust.cli.console import RichObserver, print_error, print_json, print_note
from lst_robust.cli.output import Output, console_beside
from lst_robust.errors import LstRobustError
from lst_robust.reporting.views.evaluation import evaluation_view
from lst_robust.runtime.allocator import keep_memory_mapped
from lst_robust.runtime.rank import is_leader

HELP = """Measure a model on a suite: clean error, 19 corruptions at 5 severities, CE and mCE.

A model without a checkpoint for the suite is trained first, once. Finished cells are kept: a second call, or one after
an interruption, measures only what is missing. Under `torchrun` the processes share the cells.

**Examples**

- `lst-robust eval --model lst18`
- `lst-robust eval -m resnet18 --corruptions noise,fog --severities 1,5 --json`
- `lst-robust eval -m resnet18 --suite imagefolder --data-dir my-images --limit 200`
- `lst-robust eval -m lst18 --checkpoint lst18.safetensors --no-train`
- `lst-robust eval -m torchvision:resnet50 --set weights=DEFAULT -s imagenet-c --data-dir imagenet`
- `lst-robust eval -m hf:microsoft/resnet-50 -s imagenet-c --data-dir imagenet`
- `torchrun --nproc-per-node 4 -m lst_robust eval -m lst18`
"""


Checkpoint = Annotated[
    Path | None, typer.Option("--checkpoint", envvar="LST_ROBUST_CHECKPOINT", help="Weights to load.")
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


def eval_command(
    model: opt.Model,
    suite: opt.Suite = "digits-c",
    checkpoint: Checkpoint = None,
    data_dir: opt.DataDir = None,
    corrupted_dir: opt.CorruptedDir = None,
    corruptions: opt.Corruptions = None,
    severities: opt.Severities = None,
    preprocess: opt.Preprocess = None,
    limit: Limit = None,
    batch_size: BatchSize = None,
    workers: opt.Workers = None,
    device: opt.Device = "auto",
    seed: opt.NoiseSeed = None,
    train: Train = True,
    train_seed: TrainSeed = None,
    set_: opt.Set = None,
    normaliser: opt.Normaliser = "suite",
    write_normaliser: WriteNormaliser = None,
    skip_unreadable: opt.SkipUnreadable = False,
    amp: opt.Amp = False,
    results_dir: opt.ResultsDir = Path("results"),
    overwrite: Overwrite = False,
    json: opt.Json = False,
) -> None:
    output = None if write_normaliser is None else Output("--write-normaliser", write_normaliser, json=json)
    with RichObserver() as observer:
        request = lst_robust.EvalRequest.of(
            model,
            suite,
            checkpoint=checkpoint,
            model_options=opt.parse_options(set_),
            data_dir=data_dir,
            corrupted_dir=corrupted_dir,
            corruptions=opt.parse_corruptions(corruptions),
            severities=opt.parse_severities(severities),
            preprocess=preprocess,
            limit=limit,
            seed=seed,
            normaliser=normaliser,
            batch_size=batch_size,
            workers=workers,
            device=device,
            amp=amp,
            train=train,
            train_seed=train_seed,
            skip_unreadable=skip_unreadable,
            results_dir=results_dir,
            overwrite=overwrite,
            observer=observer,
        )
        if output is not None:
            require_all_cells(request.cells())
        keep_memory_mapped()
        evaluation = lst_robust.run_request(request)
    if is_leader():  # under torchrun one process speaks for all
        _show(evaluation, output, json=json, command=f"lst-robust eval --model {model} --suite {suite}")


def _show(evaluation: Evaluation, output: Output | None, *, json: bool, command: str) -> None:
    """command: how it was made, for the document."""
    if evaluation.skipped_images:
        first = ", ".join(evaluation.skipped_images[:3])
        print_note(f"left out {len(evaluation.skipped_images)} unreadable images, such as {first}")
    if output is not None:
        output.write(to_yaml(evaluation, command).encode())
    summary = evaluation.summary()
    if json:
        print_json(summary.to_dict())
    else:
        console_beside(output).print(evaluation_view(summary))
    if evaluation.failed:
        print_error(f"{len(evaluation.failed)} cells failed: {', '.join(cell.name for cell in evaluation.failed)}")
        raise typer.Exit(LstRobustError.exit_code)


eval_command.__doc__ = HELP
