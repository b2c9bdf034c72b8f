"""`lst-robust corrupt`: whole corrupted sets on disk, and a picture of all corruptions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from lst_robust.benchmark import checked_corruptions
from lst_robust.cli import options as opt
from lst_robust.cli.console import RichObserver, print_json, print_line, print_note
from lst_robust.cli.output import Output
from lst_robust.errors import UsageError
from lst_robust.generation import (
    KEEP,
    Generated,
    Settings,
    engine_for_sets,
    generate,
    open_images,
    open_suite_images,
    parse_size,
    settings_for,
    verify,
)
from lst_robust.reporting.sheet import SIZES, draw_sheet
from lst_robust.runtime.cores import worker_count
from lst_robust.suites import Suite, load_suite

HELP = """Write a corrupted copy of an image set, in the layout of ImageNet-C (`tree`) or CIFAR-C (`npy`).

SRC is a folder with `<class>/*`, or with `test/<class>/*` or `val/<class>/*`; with `--suite` the suite's test images
are taken instead. An interrupted call goes on where it was. The bytes are the same for any number of workers, and under
`torchrun` for any number of ranks. `--engine torch` corrupts on `--device`, and the set's MANIFEST.json says so.

**Examples**

- `lst-robust corrupt imagenet/val ImageNet-C`
- `lst-robust corrupt my-images my-images-c --size keep --image-format png --corruptions noise,fog --severities 1,3,5`
- `lst-robust corrupt cifar10 CIFAR-10-C --format npy --preset cifar`
- `lst-robust corrupt --suite digits-c digits-c --format npy`
- `lst-robust corrupt imagenet/val ImageNet-C --engine torch --device cuda`
- `lst-robust corrupt --verify CIFAR-10-C`
- `lst-robust corrupt --sheet sheet.png photograph.jpg`
"""


Paths = Annotated[
    list[Path], typer.Argument(metavar="[SRC] DST", help="Folder of the images, and folder to write or to verify.")
]
SuiteInstead = Annotated[
    str | None, typer.Option("--suite", "-s", help="Test images and settings of a suite, in place of SRC.")
]
Format = Annotated[
    Literal["tree", "npy"],
    typer.Option("--format", "-f", envvar="LST_ROBUST_FORMAT", help="A file an image, or an array a corruption."),
]
ImageFormat = Annotated[
    Literal["jpeg", "png"] | None,
    typer.Option("--image-format", help="In a tree; jpeg has quality 85, as the official sets.  [default: jpeg]"),
]
Preset = Annotated[
    str | None,
    typer.Option("--preset", envvar="LST_ROBUST_PRESET", help="imagenet, tiny-imagenet or cifar.  [default: imagenet]"),
]
Style = Annotated[
    str | None,
    typer.Option("--style", envvar="LST_ROBUST_STYLE", help="hendrycks or imagecorruptions.  [default: hendrycks]"),
]
Size = Annotated[
    str | None,
    typer.Option(
        "--size",
        envvar="LST_ROBUST_SIZE",
        help="Side S of the squares (shorter side to S·256/224, then the centre S), or keep.  "
        "[default: 224 with the preset imagenet, else keep]",
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
TAKEN_BY_VERIFY = {"paths", "verify_only", "workers", "json"}


def corrupt_command(
    context: typer.Context,
    paths: Paths,
    suite: SuiteInstead = None,
    data_dir: opt.DataDir = None,
    format_: Format = "tree",
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
    verify_only: VerifyOnly = False,
    sheet: Sheet = None,
    json: opt.Json = False,
) -> None:
    if sheet is not None:
        _refuse_others(context, TAKEN_BY_SHEET, "--sheet")
        (image,) = _exactly(paths, 1, "--sheet OUT.png IMAGE")
        chosen = opt.parse_corruptions(corruptions)
        chosen = None if chosen is None else checked_corruptions("corruptions", chosen)
        png = Output("--sheet", sheet, json=json)
        _draw(image, png, preset or "imagenet", style or "hendrycks", seed or 0, size, chosen)
        return
    workers = worker_count(workers)
    if verify_only:
        _refuse_others(context, TAKEN_BY_VERIFY, "--verify")
        (folder,) = _exactly(paths, 1, "--verify DST")
        _verify(folder, workers, json)
        return
    wanted = _Wanted(
        format=format_,
        image_format=image_format,
        corruptions=opt.parse_corruptions(corruptions),
        severities=opt.parse_severities(severities),
        preset=preset,
        style=style,
        seed=seed,
    )
    if suite is None:
        root, folder = _exactly(paths, 2, "SRC DST")
        side = parse_size(size or ("224" if preset in (None, "imagenet") else "keep"))
        settings = wanted.settings(side)
        source = open_images(root, side, skip_unreadable=skip_unreadable, workers=workers)
    else:
        (folder,) = _exactly(paths, 1, "--suite NAME DST")
        if size is not None:
            raise UsageError("a suite has its own image size: leave out --size, or change the suite's YAML file")
        resolved = load_suite(suite)
        settings = wanted.settings_of_suite(resolved)
        source = open_suite_images(resolved, data_dir, skip_unreadable=skip_unreadable, workers=workers)
    pixels = None if settings.size == KEEP else int(settings.size)
    chosen_engine = engine_for_sets(engine, device, pixels, settings.preset, folder)
    with RichObserver() as observer:
        made = generate(source, folder, settings, workers=workers, observer=observer, engine=chosen_engine)
    if made.leader:  # under torchrun one process speaks for all
        _show(made, json)


@dataclass(frozen=True)
class _Wanted:
    """What the options say of the set; None: not given."""

    format: Literal["tree", "npy"]
    image_format: Literal["jpeg", "png"] | None
    corruptions: tuple[str, ...] | None
    severities: tuple[int, ...] | None
    preset: str | None
    style: str | None
    seed: int | None

    def settings(self, size: int | None) -> Settings:
        """With the defaults for a folder of images."""
        return settings_for(
            format=self.format,
            image_format=self.image_format,
            preset=self.preset or "imagenet",
            style=self.style or "hendrycks",
            seed=self.seed or 0,
            size=size,
            corruptions=self.corruptions,
            severities=self.severities,
        )

    def settings_of_suite(self, suite: Suite) -> Settings:
        """What is not given is as the suite says. UsageError for files that would not be the suite's pixels."""
        if suite.protocol == "generated-jpeg" and (self.format != "tree" or self.image_format == "png"):
            raise UsageError(
                f"the corrupted images of suite {suite.name!r} go through JPEG, as the files of a tree do: leave out "
                "--format npy and --image-format png, or take a suite of the protocol generated"
            )
        return settings_for(
            format=self.format,
            image_format=self.image_format,
            preset=self.preset or suite.preset,
            style=self.style or suite.style,
            seed=suite.seed if self.seed is None else self.seed,
            size=suite.image_size,
            corruptions=suite.corruptions if self.corruptions is None else self.corruptions,
            severities=suite.severities if self.severities is None else self.severities,
        )


