"""From any checkpoint that can be read to our safetensors with its metadata header."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lst_robust.errors import UsageError
from lst_robust.models.checkpoint import checkpoint_sha256, read_metadata, save_checkpoint
from lst_robust.models.factory import create_model
from lst_robust.weights import resolved

OF_THE_FILE = {"format", "model", "num_classes", "image_size", "options"}  # in its header


def convert_checkpoint(
    source: str | Path,
    destination: str | Path,
    model: str,
    *,
    num_classes: int | None = None,
    classes: Sequence[str] | None = None,
    **options: Any,
) -> Path:
    """Load `source` strictly into `model` and write it to `destination` (.safetensors); returns that path.

    The header gets the source's file name and SHA-256, or those of the file that the source was itself made of, and
    `classes` when they are given (they then set num_classes).
    What the header of a file of ours says of its training stays.

    Raises:
        UsageError: the destination does not end in .safetensors, or classes and num_classes contradict each other.
        CheckpointError: the source cannot be read or does not fit.
    """
    if Path(destination).suffix != ".safetensors":
        raise UsageError(f"{destination}: the converted file must end in .safetensors")
    if classes is not None:
        if num_classes not in (None, len(classes)):
            raise UsageError(f"{len(classes)} class names for {num_classes} classes: give one of the two")
        if len(set(classes)) < len(classes):
            raise UsageError("a class is named twice: give each class a name of its own")
        num_classes = len(classes)
    network = create_model(model, num_classes, source, **options)
    facts = {key: value for key, value in read_metadata(source).items() if key not in OF_THE_FILE}
    facts |= {} if classes is None else {"classes": list(classes)}
    if "source_sha256" not in facts:  # a file that was converted before names its origin already
        facts |= {"source": resolved(Path(source)).name, "source_sha256": checkpoint_sha256(source)}
    return save_checkpoint(network, destination, **facts)
