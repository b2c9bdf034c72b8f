"""The work of `lst-robust corrupt`: what the options mean, the sets that are written or checked, and what is said."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from lst_robust.cli.console import RichObserver, print_error, print_json, print_line, print_note
from lst_robust.cli.elsewhere import device_here
from lst_robust.data import ImageSource
from lst_robust.errors import LstRobustError, UsageError
from lst_robust.generation import (
    KEEP,
    CleanShards,
    Generated,
    GeneratedShards,
    SetEngine,
    Settings,
    engine_for_sets,
    format_of,
    generate,
    generate_shards,
    settings_for,
    verify,
    verify_shards,
)
from lst_robust.suites import Suite

if TYPE_CHECKING:
    from lst_robust.distribution.engines import Engine


@dataclass(frozen=True)
class How:
    """What the options say of the work. on: where tasks do it; None: this process does it."""

    workers: int
    engine: str
    device: str
    skip_unreadable: bool
    share: tuple[int, int] | None
    json: bool
    on: Engine | None = None

    def engine_for(self, folder: Path, settings: Settings) -> SetEngine:
        pixels = None if settings.size == KEEP else int(settings.size)
        device = self.device if self.on is None else device_here(self.device)
        return engine_for_sets(self.engine, device, pixels, settings.preset, folder)


def corrupt_shards(clean: CleanShards, folder: Path, settings: Settings, how: How) -> None:
    with redirect_stdout(sys.stderr), RichObserver() as observer:  # what Ray and submitit print is no result
        made = _shards_maker(how.on)(
            clean,
            folder,
            settings,
            share=how.share or (0, 1),
            skip_unreadable=how.skip_unreadable,
            workers=how.workers,
            observer=observer,
            engine=how.engine_for(folder, settings),
        )
    if made.leader:
        show(made, how.json)
        if not made.complete and not made.failed and not how.json:
            print_note(
                f"{made.folder} lacks shards that are not of this call: MANIFEST.json is completed with the last"
            )
    if made.failed:
        print_error(*(f"{name}: {reason}" for name, reason in made.failed.items()))
        raise typer.Exit(LstRobustError.exit_code)


def _shards_maker(on: Engine | None) -> Callable[..., GeneratedShards]:
    if on is None:
        return generate_shards
    from lst_robust.distribution.shards import generate_shards_on

    return partial(generate_shards_on, on)


@dataclass(frozen=True)
class Wanted:
    """What the options say of the set; None: not given."""

    format: Literal["tree", "npy", "tar"] | None
    image_format: Literal["jpeg", "png"] | None
    corruptions: tuple[str, ...] | None
    severities: tuple[int, ...] | None
    preset: str | None
    style: str | None
    seed: int | None

    def of_images(self) -> Wanted:
        """For images that are not in shards, or are not to stay in them."""
        if self.format == "tar":
            raise UsageError("--format tar makes shards of shards: give SRC as tar files, or choose tree or npy")
        return self

    def of_shards(self) -> Wanted:
        if self.format not in (None, "tar"):
            raise UsageError(f"SRC names tar shards, which become tar shards: leave out --format {self.format}")
        return replace(self, format="tar")

    def settings(self, size: int | None) -> Settings:
        """With the defaults for a folder of images."""
        return settings_for(
            format=self.format or "tree",
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
        if suite.protocol == "generated-jpeg" and (self.format == "npy" or self.image_format == "png"):
            raise UsageError(
                f"the corrupted images of suite {suite.name!r} go through JPEG, as image files do: leave out "
                "--format npy and --image-format png, or take a suite of the protocol generated"
            )
        return settings_for(
            format=self.format or "tree",
            image_format=self.image_format,
            preset=self.preset or suite.preset,
            style=self.style or suite.style,
            seed=suite.seed if self.seed is None else self.seed,
            size=suite.image_size,
            corruptions=suite.corruptions if self.corruptions is None else self.corruptions,
            severities=suite.severities if self.severities is None else self.severities,
        )


def show(made: Generated, json: bool) -> None:
    if made.skipped:
        print_note(f"left out {len(made.skipped)} unreadable images, such as {', '.join(made.skipped[:3])}")
    if json:
        print_json(made.summary())
        return
    shards = f" in {made.shards} of {made.all_shards} shards" if isinstance(made, GeneratedShards) else ""
    print_line(
        f"{made.folder}: {made.cells} cells of {made.images} images{shards}; wrote {made.written:,} in "
        f"{made.seconds:.1f} s ({made.images_per_second:,.0f} images/s), {made.kept:,} were there"
    )


def corrupt_images(source: ImageSource, folder: Path, settings: Settings, how: How) -> None:
    """Of a folder or a suite, into files or arrays."""
    with RichObserver() as observer:
        engine = how.engine_for(folder, settings)
        made = generate(source, folder, settings, workers=how.workers, observer=observer, engine=engine)
    if made.leader:  # under torchrun one process speaks for all
        show(made, how.json)


def verify_set(folder: Path, share: tuple[int, int] | None, workers: int, json: bool) -> None:
    of_shards = format_of(folder) == "tar"
    if share is not None and not of_shards:
        raise UsageError(f"{folder} holds no set of tar shards, which --shard takes some of: leave it out")
    with RichObserver() as observer:
        if of_shards:
            seen = verify_shards(folder, share=share, workers=workers, observer=observer)
            cells, images = seen.cells, seen.images
        else:
            manifest = verify(folder, workers=workers, observer=observer)
            cells, images = len(manifest.cells or {}), len(manifest.images)
    if json:
        shards = {"shards": seen.shards, "complete": seen.complete} if of_shards else {}
        print_json({"folder": str(folder), "ok": True, "cells": cells, "images": images} | shards)
    else:
        shards_too = f" in {seen.shards} shards" if of_shards else ""
        print_line(f"{folder}: all {cells} cells of {images} images{shards_too} are as they were made")
