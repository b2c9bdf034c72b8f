"""What k networks in one call cost, beside k calls and beside what cannot be saved.

    python benchmarks/many.py --data-dir imagenet                  # val/<wnid>/*.JPEG
    python benchmarks/many.py                                      # crops of a photograph

Each round measures, in turns from the first or from the last: the networks in one call of `lst_robust.evaluate_many`;
each in a call of its own; all images of all cells loaded and corrupted once; the forward passes of each network over
images in memory. Then: one call over k calls, and one call over (forward passes + 1.1 times one corruption), which
shall be at most 1. Every call runs in a process of its own, so that the peak of its memory is its own. The clock starts
when everything is imported, which k calls would do k times. The weights are random: the time does not depend on them.
The records of both ways are compared. Written to results/published/many.csv.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

import lst_robust
from lst_robust.evaluation.cell_images import open_cell_images
from lst_robust.evaluation.chunks import CHUNK_BYTES, loaded_chunks
from lst_robust.evaluation.inference import InferenceRunner, InferenceSettings
from lst_robust.evaluation.request import EvalRequest
from lst_robust.models.optimize import optimize_for_inference
from lst_robust.records.store import Store
from lst_robust.runtime.allocator import keep_memory_mapped

SUITE = "imagenet-c-generated"
TABLE = Path(__file__).parents[1] / "results" / "published" / "many.csv"


def photograph_crops(folder: Path, n: int) -> None:
    """val/<wnid>/ with n crops of 256 pixels of a photograph that ships with scikit-image."""
    from skimage.data import astronaut

    picture, rng = astronaut(), np.random.default_rng(0)
    for i in range(n):
        y, x = rng.integers(0, 512 - 256, 2)
        path = folder / "val" / "n01440764" / f"{i:05d}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture[y : y + 256, x : x + 256]).save(path, quality=95)


def networks(names: list[str]) -> list[torch.nn.Module]:
    return [network(name) for name in names]


def network(name: str) -> torch.nn.Module:
    torch.manual_seed(0)  # before each, so that it has the same weights alone
    return lst_robust.create_model(name, 1000, image_size=224).eval()


def evaluate(names: list[str], asked: dict, results: Path) -> None:
    lst_robust.evaluate_many(networks(names), SUITE, results_dir=results, **asked)


def corrupt(names: list[str], asked: dict, results: Path) -> None:
    """Loads and corrupts all images of all cells once."""
    request = EvalRequest.of(networks(names[:1])[0], SUITE, results_dir=results, **asked)
    images = open_cell_images(request)
    n, most = len(images.clean), CHUNK_BYTES // (224 * 224 * 3)
    chunks = [range(start, min(start + most, n)) for start in range(0, n, most)]
    for cell in request.cells():
        for _ in loaded_chunks(images.loader(cell), chunks, 224, request.workers, ahead=False):
            pass


def forward(names: list[str], asked: dict, results: Path) -> None:
    """As many forward passes as the evaluation makes, over images in memory."""
    [network] = networks(names)
    request = EvalRequest.of(network, SUITE, results_dir=results, **asked)
    clean = open_cell_images(request).clean
    images = clean.read(range(len(clean)), request.workers)
    settings = InferenceSettings(request.device, request.batch_size, request.workers)
    runner = InferenceRunner(optimize_for_inference(network), request.suite.pixels, 1000, settings, 224)
    for _ in request.cells():
        for _ in runner.outcomes(lambda some: images[some.start : some.stop], clean.labels):
            pass


def measured(
    work: Callable[[], None], warm_up: Callable[[], None], threads: int, send: Callable[[object], None]
) -> None:
    """Sends (wall seconds, processor seconds, peak in MB) of `work`. `warm_up` comes before, which imports everything
    and loads the compiled kernels. The peak is Linux's own of this program: what `resource` says may be that of the
    process which started it."""
    torch.set_num_threads(threads)
    keep_memory_mapped()
    warm_up()
    started, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    send((wall, cpu, int(peak.split()[1]) / 1024))


def in_a_process(work: Callable[[], None], warm_up: Callable[[], None], threads: int) -> tuple[float, float, float]:
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=measured, args=(work, warm_up, threads, send.send))
    process.start()
    found = receive.recv()
    process.join()
    return found


def outcomes(results: Path) -> dict[tuple[str, str], str]:
    """The records below a folder as text, without the times."""
    return {
        (run.digest, cell.name): record.model_copy(update={"provenance": None}).model_dump_json()
        for run, records in Store(results).scan(None, predictions=True)
        for cell, record in records.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["resnet18", "mobilenetv2", "alexnet"])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--severities", type=int, nargs="+", default=[3])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    names, rows = options.models, []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if options.data_dir is None:
            photograph_crops(folder / "data", options.images)
        asked = {
            "data_dir": options.data_dir or folder / "data",
            "limit": options.images,
            "severities": options.severities,
            "workers": options.threads,
            "device": "cpu",
        }
        work = {
            "together": partial(evaluate, names, asked),
            **{f"alone {name}": partial(evaluate, [name], asked) for name in names},
            "corruption": partial(corrupt, names, asked),
            **{f"forward {name}": partial(forward, [name], asked) for name in names},
        }
        warm_up = partial(evaluate, names, asked | {"limit": 1, "overwrite": True}, folder / "warm-up")
        in_a_process(warm_up, warm_up, options.threads)  # compiles the kernels
        for number in range(options.rounds):
            for side in list(work)[:: -1 if number % 2 else 1]:
                results = folder / f"{side.split()[0]}-{number}"
                wall, cpu, peak = in_a_process(partial(work[side], results), warm_up, options.threads)
                rows.append({"round": number, "side": side, "wall": wall, "cpu": cpu, "peak_mb": peak})
                print(f"round {number}: {side}: {wall:.1f} s, {cpu:.1f} s of processor time, {peak:.0f} MB", flush=True)
            first, second = outcomes(folder / f"together-{number}"), outcomes(folder / f"alone-{number}")
            print(f"{len(first)} records, equal to those one by one: {first == second}")
            if first != second or not first:
                raise SystemExit("the records differ")
    table = pd.DataFrame(rows)
    table["kind"] = table["side"].str.split().str[0]
    summary = []
    for clock in ("wall", "cpu"):
        sums = table.pivot_table(index="round", columns="kind", values=clock, aggfunc="sum")
        bound = sums["forward"] + 1.1 * sums["corruption"]
        for what, ratio in (
            ("one call / k calls", sums["together"] / sums["alone"]),
            ("one call / (forward passes + 1.1 corruption)", sums["together"] / bound),
        ):
            summary.append(
                {
                    "what": what,
                    "clock": clock,
                    "median": statistics.median(ratio),
                    "least": ratio.min(),
                    "most": ratio.max(),
                }
            )
    peaks = table.groupby("kind")["peak_mb"].max()
    for kind in ("together", "alone"):
        summary.append(
            {
                "what": f"peak memory, {kind} (MB)",
                "clock": "",
                "median": peaks[kind],
                "least": peaks[kind],
                "most": peaks[kind],
            }
        )
    found = pd.DataFrame(summary).assign(
        networks=" ".join(names),
        images=options.images,
        cells=1 + 19 * len(options.severities),
        rounds=options.rounds,
        threads=options.threads,
    )
    found.round(4).to_csv(TABLE, index=False)
    print(found.round(3).to_string())


if __name__ == "__main__":
    main()
