"""How far apart the answers of one network lie, and of others; and what it costs to hash the images.

    python benchmarks/identity.py                          # the tables of docs/identity.md, and their CSV file
    python benchmarks/identity.py --data-dir imagenet      # the cost of hashing on your own val/<wnid>/*.JPEG

The first table gives the largest difference of two sets of answers to the probe images, over the standard deviation of
the median class, for the committed checkpoints: between ways to compute the same network, and between networks. The
tolerance (lst_robust/evaluation/identity/probe.py) must lie above the former. The second table gives the time to hash
images, the first time and again, as a share of the time in which a network classifies them once, on the CPU.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from lst_robust.evaluation.identity.probe import probe_images
from lst_robust.evaluation.inference import InferenceRunner, InferenceSettings
from lst_robust.models import create_model, optimize_for_inference
from lst_robust.models.preprocess import Preprocess
from lst_robust.suites import PixelStatistics

ROOT = Path(__file__).parents[1]
CHECKPOINTS = {
    path.name.split("-seed")[0].split(".")[0]: path
    for path in (
        *sorted((ROOT / "results" / "published" / "cifar10-jpeg" / "checkpoints").glob("*-seed0-*.safetensors")),
        ROOT / "results" / "published" / "digits-c" / "lst18.safetensors",
    )
}
SAME = {
    "two threads for one": ["--threads", "2"],
    "plain kernels for compiled": ["--plain"],
    "as defined for folded": ["--as-defined"],
    "bfloat16 for float32": ["--amp"],
}
OTHERS = {
    "tau 1e-3 for 1e-4": ["--set", "tau=1e-3"],
    "tau 0.1 for 1e-4": ["--set", "tau=0.1"],
    "leaky ReLU for ST-ReLU": ["--set", "activation=leaky_relu"],
}
"""Changes that keep the weights, for the networks that have the options."""
WITH_OPTIONS = ("lst18", "lst20")
TABLES = ROOT / "results" / "published" / "identity.csv"
IMAGES, SIZE = 2000, 224  # of the drawn set for the cost


def answers(name: str, *flags: str) -> np.ndarray:
    """The answers of a committed checkpoint's network, computed in a process of its own."""
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        environment = os.environ | ({"LST_ROBUST_LST_KERNELS": "plain"} if "--plain" in flags else {})
        call = [sys.executable, __file__, "--answers", name, "--out", file.name, *flags]
        subprocess.run(call, check=True, env=environment)
        return np.load(file.name)


def write_answers(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    chosen = dict(setting.split("=") for setting in options.set)
    model = create_model(options.answers, checkpoint=CHECKPOINTS[options.answers], **chosen).eval()
    network = model if options.as_defined else optimize_for_inference(model)
    preprocess = Preprocess(model.config.mean, model.config.std, torch.device("cpu"))
    images = preprocess(probe_images(model.config.input_size)).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(), torch.autocast("cpu", enabled=options.amp):
        logits = network(images).float()
    np.save(options.out, logits.numpy())


def distances() -> pd.DataFrame:
    rows = []
    for name in CHECKPOINTS:
        reference = answers(name)
        changes = SAME | OTHERS if name in WITH_OPTIONS else SAME
        for change, flags in changes.items():
            other = answers(name, *flags)
            distance = float(np.abs(other - reference).max() / np.median(reference.std(axis=0)))
            rows.append({"table": "distance", "network": name, "what": change, "value": distance})
            print(f"{name}, {change}: {distance:.2g} of the spread", flush=True)
    return pd.DataFrame(rows)


def draw(folder: Path) -> None:
    """As many JPEG files as ImageNet's photographs are large: 110 kB on average."""
    from skimage.data import astronaut

    random = np.random.default_rng(0)
    picture = np.asarray(Image.fromarray(astronaut()).resize((500, 375)))
    for number in range(IMAGES):
        place = folder / "val" / ("n01440764", "n01443537")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        noisy = np.clip(picture + random.normal(0, 12, picture.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(place / f"{number}.JPEG", quality=90)


def cost(data_dir: Path | None) -> pd.DataFrame:
    from lst_robust.data import open_source

    with tempfile.TemporaryDirectory() as temporary:
        os.environ["LST_ROBUST_CACHE_DIR"] = f"{temporary}/cache"
        folder = data_dir or Path(temporary)
        if data_dir is None:
            draw(folder)
            time.sleep(3)  # files of the last two seconds are not kept in the cache
        source = open_source({"kind": "imagenet"}, "test", image_size=SIZE, data_dir=folder)
        took = {}
        for what in ("hashed the first time", "hashed again"):
            started = time.perf_counter()
            source.pixels_digest(workers=2)
            took[what] = time.perf_counter() - started
        some = source.subset(200)
        model = create_model("resnet18").eval()
        pixels = PixelStatistics(mean=model.config.mean, std=model.config.std)
        settings = InferenceSettings(torch.device("cpu"), batch_size=50, workers=2)
        runner = InferenceRunner(optimize_for_inference(model), pixels, 1000, settings, SIZE)
        started = time.perf_counter()
        for start in range(0, len(some), 50):
            runner.logits(some.read(range(start, min(start + 50, len(some))), workers=2))
        took["one cell of resnet18"] = (time.perf_counter() - started) / len(some) * len(source)
    rows = [{"table": "cost", "network": f"n = {len(source)}", "what": what, "value": s} for what, s in took.items()]
    for what, seconds in took.items():
        print(
            f"{what}: {seconds:.2f} s for {len(source)} images, {seconds / took['one cell of resnet18']:.4%} of a cell"
        )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, help="ImageNet; only the cost is measured, and nothing is written")
    for flag in ("--answers", "--out"):
        parser.add_argument(flag, help=argparse.SUPPRESS)
    for flag in ("--plain", "--as-defined", "--amp"):
        parser.add_argument(flag, action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--set", action="append", default=[], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.answers:
        write_answers(options)
    elif options.data_dir:
        cost(options.data_dir)
    else:
        pd.concat([distances(), cost(None)]).to_csv(TABLES, index=False, float_format="%.3g")
        print(f"wrote {TABLES}")


if __name__ == "__main__":
    main()
