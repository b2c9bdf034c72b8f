"""`lst-robust corrupt`: whole corrupted sets on disk, and a picture of all corruptions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lst_robust.cli import options as opt
from lst_robust.cli.console import RichObserver, print_json, print_line, print_note
from lst_robust.cli.output import Output
from lst_robust.errors import UsageError
from lst_robust.runtime.cores import worker_count

HELP = """Write a corrupted copy of an image set, in the layout of ImageNet-C (`tree`) or CIFAR-C (`npy`).

SRC is a folder with `<class>/*`, or with `test/<class>/*` or `val/<class>/*`; with `--suite` the suite's test images
are taken instead. An interrupted call goes on where it was. The bytes are the same for any number of workers, and under
`torchrun` for any number of ranks.

**Examples**

- `lst-robust corrupt imagenet/val ImageNet-C`
- `lst-robust corrupt my-images my-images-c --size keep --image-format png --corruptions noise,fog --severities 1,3,5`
- `lst-robust corrupt cifar10 CIFAR-10-C --format npy --preset cifar`
- `lst-robust corrupt --suite digits-c digits-c --format npy`
- `lst-robust corrupt --verify CIFAR-10-C`
- `lst-robust corrupt --sheet sheet.png photograph.jpg`
"""


def corrupt_command(
    paths: Annotated[
        list[Path], typer.Argument(metavar="[SRC] DST", help="Folder of the images, and folder to write or to verify.")
    ],
    suite: Annotated[
        str | None, typer.Option("--suite", "-s", help="Test images and settings of a suite, in place of SRC.")
    ] = None,
    data_dir: opt.DataDir = None,
    format_: Annotated[
        Literal["tree", "npy"],
        typer.Option("--format", "-f", envvar="LST_ROBUST_FORMAT", help="A file an image, or an array a corruption."),
    ] = "tree",
    image_format: Annotated[
        Literal["jpeg", "png"] | None,
        typer.Option("--image-format", help="In a tree; jpeg has quality 85, as the official sets.  [default: jpeg]"),
    ] = None,
    corruptions: Annotated[
        str | None,
        typer.Option("--corruptions", envvar="LST_ROBUST_CORRUPTIONS", help="Names or groups, with commas."),
    ] = None,
    severities: Annotated[
        str | None, typer.Option("--severities", envvar="LST_ROBUST_SEVERITIES", help="Such as 1,3 or 1-5.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset", envvar="LST_ROBUST_PRESET", help="imagenet, tiny-imagenet or cifar.  [default: imagenet]"
        ),
    ] = None,
    style: Annotated[
        str | None,
        typer.Option("--style", envvar="LST_ROBUST_STYLE", help="hendrycks or imagecorruptions.  [default: hendrycks]"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", envvar="LST_ROBUST_SEED", help="Seed of the noise.  [default: 0]")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            envvar="LST_ROBUST_SIZE",
            help="Side S of the squares (shorter side to S·256/224, then the centre S), or keep.  "
            "[default: 224 with the preset imagenet, else keep]",
        ),
    ] = None,
    workers: opt.Workers = None,
    skip_unreadable: opt.SkipUnreadable = False,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Only check the set in DST against its MANIFEST.json.")
    ] = False,
    sheet: Annotated[
        str | None,
        typer.Option(
            "--sheet",
            metavar="PNG",
            help="Only draw all corruptions of an image, given as the argument; - is standard output.",
        ),
    ] = None,
    json: opt.Json = False,
) -> None:
    if sheet is not None:
        (image,) = _exactly(paths, 1, "--sheet OUT.png IMAGE")
        _draw(image, Output("--sheet", sheet, json=json), preset or "imagenet", style or "hendrycks", seed or 0, size)
        return
    workers = worker_count(workers)
    if verify:
        (folder,) = _exactly(paths, 1, "--verify DST")
        _verify(folder, workers, json)
        return

    from lst_robust.generation import generate, open_images, open_suite_images, parse_size, settings_for

    names, levels = opt.parse_corruptions(corruptions), opt.parse_severities(severities)
    with RichObserver() as observer:
        if suite is None:
            root, folder = _exactly(paths, 2, "SRC DST")
            preset = preset or "imagenet"
            side = parse_size(size or ("224" if preset == "imagenet" else "keep"))
            settings = settings_for(
                format=format_,
                image_format=image_format,
                preset=preset,
                style=style or "hendrycks",
                seed=seed or 0,
                size=side,
                corruptions=names,
                severities=levels,
            )
            source = open_images(root, side, skip_unreadable=skip_unreadable, workers=workers)
        else:
            from lst_robust.suites import load_suite

            (folder,) = _exactly(paths, 1, "--suite NAME DST")
            if size is not None:
                raise UsageError("a suite has its own image size: leave out --size, or change the suite's YAML file")
            resolved = load_suite(suite)
            settings = settings_for(
                format=format_,
                image_format=image_format,
                preset=preset or resolved.preset,
                style=style or resolved.style,
                seed=resolved.seed if seed is None else seed,
                size=resolved.image_size,
                corruptions=resolved.corruptions if names is None else names,
                severities=resolved.severities if levels is None else levels,
            )
            source = open_suite_images(resolved, data_dir, skip_unreadable=skip_unreadable, workers=workers)
        made = generate(source, folder, settings, workers=workers, observer=observer)
    if not made.leader:  # under torchrun one process speaks for all
        return
    if made.skipped:
        print_note(f"left out {len(made.skipped)} unreadable images, such as {', '.join(made.skipped[:3])}")
    if json:
        print_json(made.summary())
        return
    print_line(
        f"{folder}: {made.cells} cells of {made.images} images; wrote {made.written:,} in {made.seconds:.1f} s "
        f"({made.images_per_second:,.0f} images/s), {made.kept:,} were there"
    )


def _exactly(paths: list[Path], count: int, call: str) -> list[Path]:
    if len(paths) != count:
        raise UsageError(f"{len(paths)} paths given: the call is lst-robust corrupt {call} [OPTIONS]")
    return paths


def _verify(folder: Path, workers: int, json: bool) -> None:
    from lst_robust.generation import verify

    with RichObserver() as observer:
        manifest = verify(folder, workers=workers, observer=observer)
    cells, images = len(manifest.cells or {}), len(manifest.images)
    if json:
        print_json({"folder": str(folder), "ok": True, "cells": cells, "images": images})
    else:
        print_line(f"{folder}: all {cells} cells of {images} images are as they were made")


def _draw(image: Path, png: Output, preset: str, style: str, seed: int, size: str | None) -> None:
    from lst_robust.generation import parse_size
    from lst_robust.reporting.sheet import SIZES, draw_sheet

    side = parse_size(size) if size else SIZES.get(preset)
    png.write(draw_sheet(image, preset=preset, style=style, seed=seed, size=side))
    png.say_written()


corrupt_command.__doc__ = HELP
