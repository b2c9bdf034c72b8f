"""How a number came about, for its record: versions, device, time."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import PIL
import torch

from lst_robust._version import __version__
from lst_robust.evaluation.inference import InferenceSettings
from lst_robust.records.record import Provenance, utc_now
from lst_robust.runtime.devices import device_name


def provenance(settings: InferenceSettings, transform: str, seconds: float, n: int) -> Provenance:
    """transform: from an image file to the network's input, in words; seconds: for the n images of a cell."""
    return Provenance(
        versions={
            "lst_robust": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "pillow": PIL.__version__,  # they decode, scale and corrupt the images
            "opencv": cv2.__version__,
            "python": platform.python_version(),
        },
        git_revision=_git_revision(),
        device=", ".join([device_name(settings.device), *settings.notes]),
        transform=transform,
        seconds=round(seconds, 4),
        images_per_second=round(n / seconds, 1),
        finished=utc_now(),
    )


@cache
def _git_revision() -> str | None:
    """Revision of the checkout this package runs from; None when it is installed elsewhere, such as in an environment
    within somebody's own repository."""
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        return _git("describe", "--always", "--dirty", "--exclude=*") or None
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*words: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
