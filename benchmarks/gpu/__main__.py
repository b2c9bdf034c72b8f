"""What the tool does on a GPU: is it right, and how fast is it?

    python -m benchmarks.gpu                                  # everything; made for 8 minutes on one card, not measured
    python -m benchmarks.gpu --device cpu --quick             # a little of everything, where there is no GPU

Correctness comes first: each corruption of the torch engine against the plain definition, and the records of two
networks, CPU against device and half precision against full. Then speed: corrupted images a second at 32 and 224
pixels beside all cores of the host, evaluations beside pure forward passes, trainings of LST-Nets beside ResNets. The
file is written after each part, so what is finished is kept. docs/gpu.md says how to run it without the internet.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.endings import one_line_errors
from benchmarks.gpu import correctness, corruption_speed, evaluation_speed, table, training_speed
from benchmarks.gpu.scale import FULL, QUICK, Scale
from lst_robust._version import __version__
from lst_robust.corruptions import ENGINE_VERSION
from lst_robust.errors import UsageError
from lst_robust.runtime.cores import available_cores
from lst_robust.runtime.devices import device_name, resolve_device
from lst_robust.runtime.files import check_output
from lst_robust.torch_engine import ENGINE_VERSION as TORCH_ENGINE_VERSION

PARTS: dict[str, Callable[[torch.device, Scale], Any]] = {
    "fidelity": correctness.fidelity,
    "records": correctness.records,
    "corruptions": lambda device, scale: list(corruption_speed.speeds(device, scale)),
    "evaluations": lambda device, scale: list(evaluation_speed.evaluations(device, scale)),
    "trainings": lambda device, scale: list(training_speed.trainings(device, scale)),
}


def environment(device: torch.device, quick: bool) -> dict[str, Any]:
    """What the figures belong to."""
    return {
        "device": device_name(device),
        "quick": quick,
        "host": platform.processor() or platform.machine(),
        "host_cores": available_cores(),
        "lst_robust": __version__,
        "engines": {"lst-robust": ENGINE_VERSION, "lst-robust-torch": TORCH_ENGINE_VERSION},
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="cuda, cuda:1, or cpu to try the program")
    parser.add_argument("--quick", action="store_true", help="a little of everything: whether it works, not how fast")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--out", type=Path, help="default: build/gpu/gpu-<card>.json, and a table beside it")
    options = parser.parse_args()
    try:
        device = resolve_device(options.device)
    except UsageError as error:
        parser.error(f"{error}; --device cpu --quick tries the program without a GPU")
    if device.type == "cpu" and not options.quick:
        parser.error("there is no GPU here: take --device cpu --quick to try the program")
    short_name = re.sub(r"[^a-z0-9]+", "-", device_name(device).lower()).strip("-")
    out: Path = options.out or Path("build/gpu") / f"gpu-{short_name}.json"
    with one_line_errors():
        out.parent.mkdir(parents=True, exist_ok=True)
        for file in (out, out.with_suffix(".md")):
            check_output("--out", file, regular=True)
        measure(options.parts, device, QUICK if options.quick else FULL, out, quick=options.quick)


def measure(parts: Sequence[str], device: torch.device, scale: Scale, out: Path, *, quick: bool) -> None:
    """Measures the parts, and writes the file after each of them and the tables at the end."""
    found: dict[str, Any] = {"environment": environment(device, quick), "seconds": {}}
    evaluation_speed.register_crops()
    for part in parts:
        print(f"{part} ...", end=" ", file=sys.stderr, flush=True)
        started = time.perf_counter()
        found[part] = PARTS[part](device, scale)
        found["seconds"][part] = round(time.perf_counter() - started, 1)
        print(f"{found['seconds'][part]:.0f} s", file=sys.stderr)
        write(out, json.dumps(found, indent=1) + "\n")
    text = table.text(found)
    write(out.with_suffix(".md"), text)
    print(text)


def write(path: Path, content: str) -> None:
    """Whole, under another name first."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(content)
    beside.replace(path)


if __name__ == "__main__":
    main()
