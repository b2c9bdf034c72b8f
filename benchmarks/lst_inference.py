"""How fast LST-Nets infer with vectors of each width, against ResNets, and what each kind of bottleneck reaches.

    python -m benchmarks.lst_inference --out results/published/lst_inference.csv

Networks: the medians and quartiles of benchmarks/lst_speed.py. Layers: one bottleneck on one image that lies in the
caches, one thread, CPU seconds, the lower quartile of the rounds; GMAC/s are multiply-adds by definition, in billions a
second. Peak: what the core does with sums in registers alone. `--parts` measures some of them anew and leaves the other
rows.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import torch

from lst_robust.models.lst.blocks import LSTII, LSTOptions
from lst_robust.models.lst.folded import InferenceLSTII
from lst_robust.models.lst.kernels.inference import CompiledChain, CompiledLSTII
from lst_robust.models.lst.kernels.library import KERNEL_FLAGS, SOURCES, WIDTHS, compiler_path, kernels_ready
from lst_robust.runtime.allocator import keep_memory_mapped
from lst_robust.runtime.switches import LST_VECTORS

HERE = Path(__file__).parent
# what makes torch's own convolutions do without AVX-512
WITHOUT_AVX512 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
# network, floats in LST's vectors, whether torch may use AVX-512
NETWORKS = [
    ("lst20", 16, True),
    ("lst56", 16, True),
    ("lst18", 16, True),
    ("lst20", 8, False),
    ("lst56", 8, False),
    ("lst18", 8, False),
    ("lst20", 8, True),
]
# size, inputs, planes, stride, input groups
LAYERS = [
    (32, 16, 16, 1, 1),
    (32, 64, 16, 1, 4),
    (32, 64, 32, 2, 4),
    (16, 128, 32, 1, 4),
    (16, 128, 64, 2, 4),
    (8, 256, 64, 1, 4),
    (56, 256, 64, 1, 4),
    (28, 512, 128, 1, 4),
    (14, 1024, 256, 1, 4),
    (7, 2048, 512, 1, 4),
]


def network(name: str, width: int, avx512: bool, rounds: int) -> dict:
    command = [
        sys.executable,
        str(HERE / "lst_speed.py"),
        "--nets",
        name,
        "--mode",
        "inference",
        "--allocator",
        "--json",
    ]
    command += ["--threads", "1", "--clock", "cpu", "--rounds", str(rounds)]
    environment = os.environ | {LST_VECTORS: str(width)} | ({} if avx512 else WITHOUT_AVX512)
    (record,) = json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    ratio = record["ours_over_resnet"]
    return {
        "part": "networks",
        "what": name,
        "vectors": width,
        "torch": "AVX-512" if avx512 else "AVX2",
        "threads": 1,
        "images_per_second": record["images_per_second"]["ours"],
        "resnet_images_per_second": record["images_per_second"]["resnet"],
        "of_resnet": ratio["median"],
        "low": ratio["low"],
        "high": ratio["high"],
        "of_authors": record["ours_over_authors"]["median"],
        "mac_ratio": record["mac_ratio_to_resnet"],
    }


def layer(size: int, inputs: int, planes: int, stride: int, groups: int, rounds: int) -> dict:
    torch.manual_seed(0)
    block = InferenceLSTII(LSTII(inputs, planes, stride, LSTOptions(), groups).eval())
    x = torch.randn(1, inputs, size, size).contiguous(memory_format=torch.channels_last)
    compiled, seconds = block.compiled, []
    assert isinstance(compiled, CompiledLSTII)
    times = 10 if block.shortcut is None else 1  # one behind the other, so that calling costs little
    chain = CompiledChain([compiled] * times)
    with torch.inference_mode():
        for _ in range(rounds):
            started = time.process_time()
            for _ in range(20 // times):
                chain(x)
            seconds.append((time.process_time() - started) / 20)
    out = (size - 1) // stride + 1
    macs = size**2 * (inputs + planes) * planes + out**2 * 4 * planes * 9
    took = statistics.quantiles(seconds, n=4)[0]
    name = f"{size} px, {inputs} to {planes} to {4 * planes}" + (", stride 2" if stride == 2 else "")
    return {"part": "layers", "what": name, "microseconds": round(took * 1e6, 1), "gmacs": round(macs / took * 1e-9, 1)}


def peak(width: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "peak"
        flags = [*KERNEL_FLAGS, *WIDTHS[width], f"-DLST_WIDTH={width}", f"-I{SOURCES}"]
        subprocess.run([compiler_path(), *flags, str(HERE / "peak.cpp"), "-o", str(program)], check=True)
        return float(subprocess.run([str(program)], capture_output=True, check=True).stdout)


def layers_and_peaks() -> Iterator[dict]:
    for width in sorted(WIDTHS, reverse=True):
        os.environ[LST_VECTORS] = str(width)
        yield {"part": "peaks", "what": "peak", "vectors": width, "gmacs": peak(width)}
        yield from (layer(*each, rounds=21) | {"vectors": width} for each in LAYERS)
    del os.environ[LST_VECTORS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parts", nargs="+", choices=("layers", "networks"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory_mapped()
    if not kernels_ready():
        sys.exit("the kernels cannot be compiled here")
    parts = {
        "layers": layers_and_peaks,
        "networks": lambda: (network(*each, rounds=arguments.rounds) for each in NETWORKS),
    }
    wanted = arguments.parts or list(parts)
    old = pd.read_csv(arguments.out) if arguments.parts and arguments.out.exists() else pd.DataFrame(columns=["part"])
    kept = old[~old["part"].isin([*wanted, *(["peaks"] if "layers" in wanted else [])])]
    new = pd.DataFrame([record for part in wanted for record in parts[part]()])
    pd.concat([kept, new] if len(kept) else [new]).to_csv(arguments.out, index=False)


if __name__ == "__main__":
    main()
