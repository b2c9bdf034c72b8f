r"""What `lst-robust corrupt` needs for all 95 cells: seconds, and the memory of its processes.

    python -m benchmarks.corrupt_command --cifar cifar10-jpeg/test --imagenet photographs \
        --csv results/published/corrupt_command.csv

1,000 images of 32 pixels become arrays as CIFAR-10-C's, and 100 photographs become JPEG files as ImageNet-C's, by two
worker processes. The command runs once before it is measured, so that the kernels are compiled and the files are in
the system's cache. Seconds are of the wall clock, with the start of the program. Memory is the largest sum over all
processes of what each has for itself and its share of what they share (proportional set size, Linux only).
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd

from benchmarks.endings import one_line_errors
from lst_robust.errors import UsageError

LOOK = 0.05  # seconds between two looks at the memory
PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)
SUFFIXES = {".jpg", ".jpeg", ".png"}
FORMS = {  # what becomes of the images, how many, and the options
    "CIFAR images, npy": (1000, ["--format", "npy", "--preset", "cifar", "--size", "keep"]),
    "photographs, JPEG files": (100, ["--format", "tree"]),
}


def sample(source: Path, count: int, folder: Path) -> None:
    """Links to `count` images below source, evenly spread over the classes, in a tree of the same form."""
    files = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
    if len(files) < count:
        raise UsageError(f"{source} has {len(files)} images: give a folder with {count} at least")
    for number in range(count):
        path = files[number * len(files) // count]
        link = folder / path.relative_to(source)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.resolve())


def measured(source: Path, target: Path, options: list[str]) -> tuple[float, float]:
    """Seconds and megabytes of one call."""
    command = [sys.executable, "-m", "lst_robust", "corrupt", str(source), str(target), "--workers", "2", *options]
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        most = 0
        while process.poll() is None:
            most = max(most, memory(process.pid))
            time.sleep(LOOK)
    if process.returncode:
        raise UsageError(f"`{' '.join(command)}` ended with exit code {process.returncode}: call it to see why")
    return time.perf_counter() - started, most / 1e6


def memory(session: int) -> int:
    """Bytes of all processes of a session."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            if os.getsid(int(folder.name)) == session:
                found = PSS.search((folder / "smaps_rollup").read_text())
                total += 1024 * int(found[1]) if found else 0
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, required=True, help="folder of 1,000 images of 32 pixels, in classes")
    parser.add_argument("--imagenet", type=Path, required=True, help="folder of 100 photographs, in classes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--csv", type=Path, help="file for the rows")
    options = parser.parse_args()
    rows = []
    with one_line_errors(), tempfile.TemporaryDirectory() as folder:
        for source, (form, (count, how)) in zip((options.cifar, options.imagenet), FORMS.items(), strict=True):
            images = Path(folder) / form
            sample(source, count, images)
            measured(images, Path(folder) / f"{form}, warm", how)
            for number in range(options.rounds):
                seconds, megabytes = measured(images, Path(folder) / f"{form} {number}", how)
                rows.append({"form": form, "images": count, "seconds": seconds, "peak_megabytes": megabytes})
                print(f"{form}: {seconds:.2f} s, {megabytes:.0f} MB", flush=True)
        if options.csv:
            pd.DataFrame(rows).round(3).to_csv(options.csv, index=False)


if __name__ == "__main__":
    main()
