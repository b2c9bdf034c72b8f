"""`lst-robust features`: how sparse the features inside of networks are."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import lst_robust  # whose names are imported when they are used: --help does not wait for torch
from lst_robust.benchmark import checked_corruptions
from lst_robust.cli import options as opt
from lst_robust.cli.console import RichObserver, print_json, print_note
from lst_robust.cli.output import DASH, Output, console_beside
from lst_robust.errors import UsageError
from lst_robust.runtime.allocator import keep_memory_mapped
from lst_robust.runtime.interruption import STARTS_ANEW, check_interrupted

if TYPE_CHECKING:
    from lst_robust.analysis.features import FeatureStatistics

HELP = """Look at the features inside of networks: how sparse they are, and how far corruptions move them.

Looked at are the spatial transforms of an LST-Net and the convolutions larger than 1x1 of other networks (without the
stem), on IMAGE files or on test images of the suite. Each measure has a 95 % interval over the images. `--out` draws
the paper's Figure 2: 16 channels of the first layer, each as a column; `--by-layer` draws the sparsity of every layer,
clean and corrupted.

A checkpoint is given for each model, in the same order; without any, earlier trainings in the results folder are taken.

**Examples**

- `lst-robust features -m lst18 --images 50`
- `lst-robust features -m lst20 -m resnet20 --checkpoint a.safetensors --checkpoint b.safetensors photo.png --out f.png`
- `lst-robust features -m lst20 -m resnet20 -s cifar10-jpeg --data-dir cifar10-jpeg --untrained --csv features.csv`
- `lst-robust features -m torchvision:resnet50 --set weights=DEFAULT -s imagenet-c-generated photo.jpg --step bn`
"""
WHEN_INTERRUPTED = STARTS_ANEW
NONE = "none"
SUFFIXES = (".png", ".pdf", ".svg")

Images = Annotated[
    list[Path] | None, typer.Argument(metavar="IMAGE", help="Image files, in place of the suite's test images.")
]
ModelNames = Annotated[
    list[str],
    typer.Option(
        "--model",
        "-m",
        envvar="LST_ROBUST_MODEL",
        help="Model name, see `lst-robust models`; may be repeated, also with other checkpoints of the same model.",
    ),
]
Checkpoints = Annotated[
    list[str] | None,  # of paths Typer would split a variable at each colon, as that of published:NAME
    typer.Option(
        "--checkpoint",
        envvar="LST_ROBUST_CHECKPOINT",
        help="Weights to load: a file or published:NAME for each --model.",
    ),
]
Count = Annotated[
    int | None,
    typer.Option(
        "--images",
        "-n",
        envvar="LST_ROBUST_IMAGES",
        help="A fixed stratified subset of so many test images.  [default: 200]",
    ),
]
Corruptions = Annotated[
    str | None,
    typer.Option(
        "--corruptions",
        envvar="LST_ROBUST_CORRUPTIONS",
        help="Names or groups, with commas; none: clean images only.  "
        "[default: gaussian_noise,defocus_blur,fog,jpeg_compression]",
    ),
]
Severities = Annotated[
    str | None, typer.Option("--severities", envvar="LST_ROBUST_SEVERITIES", help="Such as 1,3 or 1-5.  [default: 3]")
]
Layers = Annotated[
    list[str] | None,
    typer.Option("--layer", help="Number from 1, name or pattern of a layer; may be repeated.  [default: all]"),
]
Step = Annotated[
    Literal["input", "output", "bn"],
    typer.Option("--step", help="What a layer takes, what it puts out, or what the BN behind it makes of that."),
]
Untrained = Annotated[
    bool,
    typer.Option("--untrained/--no-untrained", help="Also look at each structure with its initial weights."),
]
Threshold = Annotated[float, typer.Option("--threshold", help="Also count the values with smaller amplitudes.")]
OutFile = Annotated[
    str | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FILE",
        help="Draw the paper's Figure 2, of up to 6 networks, into a .png, .pdf or .svg file.",
    ),
]
ByLayer = Annotated[
    str | None,
    typer.Option("--by-layer", metavar="FILE", help="Draw the sparsity by layer into a .png, .pdf or .svg file."),
]
Csv = Annotated[
    str | None,
    typer.Option("--csv", metavar="FILE", help="Write all means, with intervals, as CSV; - is standard output."),
]
Train = Annotated[
    bool, typer.Option("--train/--no-train", help="Train a model that has no checkpoint for the suite, as eval does.")
]


def features_command(
    context: typer.Context,
    model: ModelNames,
    images: Images = None,
    suite: opt.Suite = "digits-c",
    checkpoint: Checkpoints = None,
    data_dir: opt.DataDir = None,
    corrupted_dir: opt.CorruptedDir = None,
    count: Count = None,
    corruptions: Corruptions = None,
    severities: Severities = None,
    layer: Layers = None,
    step: Step = "output",
    untrained: Untrained = False,
    threshold: Threshold = 0.1,
    preprocess: opt.Preprocess = None,
    set_: opt.Set = None,
    seed: opt.NoiseSeed = None,
    workers: opt.Workers = None,
    device: opt.Device = "auto",
    train: Train = False,
    skip_unreadable: opt.SkipUnreadable = False,
    results_dir: opt.ResultsDir = Path("results"),
    out_file: OutFile = None,
    by_layer: ByLayer = None,
    csv: Csv = None,
    json: opt.Json = False,
) -> None:
    files = {"--out": out_file, "--by-layer": by_layer, "--csv": csv}
    outputs = _outputs(files, json=json)
    _require_other_files(files, [*(images or []), *map(Path, checkpoint or [])])
    if images and opt.unless_environment(context, "skip_unreadable", skip_unreadable):
        raise UsageError("--skip-unreadable is for the images of a suite: leave out the files that cannot be read")
    _require_room(outputs, len(model), untrained=untrained)
    keep_memory_mapped()
    with RichObserver() as observer, redirect_stdout(sys.stderr):  # what a network's own code prints is no result
        statistics = lst_robust.feature_statistics(
            model,
            suite,
            checkpoints=checkpoint or None,
            images=images or None,
            layers=layer,
            step=step,
            untrained=untrained,
            threshold=threshold,
            data_dir=data_dir,
            corrupted_dir=opt.of_official_files(context, suite, corrupted_dir),
            limit=count,
            corruptions=_corruptions(corruptions),
            severities=opt.parse_severities(severities),
            preprocess=preprocess,
            model_options=opt.parse_options(set_),
            seed=seed,
            workers=workers,
            device=device,
            train=train,
            skip_unreadable=skip_unreadable and not images,
            results_dir=results_dir,
            observer=observer,
        )
    check_interrupted()
    _write_means(statistics, outputs)  # the numbers before the pictures: one that cannot be drawn loses none of them
    _show(statistics, outputs, json=json)
    _draw(statistics, outputs)


def _outputs(files: dict[str, str | None], *, json: bool) -> dict[str, Output]:
    """Where the documents go, all looked at before the work. UsageError for a figure whose format is not known."""
    found = {}
    for option, file in files.items():
        if file is None:
            continue
        if option != "--csv":
            if Path(file).suffix.lower() not in SUFFIXES:
                raise UsageError(f"{option} {file!r}: the name says the format: let it end in {', '.join(SUFFIXES)}")
            from lst_robust.reporting.figures import style  # noqa: F401 (UsageError without matplotlib)
        found[option] = Output(option, file, json=json)
    if sum(one.is_stdout for one in found.values()) > 1:
        raise UsageError("standard output can take one document: give files for the others")
    return found


def _require_other_files(outputs: dict[str, str | None], inputs: Sequence[Path]) -> None:
    """UsageError where a document would be written over what it is made of, or over another one."""
    taken = {os.path.realpath(file): f"{file} is read" for file in inputs}
    for option, file in outputs.items():
        if file is None or file == DASH:
            continue
        if (reason := taken.get(os.path.realpath(file))) is not None:
            raise UsageError(f"{option} {file!r}: {reason} by the same call: choose another file")
        taken[os.path.realpath(file)] = f"{option} of that name is written"


def _corruptions(text: str | None) -> tuple[str, ...] | None:
    """None: the default; an empty tuple: clean images only."""
    if text is not None and text.strip() == NONE:
        return ()
    names = opt.parse_corruptions(text)
    return None if names is None else checked_corruptions("corruptions", names)


def _require_room(outputs: Mapping[str, Output], models: int, *, untrained: bool) -> None:
    """UsageError, before the work, for more networks than --out can draw side by side."""
    if "--out" not in outputs:
        return
    from lst_robust.reporting.figures.features import MOST_PICTURES

    count, most = models * (2 if untrained else 1), MOST_PICTURES["page"]
    if count > most:
        twice = f" ({models} models, each also untrained)" if untrained else ""
        raise UsageError(f"--out has room for {most} networks, not for {count}{twice}: name fewer, or leave out --out")


def _write_means(statistics: FeatureStatistics, outputs: dict[str, Output]) -> None:
    if "--csv" in outputs:
        from lst_robust.reporting.escaping import csv_cell

        table = statistics.table()
        texts = ["network", "model", "layer", "cell", "measure"]
        table[texts] = table[texts].map(csv_cell)
        outputs["--csv"].write(table.to_csv(index=False, lineterminator="\n").encode())
        outputs["--csv"].say_written()


def _show(statistics: FeatureStatistics, outputs: dict[str, Output], *, json: bool) -> None:
    if json:
        print_json(statistics.to_dict())
        return
    from lst_robust.reporting.views.features import features_view

    beside = next((one for one in outputs.values() if one.is_stdout), None)
    console_beside(beside).print(features_view(statistics))


def _draw(statistics: FeatureStatistics, outputs: dict[str, Output]) -> None:
    drawn = [option for option in outputs if option != "--csv"]
    if not drawn:
        return
    from lst_robust.reporting.figures import features as figures
    from lst_robust.reporting.figures.export import as_bytes

    for option in drawn:
        check_interrupted()
        if option == "--out":
            networks = figures.columns_of(statistics)
            figure, words = figures.draw_columns(networks), figures.describe_columns(networks)
        else:
            panels = figures.sparsity_panels(statistics)
            figure, words = figures.draw_layers(panels), figures.describe_layers(panels)
        suffix: Any = Path(outputs[option].path).suffix.lower()[1:]
        outputs[option].write(as_bytes(figure, suffix))
        outputs[option].say_written()
        print_note(f"in words, for those who cannot see it: {words}")


features_command.__doc__ = HELP