def _show(made: Generated, json: bool) -> None:
    if made.skipped:
        print_note(f"left out {len(made.skipped)} unreadable images, such as {', '.join(made.skipped[:3])}")
    if json:
        print_json(made.summary())
        return
    print_line(
        f"{made.folder}: {made.cells} cells of {made.images} images; wrote {made.written:,} in {made.seconds:.1f} s "
        f"({made.images_per_second:,.0f} images/s), {made.kept:,} were there"
    )


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


def _verify(folder: Path, workers: int, json: bool) -> None:
    with RichObserver() as observer:
        manifest = verify(folder, workers=workers, observer=observer)
    cells, images = len(manifest.cells or {}), len(manifest.images)
    if json:
        print_json({"folder": str(folder), "ok": True, "cells": cells, "images": images})
    else:
        print_line(f"{folder}: all {cells} cells of {images} images are as they were made")


def _draw(
    image: Path,
    png: Output,
    preset: str,
    style: str,
    seed: int,
    size: str | None,
    corruptions: tuple[str, ...] | None,
) -> None:
    side = parse_size(size) if size else SIZES.get(preset)
    png.write(draw_sheet(image, preset=preset, style=style, seed=seed, size=side, corruptions=corruptions))
    png.say_written()


corrupt_command.__doc__ = HELP
