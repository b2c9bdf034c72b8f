"""`lst-robust corrupt`: whole corrupted sets on disk, and a picture of all corruptions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from lst_robust.benchmark import checked_corruptions
from lst_robust.cli import options as opt
from lst_robust.cli.console import print_json
from lst_robust.cli.corrupt_work import How, Wanted, corrupt_images, corrupt_shards, verify_set
from lst_robust.cli.elsewhere import engine_of
from lst_robust.cli.output import Output
from lst_robust.corruptions.presets import PRESET_SIZES
from lst_robust.errors import UsageError
from lst_robust.generation import (
    CleanShards,
    cut_of_size,
    cut_of_suite,
    find_tars,
    open_images,
    open_suite_images,
    parse_size,
    tars_of_suite,
)
from lst_robust.reporting.sheet import draw_sheet
from lst_robust.runtime.cores import worker_count
from lst_robust.suites import Suite, load_suite

HELP = """Write a corrupted copy of an image set: in the layout of ImageNet-C or CIFAR-C, or as tar shards.

The formats are `tree` (ImageNet-C's), `npy` (CIFAR-C's) and `tar` (WebDataset's).

SRC is a folder with `<class>/*`, or with `test/<class>/*` or `val/<class>/*`; with `--suite` the suite's test images
are taken instead. An interrupted call goes on where it was; after a power failure, begin in a new folder. The bytes are
the same for any number of workers, and under `torchrun` for any number of ranks. `--engine torch` corrupts on
`--device`, and the set's MANIFEST.json says so.

SRC may also be tar shards: a pattern, a file or a folder of them. Each shard becomes a shard of the same name in
`DST/<corruption>/<severity>/`. Machines share the shards by `--shard 0/8` to `--shard 7/8`, and need not talk to one
another. Or one call makes tasks of them by `--on`: on processes of this machine, on Slurm, or on Ray.

**Examples**

- `lst-robust corrupt imagenet/val ImageNet-C`
- `lst-robust corrupt my-images my-images-c --size keep --image-format png --corruptions noise,fog --severities 1,3,5`
- `lst-robust corrupt cifar10 CIFAR-10-C --format npy --preset cifar`
- `lst-robust corrupt --suite digits-c digits-c --format npy`
- `lst-robust corrupt imagenet/val ImageNet-C --engine torch --device cuda`
- `lst-robust corrupt --verify CIFAR-10-C`
- `lst-robust corrupt 'wds/val-{00..63}.tar' val-c --shard 0/8`
- `lst-robust corrupt --suite imagenet-c-generated --data-dir 'wds/*.tar' ImageNet-C --format tar`
- `lst-robust corrupt --verify val-c --shard 0/8`
- `lst-robust corrupt 'wds/val-{00..63}.tar' val-c --on slurm --tasks-at-once 32 --slurm partition=cpu`
- `lst-robust corrupt --sheet sheet.png photograph.jpg`
"""


Paths = Annotated[
    list[Path],
    typer.Argument(metavar="[SRC] DST", parser=opt.folder, help="Images or tar shards, and the set's folder."),
]
SuiteInstead = Annotated[
    str | None, typer.Option("--suite", "-s", help="Test images and settings of a suite, in place of SRC.")
]
Format = Annotated[
    Literal["tree", "npy", "tar"] | None,
    typer.Option(
        "--format",
        "-f",
        envvar="LST_ROBUST_FORMAT",
        help="tree: one file for each image; npy: one array for each corruption; tar: one tar file for each shard.  "
        "[default: tar where SRC is shards, else "
        "tree]",
    ),
]
Share = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        envvar="LST_ROBUST_SHARD",
        help="Only the tar shards I, I + N, I + 2 N, ...; I is from 0 to N - 1.",
    ),
]
ImageFormat = Annotated[
    Literal["jpeg", "png"] | None,
    typer.Option(
        "--image-format", help="In trees and shards; jpeg has quality 85, as the official sets.  [default: jpeg]"
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        envvar="LST_ROBUST_PRESET",
        help="imagenet, tiny-imagenet or cifar.  [default: the suite's, or imagenet]",
    ),
]
Style = Annotated[
    str | None,
    typer.Option(
        "--style",
        envvar="LST_ROBUST_STYLE",
        help="hendrycks or imagecorruptions.  [default: the suite's, or hendrycks]",
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        "--size",
        envvar="LST_ROBUST_SIZE",
        help="Side S of the squares (shorter side to S·256/224, then the centre S), or keep. Not with --suite, which "
        "has its own.  [default: 224 with the preset imagenet, else keep]",
    ),
]
VerifyOnly = Annotated[
    bool, typer.Option("--verify/--no-verify", help="Only check the set in DST against its MANIFEST.json.")
]
Sheet = Annotated[
    str | None,
    typer.Option(
        "--sheet",
        metavar="PNG",
        help="Only draw all (or the chosen) corruptions of an image, given as the argument; - is standard output.",
    ),
]


TAKEN_BY_SHEET = {"paths", "sheet", "corruptions", "preset", "style", "seed", "size", "json"}
TAKEN_BY_VERIFY = {"paths", "verify_only", "shard", "workers", "json"}


def corrupt_command(
    context: typer.Context,
    paths: Paths,
    suite: SuiteInstead = None,
    data_dir: opt.DataDir = None,
    format_: Format = None,
    shard: Share = None,
    image_format: ImageFormat = None,
    corruptions: opt.Corruptions = None,
    severities: opt.Severities = None,
    preset: Preset = None,
    style: Style = None,
    seed: opt.NoiseSeed = None,
    size: Size = None,
    workers: opt.Workers = None,
    engine: opt.Engine = "auto",
    device: opt.Device = "auto",
    skip_unreadable: opt.SkipUnreadable = False,
    on: opt.On = None,
    tasks_at_once: opt.TasksAtOnce = None,
    gpus_per_worker: opt.GpusPerWorker = None,
    slurm: opt.SlurmOptions = None,
    ray_address: opt.RayAddress = None,
    verify_only: VerifyOnly = False,
    sheet: Sheet = None,
    json: opt.Json = False,
) -> None:
    if sheet is not None:
        _refuse_others(context, TAKEN_BY_SHEET, "--sheet")
        (image,) = _exactly(paths, 1, "--sheet OUT.png IMAGE")
        _draw(image, sheet, preset or "imagenet", style or "hendrycks", seed or 0, size, corruptions, json)
        return
    threads = worker_count(workers)
    if verify_only:
        _refuse_others(context, TAKEN_BY_VERIFY, "--verify")
        (folder,) = _exactly(paths, 1, "--verify DST")
        verify_set(folder, opt.parse_share(shard), threads, json)
        return
    elsewhere = engine_of(
        context,
        on,
        at_once=tasks_at_once,
        gpus=gpus_per_worker,
        threads=workers,
        device=device,
        slurm=opt.parse_pairs("--slurm", slurm, "partition=gpu"),
        ray_address=ray_address,
    )
    wanted = Wanted(
        format=format_,
        image_format=image_format,
        corruptions=opt.parse_corruptions(corruptions),
        severities=opt.parse_severities(severities),
        preset=preset,
        style=style,
        seed=seed,
    )
    how = How(threads, engine, device, skip_unreadable, opt.parse_share(shard), json, elsewhere)
    if suite is None:
        if opt.unless_environment(context, "data_dir", data_dir) is not None:
            raise UsageError("--data-dir is where the images of a suite lie: leave it out, or give --suite as well")
        _corrupt_source(context, paths, size, wanted, how)
    else:
        if opt.unless_environment(context, "size", size) is not None:
            raise UsageError("a suite has its own image size: leave out --size, or change the suite's YAML file")
        _corrupt_suite(context, paths, load_suite(suite), data_dir, wanted, how)


def _corrupt_source(context: typer.Context, paths: list[Path], size: str | None, wanted: Wanted, how: How) -> None:
    """A folder of images, or tar shards."""
    root, folder = _exactly(paths, 2, "SRC DST")
    side = parse_size(size or ("224" if wanted.preset in (None, "imagenet") else "keep"))
    shards = find_tars(root)
    if shards is not None:
        corrupt_shards(CleanShards(shards, cut_of_size(side)), folder, wanted.of_shards().settings(side), how)
        return
    settings = wanted.of_images().settings(side)
    how = _of_images(context, how)
    source = open_images(root, side, skip_unreadable=how.skip_unreadable, workers=how.workers)
    corrupt_images(source, folder, settings, how)


def _corrupt_suite(
    context: typer.Context, paths: list[Path], suite: Suite, data_dir: Path | None, wanted: Wanted, how: How
) -> None:
    """The test images of a suite, from files or from tar shards."""
    (folder,) = _exactly(paths, 1, "--suite NAME DST")
    if wanted.format == "tar":
        cut = cut_of_suite(suite)  # first: it says which suites have no shards
        clean = CleanShards(tars_of_suite(suite, data_dir), cut)
        corrupt_shards(clean, folder, wanted.settings_of_suite(suite), how)
        return
    settings = wanted.of_images().settings_of_suite(suite)
    how = _of_images(context, how)
    source = open_suite_images(suite, data_dir, skip_unreadable=how.skip_unreadable, workers=how.workers)
    corrupt_images(source, folder, settings, how)


def _of_images(context: typer.Context, how: How) -> How:
    """Without what is for tar shards: UsageError where it is on the command line, and of the environment it is
    ignored."""
    if opt.unless_environment(context, "shard", how.share) is not None:
        raise UsageError("--shard takes some of the tar shards that SRC names: leave it out, or give SRC as shards")
    on = opt.unless_environment(context, "on", how.on)
    if on is not None:
        raise UsageError(f"--on {on.on} makes tasks of the tar shards that SRC names: leave it out, or give such a SRC")
    return replace(how, share=None, on=None)


def _refuse_others(context: typer.Context, taken: set[str], mode: str) -> None:
    """UsageError for an option on the command line that would be ignored. The environment is for all commands: what it
    says may be ignored."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name not in taken and source is not None and source.name == "COMMANDLINE":
            raise UsageError(f"{parameter.opts[0]} has no meaning with {mode}: leave it out")


def _exactly(paths: list[Path], count: int, call: str) -> list[Path]:
    if len(paths) != count:
        raise UsageError(f"{len(paths)} paths given: the call is lst-robust corrupt {call} [OPTIONS]")
    return paths


def _draw(
    image: Path, sheet: str, preset: str, style: str, seed: int, size: str | None, corruptions: str | None, json: bool
) -> None:
    chosen = opt.parse_corruptions(corruptions)
    chosen = None if chosen is None else checked_corruptions("corruptions", chosen)
    side = parse_size(size) if size else PRESET_SIZES.get(preset)
    png = Output("--sheet", sheet, json=json)
    png.write(draw_sheet(image, preset=preset, style=style, seed=seed, size=side, corruptions=chosen))
    png.say_written()
    if json:
        print_json({"sheet": sheet})


corrupt_command.__doc__ = HELP
