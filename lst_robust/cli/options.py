"""Options that several commands share. Precedence: flag, then environment (LST_ROBUST_*), then suite, then default."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import typer

from lst_robust.benchmark import SEVERITIES, corruption_sets
from lst_robust.errors import UsageError

T = TypeVar("T")
CLUSTER = "Tasks on several processes or machines"  # heading of the options in the help


def _suite_names() -> list[str]:
    """For the Tab key."""
    from lst_robust.suites import suite_names

    return suite_names()


def _model_names() -> list[str]:
    """For the Tab key: those in the table of counts, because the registry of all would import torch."""
    rows = (Path(__file__).parents[1] / "models" / "counts.csv").read_text(encoding="utf-8").splitlines()[1:]
    return sorted({row.partition(",")[0] for row in rows})


Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        envvar="LST_ROBUST_MODEL",
        help="Model name, see `lst-robust models`, or another's network, such as timm:NAME or hf:OWNER/NAME.",
        autocompletion=_model_names,
    ),
]
ModelWords = Annotated[
    list[str],
    typer.Option(
        "--model",
        "-m",
        envvar="LST_ROBUST_MODEL",
        help="Model name, see `lst-robust models`; a pattern such as 'timm:resnet*'; @FILE with a model a line. May be "
        "repeated: each image is then corrupted once for all.",
        autocompletion=_model_names,
    ),
]
Suite = Annotated[
    str,
    typer.Option(
        "--suite",
        "-s",
        envvar="LST_ROBUST_SUITE",
        help="Name of a suite, or a YAML file.",
        autocompletion=_suite_names,
    ),
]
SuiteOrAll = Annotated[
    str | None,
    typer.Option(
        "--suite",
        "-s",
        envvar="LST_ROBUST_SUITE",
        help="Name or YAML file.  [default: all]",
        autocompletion=_suite_names,
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", help="Only this one, such as lst18 or lst18@seed1; may be repeated."),
]
Published = Annotated[
    list[str] | None,
    typer.Option(
        "--published",
        metavar="SET",
        help="Also show other people's results: robustbench, testbed, paper or hendrycks; may be repeated.",
    ),
]
Match = Annotated[
    list[str] | None,
    typer.Option(
        "--match",
        metavar="PATTERN",
        help="Of these results only the models whose name fits, such as 'resnet*'; may be repeated.",
    ),
]
Normaliser = Annotated[
    str,
    typer.Option(
        "--normaliser",
        envvar="LST_ROBUST_NORMALISER",
        help="suite, none, a YAML file, or alexnet-imagenet-c, alexnet-testbed-on-disk, alexnet-testbed-in-memory.",
    ),
]


def folder(text: str) -> Path:
    """A path in which ~ is the home folder, as in a shell. An empty text, as of a variable that is not set, would mean
    the current folder."""
    if not text:
        raise typer.BadParameter("it is empty: give a folder, or . for this one")
    return Path(os.path.expanduser(text))


def unless_environment(context: typer.Context, name: str, value: T) -> T | None:
    """The value of an option; None where it comes from the environment. That speaks to all commands, so what means
    nothing to one of them is ignored, and not refused."""
    source = context.get_parameter_source(name)
    return None if source is not None and source.name == "ENVIRONMENT" else value


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="FOLDER",
        parser=folder,
        envvar="LST_ROBUST_DATA_DIR",
        help="Folder of the images, for suites that need one; or shards, such as 'val-{00..63}.tar'.",
    ),
]


def of_official_files(context: typer.Context, suite: str, corrupted_dir: Path | None) -> Path | None:
    """--corrupted-dir, but not that of the environment for a suite that makes its corrupted images."""
    from lst_robust.suites import load_suite

    official = corrupted_dir is None or load_suite(suite).protocol == "official"
    return corrupted_dir if official else unless_environment(context, "corrupted_dir", corrupted_dir)


CorruptedDir = Annotated[
    Path | None,
    typer.Option(
        "--corrupted-dir",
        metavar="FOLDER",
        parser=folder,
        envvar="LST_ROBUST_CORRUPTED_DIR",
        help="Folder of the official corrupted images, for suites that take them.  [default: in --data-dir]",
    ),
]
ResultsDir = Annotated[
    Path,
    typer.Option(
        "--results-dir",
        metavar="FOLDER",
        parser=folder,
        envvar="LST_ROBUST_RESULTS_DIR",
        help="Where records and checkpoints are kept.",
    ),
]
Corruptions = Annotated[
    str | None,
    typer.Option(
        "--corruptions",
        envvar="LST_ROBUST_CORRUPTIONS",
        help="Names or groups, with commas.  [default: the suite's, or all]",
    ),
]
Severities = Annotated[
    str | None,
    typer.Option(
        "--severities", envvar="LST_ROBUST_SEVERITIES", help="Such as 1,3 or 1-5.  [default: the suite's, or all]"
    ),
]
NoiseSeed = Annotated[
    int | None,
    typer.Option(
        "--seed", envvar="LST_ROBUST_SEED", help="Seed of the corruptions' noise.  [default: the suite's, or 0]"
    ),
]
Preprocess = Annotated[
    Literal["suite", "model"] | None,
    typer.Option(
        "--preprocess",
        envvar="LST_ROBUST_PREPROCESS",
        help="suite: all networks see the same pixels; model: resize, crop and size as the network's library states.  "
        "[default: suite's]",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        "-j",
        envvar="LST_ROBUST_WORKERS",
        help="Threads that decode, corrupt and feed the network.  [default: all cores]",
    ),
]
Device = Annotated[str, typer.Option("--device", envvar="LST_ROBUST_DEVICE", help="auto, cpu, cuda or cuda:N.")]
Json = Annotated[bool, typer.Option("--json/--no-json", help="Print JSON on stdout and nothing else there.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="An option of the model, such as tau=1e-3; may be repeated."),
]
SkipUnreadable = Annotated[
    bool,
    typer.Option(
        "--skip-unreadable/--no-skip-unreadable",
        envvar="LST_ROBUST_SKIP_UNREADABLE",
        help="Leave out images that cannot be decoded, and say so, instead of refusing.",
    ),
]
Engine = Annotated[
    Literal["auto", "cpu", "torch"],
    typer.Option(
        "--engine",
        envvar="LST_ROBUST_ENGINE",
        help="What corrupts the images: the CPU's engine, or torch's on the device. auto: torch's where `lst-robust "
        "engines` has measured that it is faster.",
    ),
]
AMP_WORDS = {"1": "yes", "true": "yes", "on": "yes", "0": "no", "false": "no", "off": "no"}


def _amp(text: str) -> str:
    """Also the words of a switch, for LST_ROBUST_AMP=1."""
    word = AMP_WORDS.get(text.lower(), text.lower())
    if word not in ("auto", "bf16", "fp16", "yes", "no"):
        raise typer.BadParameter(f"it is {text!r}: choose auto, bf16, fp16 or no")
    return word


Amp = Annotated[
    str,
    typer.Option(
        "--amp",
        metavar="<auto|bf16|fp16|no>",
        parser=_amp,
        envvar="LST_ROBUST_AMP",
        help="Mixed precision: faster on CUDA, rounds differently. auto: on CUDA bf16, or fp16 on a card without bf16; "
        "none on a CPU.",
    ),
]
Compile = Annotated[
    Literal["no", "default", "reduce-overhead", "max-autotune"],
    typer.Option(
        "--compile",
        envvar="LST_ROBUST_COMPILE",
        help="Compile the network by this mode of torch.compile, which needs a C++ compiler and some minutes; "
        "reduce-overhead records CUDA graphs.",
    ),
]
On = Annotated[
    Literal["local", "slurm", "ray"] | None,
    typer.Option(
        "--on",
        envvar="LST_ROBUST_ON",
        help="Work by tasks on processes of this machine, on Slurm (extra slurm) or on Ray (extra ray).",
        rich_help_panel=CLUSTER,
    ),
]
TasksAtOnce = Annotated[
    int | None,
    typer.Option(
        "--tasks-at-once",
        envvar="LST_ROBUST_TASKS_AT_ONCE",
        help="Workers: how many tasks run at a time.  [default: local: CUDA devices, or 2; slurm: 16; ray: all it has]",
        rich_help_panel=CLUSTER,
    ),
]
GpusPerWorker = Annotated[
    int | None,
    typer.Option(
        "--gpus-per-worker",
        envvar="LST_ROBUST_GPUS_PER_WORKER",
        help="CUDA devices of each.  [default: local: 1 where there is one; slurm, ray: 0]",
        rich_help_panel=CLUSTER,
    ),
]
SlurmOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--slurm",
        metavar="KEY=VALUE",
        help="An option of sbatch, such as partition=gpu, time=240 (minutes), cpus_per_task=8; may be repeated.",
        rich_help_panel=CLUSTER,
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        envvar="LST_ROBUST_RAY_ADDRESS",
        help="Of a Ray cluster, such as auto or 10.0.0.1:6379.  [default: RAY_ADDRESS, or this machine]",
        rich_help_panel=CLUSTER,
    ),
]


def means_several(model: str) -> bool:
    """Whether a word for a model may mean more than one: a pattern or a file of models."""
    from lst_robust.models.patterns import is_pattern

    return model.startswith("@") or is_pattern(model)


def parse_corruptions(text: str | None) -> tuple[str, ...] | None:
    """ "fog,noise" -> names; groups stand for their members, "all" and "standard" for 19 and 15, "own" for those from
    outside. None stays None."""
    if text is None:
        return None
    sets = corruption_sets()
    names = [name.strip() for name in text.split(",") if name.strip()]
    return tuple(dict.fromkeys(member for name in names for member in sets.get(name, (name,))))


def parse_severities(text: str | None) -> tuple[int, ...] | None:
    """ "1,3-5" -> (1, 3, 4, 5). None stays None; UsageError for what is not a number from 1 to 5."""
    if text is None:
        return None
    severities: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        try:
            first, last = int(low), int(high if dash else low)
        except ValueError:
            raise UsageError(f"severities {text!r}: give numbers and ranges such as 1,3 or 1-5") from None
        for severity in (first, last):  # before the range is written out
            if severity not in SEVERITIES:
                raise UsageError(f"severity {severity} is outside 1..5: choose from 1, 2, 3, 4, 5")
        if last < first:
            raise UsageError(f"severities {text!r}: give the smaller number first, as in {last}-{first}")
        severities += range(first, last + 1)
    return tuple(severities)


def parse_share(text: str | None) -> tuple[int, int] | None:
    """ "0/8" -> (0, 8): the first of eight. None stays None; UsageError for anything else."""
    if text is None:
        return None
    number, _, count = (part.strip() for part in text.partition("/"))
    numbers = all(part.isdecimal() and part.isascii() and len(part) < 10 for part in (number, count))
    if numbers and int(number) < int(count):
        return int(number), int(count)
    raise UsageError(f"--shard {text!r}: give I/N with I from 0 to N - 1, such as 0/8, 1/8, ... 7/8")


def parse_options(pairs: list[str] | None) -> dict[str, str] | None:
    """["stem=3x3s1", "tau=1e-3"] -> model options as texts: the model knows their types. None when there is none.

    UsageError for what is no KEY=VALUE, and for a key that is given twice.
    """
    return dict(parse_pairs("--set", pairs, "stem=3x3s1")) if pairs else None


def parse_pairs(option: str, pairs: list[str] | None, example: str) -> dict[str, str]:
    """The KEY=VALUE of an option that may be repeated; UsageError for what is none, and for a key that is given
    twice."""
    found: dict[str, str] = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{option} {pair!r}: give KEY=VALUE, such as {example}")
        key, value = key.strip(), value.strip()
        if key in found:
            raise UsageError(f"{option} gives {key} two values, {found[key]!r} and {value!r}: give one of them")
        found[key] = value
    return found
