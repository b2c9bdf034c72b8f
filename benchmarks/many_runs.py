"""Results of many networks that nobody measured, to see what a table and a report of thousands of runs need.

    python benchmarks/many_runs.py FOLDER                                # 1,000 networks, 96 cells, 5,000 images
    python benchmarks/many_runs.py FOLDER --networks 50 --images 400
    /usr/bin/time -v lst-robust table --results-dir FOLDER --suite imagenet-c-jpeg --format csv --out table.csv

Each network is a run of `imagenet-c-jpeg` as `lst-robust eval` leaves it: one `run.parquet`, with the predicted class
and the confidence of every image. An image is as hard for all networks, as real ones are, and a cell is harder the
higher its severity. A run of 5,000 images takes 1.2 MB, so 1,000 of them take 1.2 GB. The same arguments write the
same files. What is there already is left as it is.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, SEVERITIES, Cell
from lst_robust.records.confidence import Outcomes
from lst_robust.records.packed import packed_run
from lst_robust.records.packed_files import PACKED
from lst_robust.records.record import ModelIdentity, Protocol, Provenance, Record, Run, make_record
from lst_robust.records.run_file import RunFile
from lst_robust.records.store import Store
from lst_robust.runtime.files import write_output
from lst_robust.suites import Suite, load_suite

SUITE, CLASSES, PROBES = "imagenet-c-jpeg", 1000, 4
CELLS = (CLEAN_CELL, *(Cell(name, severity) for name in CORRUPTIONS for severity in SEVERITIES))
PROVENANCE = Provenance(
    versions={"lst_robust": "0.2.0", "torch": "2.9.0", "numpy": "2.3.0", "python": "3.12"},
    git_revision=None,
    device="cpu",
    transform="resize 256, crop 224",
    seconds=60.0,
    images_per_second=80.0,
    finished="2026-01-01T00:00:00+00:00",
)


def protocol(suite: Suite, images: int) -> Protocol:
    return Protocol(
        suite=suite.name,
        suite_version=suite.version,
        suite_digest=suite.digest(),
        protocol=suite.protocol,
        data="synthetic",
        images="5" * 16,
        n=images,
        image_size=suite.image_size,
        preset="imagenet",
        style="hendrycks",
        engine="lst-robust 1",
        seed=0,
        preprocess="suite",
        pixels="7" * 16,
    )


def records(run: Run, number: int) -> dict[Cell, Record]:
    """All cells of one network. number: of the network, which decides how good it is and what it gets wrong."""
    n = run.protocol.n
    shared, own = np.random.default_rng(0), np.random.default_rng([1, number])
    labels, easy = shared.integers(CLASSES, size=n), shared.normal(1, 1, size=n)
    hardness = dict(zip(CORRUPTIONS, shared.uniform(0.2, 0.5, size=len(CORRUPTIONS)), strict=True))
    skill, taste = own.normal(0.3, 0.3), own.normal(0, 0.6, size=n)
    confused = own.integers(CLASSES, size=(4, n))  # the wrong classes that this network mistakes each image for
    found = {}
    for cell in CELLS:
        margin = easy + taste + skill - cell.severity * hardness.get(cell.corruption, 0.0) + own.normal(0, 0.5, size=n)
        correct = margin > 0
        wrong = confused[own.integers(4, size=n), np.arange(n)]
        wrong = np.where(wrong == labels, (wrong + 1) % CLASSES, wrong)
        confidence = 1 / (1 + np.exp(-np.abs(margin)))
        brier = np.where(correct, (1 - confidence) ** 2, 1 + confidence**2) / 1.1
        outcomes = Outcomes(correct, margin > -1, confidence, brier, np.where(correct, labels, wrong))
        found[cell] = make_record(run, cell, outcomes, PROVENANCE)
    return found


def write_run(number: int, results: Path, images: int) -> None:
    """The run of one network, unless it is there."""
    identity = ModelIdentity(name=f"net{number:04d}", checkpoint_sha256=f"{number:064x}")
    answers = np.random.default_rng([2, number]).normal(size=(PROBES, CLASSES)).astype(np.float32)
    run_file = RunFile.of(Run(protocol(load_suite(SUITE), images), identity), answers)
    path = Store(results).run_folder(run_file.run) / PACKED
    if not path.exists():
        write_output(path, packed_run(run_file, records(run_file.run, number)))


def write_runs(results: Path, networks: int, images: int, processes: int = 1) -> None:
    """As many runs below a results folder; see the top of this file."""
    if processes == 1:
        for number in range(networks):
            write_run(number, results, images)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        pool.map(partial(write_run, results=results, images=images), range(networks), chunksize=8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the results folder")
    parser.add_argument("--networks", type=int, default=1000)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    write_runs(given.folder, given.networks, given.images, given.processes)
    size = sum(path.stat().st_size for path in given.folder.rglob(PACKED))
    print(f"{given.folder}: {given.networks} networks, {size / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
