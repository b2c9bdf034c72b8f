"""`lst-robust train`: a checkpoint by a suite's recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

import lst_robust  # whose names are imported when they are used, as those of training: --help does not wait for torch
from lst_robust import runtime, training
from lst_robust.cli import options as opt
from lst_robust.cli.console import RichObserver, print_json, print_line, print_note
from lst_robust.errors import UsageError
from lst_robust.runtime.allocator import keep_memory_mapped
from lst_robust.runtime.files import check_output
from lst_robust.runtime.interruption import STARTS_ANEW, Interruption
from lst_robust.runtime.rank import is_leader
from lst_robust.suites import Suite, load_suite
from lst_robust.suites.recipe import Recipe, load_recipe, recipe_names

HELP = """Train a model by a suite's recipe and write a safetensors checkpoint.

An interrupted training goes on from its last whole epoch when the same command runs again. With the recipe unchanged,
`lst-robust eval` finds the checkpoint by itself. Under `torchrun` the processes share every batch.

**Examples**

- `lst-robust train --model lst18`
- `lst-robust train -m resnet18 --seed 1 --epochs 3 --out resnet18.safetensors`
- `lst-robust train -m resnet18 --suite imagefolder --data-dir my-images`
- `lst-robust train -m lst20 -s cifar10-c --data-dir cifar --recipe short --epochs 12 --evaluate-every 1`
- `torchrun --nproc-per-node 8 -m lst_robust train -m lst18 -s imagenet-c --recipe imagenet --data-dir imagenet`
"""


RecipeName = Annotated[
    str | None, typer.Option("--recipe", help="Name of a recipe or YAML file, in place of the suite's.")
]
Epochs = Annotated[int | None, typer.Option("--epochs", help="In place of the recipe's.")]
Lr = Annotated[float | None, typer.Option("--lr", help="Peak learning rate in place of the recipe's.")]
BatchSize = Annotated[int | None, typer.Option("--batch-size", "-b", help="In place of the recipe's.")]
Accumulate = Annotated[
    int | None,
    typer.Option("--accumulate", help="Parts in which a batch goes through the network, to save memory."),
]
EvaluateEvery = Annotated[
    int | None, typer.Option("--evaluate-every", help="Epochs between two looks at the test error, for the log.")
]
Keep = Annotated[
    Literal["last", "best"] | None,
    typer.Option(
        "--keep",
        help="The epoch to keep. best is chosen by test error, which flatters it, and needs --evaluate-every.",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of weights, order and augmentation.")]
OutFile = Annotated[
    Path | None, typer.Option("--out", "-o", help="The checkpoint to write.  [default: below the results folder]")
]
Resume = Annotated[
    bool, typer.Option("--resume/--no-resume", help="Go on with an interrupted training, or start it over.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite/--no-overwrite", help="Train again although the checkpoint is there.")
]
Half = Annotated[bool, typer.Option("--half/--no-half", help="Store the weights as float16, in half the space.")]


def train_command(
    model: opt.Model,
    suite: opt.Suite = "digits-c",
    data_dir: opt.DataDir = None,
    recipe: RecipeName = None,
    epochs: Epochs = None,
    lr: Lr = None,
    batch_size: BatchSize = None,
    accumulate: Accumulate = None,
    evaluate_every: EvaluateEvery = None,
    keep: Keep = None,
    seed: Seed = None,
    set_: opt.Set = None,
    out_file: OutFile = None,
    workers: opt.Workers = None,
    device: opt.Device = "auto",
    amp: opt.Amp = "auto",
    compile_: opt.Compile = "no",
    skip_unreadable: opt.SkipUnreadable = False,
    results_dir: opt.ResultsDir = Path("results"),
    resume: Resume = True,
    overwrite: Overwrite = False,
    half: Half = False,
    json: opt.Json = False,
) -> None:
    if out_file is not None:
        _check_destination(out_file)
    resolved = load_suite(suite)
    chosen = _recipe(resolved, recipe).changed(
        _given(
            epochs=epochs,
            lr=lr,
            batch_size=batch_size,
            accumulate=accumulate,
            evaluate_every=evaluate_every,
            keep=keep,
            seed=seed,
        )
    )
    options = opt.parse_options(set_)
    planned = training.plan_training(
        model, resolved, options=options, recipe=chosen, data_dir=data_dir, skip_unreadable=skip_unreadable
    )
    checkpoint = out_file or training.checkpoints_folder(results_dir, resolved) / planned.checkpoint
    keep_memory_mapped()
    with RichObserver() as observer, Interruption(None if resume else STARTS_ANEW):
        resources = runtime.Resources.of(device, workers, observer, amp, compile_)
        trained = training.ensure_trained(planned, checkpoint, resources, overwrite=overwrite, resume=resume, half=half)
    if not is_leader():  # under torchrun one process speaks for all
        return
    if not trained:
        print_note(f"{checkpoint} is there already; --overwrite trains it again")
    if not json:
        print_line(str(checkpoint))
        return
    facts = {"model": model, "suite": resolved.name, "checkpoint": str(checkpoint), "trained": trained}
    print_json(facts | {"sha256": lst_robust.checkpoint_sha256(checkpoint), "recipe": chosen.model_dump(mode="json")})


def _check_destination(out_file: Path) -> None:
    if out_file.suffix != ".safetensors":
        raise UsageError(f"--out {str(out_file)!r}: give a file that ends in .safetensors")
    check_output("--out", out_file, regular=True)


def _recipe(suite: Suite, name: str | None) -> Recipe:
    """The recipe of that name or file, else the suite's own."""
    recipe = suite.training if name is None else load_recipe(name)
    if recipe is None:
        raise UsageError(f"suite {suite.name!r} has no recipe: choose one with --recipe ({', '.join(recipe_names())})")
    return recipe


def _given(**changes: object) -> dict[str, object]:
    """Those options that were given."""
    return {key: value for key, value in changes.items() if value is not None}


train_command.__doc__ = HELP
