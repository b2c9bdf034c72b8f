"""`lst-robust convert`: other people's checkpoints as safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import lst_robust  # whose names are imported when they are used: --help does not wait for torch
from lst_robust.cli import options as opt
from lst_robust.cli.console import print_json, print_line
from lst_robust.runtime.files import check_output

HELP = """Load a checkpoint strictly into a model and write it as safetensors, with its origin in the header.

SRC is a safetensors file, a state dict of torchvision's, or one of the LST-Net or CBAM authors' releases or timm's
SE-ResNet naming, for the models they fit. Files with code in them are refused.

**Examples**

- `lst-robust convert model_best.pth.tar lst20.safetensors --model lst20`
- `lst-robust convert resnet18-f37072fd.pth resnet18.safetensors --model resnet18`
- `lst-robust convert mine.pth mine.safetensors -m resnet18 --classes cat,dog --set stem=3x3s1`
"""


def convert_command(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="The checkpoint to read, or published:NAME.")],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="The .safetensors file to write.")],
    model: opt.Model,
    num_classes: Annotated[
        int | None, typer.Option("--num-classes", help="Outputs of the network.  [default: the model's own]")
    ] = None,
    classes: Annotated[
        str | None, typer.Option("--classes", help="Names of the classes in the network's order, with commas.")
    ] = None,
    set_: opt.Set = None,
    json: opt.Json = False,
) -> None:
    check_output("DST", destination, regular=True)
    names = None if classes is None else [name.strip() for name in classes.split(",")]
    options = opt.parse_options(set_) or {}
    path = lst_robust.convert_checkpoint(source, destination, model, num_classes=num_classes, classes=names, **options)
    if json:
        print_json({"checkpoint": str(path), "model": model, "sha256": lst_robust.checkpoint_sha256(path)})
    else:
        print_line(str(path))


convert_command.__doc__ = HELP
