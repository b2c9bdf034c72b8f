"""How fast LST-Nets are on this machine's CPU, against the authors' formulation and against ResNets, in one run.

    python benchmarks/lst_speed.py                       # LST-20, LST-56 and LST-18, inference and training
    python benchmarks/lst_speed.py --nets lst20 --threads 1 --rounds 9
    python benchmarks/lst_speed.py --clock cpu           # CPU seconds: for a machine that others use as well
    python benchmarks/lst_speed.py --amp                 # under bfloat16 autocast; our passes stay in float32

The variants of a net take turns, so that whatever else happens on the machine hits them alike; what is printed is the
median of the rounds' ratios with the range from the first to the third quartile. Variants:

    authors   T_s as grouped convolution with weights repeated for each channel (their formulation, our words), BN
              in place, contiguous memory, the whole batch at once
    plain     our network in torch alone: four depthwise convolutions, k-major, channels last
    ours      what eval and train use: folded BN, pieces and the fused kernel for inference; all blocks as one function
              for training
    resnet    the ResNet of the same depth, channels last, for inference with folded BN as well

Every LST variant is first checked to give the same outputs.
"""

from __future__ import annotations

import argparse
import copy
import csv
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from lst_robust.models import create_model, describe_models, optimize_for_inference
from lst_robust.models.lst.blocks import LSTII, GroupedShortcut, authors_order
from lst_robust.models.lst.kernels.library import kernels_ready
from lst_robust.models.optimize import logits_in_pieces
from lst_robust.runtime.allocator import keep_memory_mapped
from lst_robust.runtime.switches import LST_KERNELS

CASES = {"lst20": ("resnet20", 32, 128), "lst56": ("resnet56", 32, 128), "lst18": ("resnet18", 224, 8)}
TITLES = {"lst20": "LST-20", "lst56": "LST-56", "lst18": "LST-18, 224 px"}


class AuthorsBlock(nn.Module):
    """LST-II with channels in the authors' order: feature by feature, its a² coefficients side by side."""

    def __init__(self, block: LSTII, input_groups: int) -> None:
        super().__init__()
        block = copy.deepcopy(block)
        self.t_r, self.bn_r, self.t_c, self.bn_c, self.bn_s = block.t_r, block.bn_r, block.t_c, block.bn_c, block.bn_s
        self.relu, self.threshold, self.filters = block.relu, block.threshold, block.t_s.weight
        self.channels, self.stride = block.t_s.channels, block.t_s.stride
        reorder_inputs(self.t_r, input_groups)
        reorder_bn(self.bn_s, block.groups)
        self.shortcut: nn.Module = nn.Identity()
        if isinstance(block.shortcut, GroupedShortcut):
            weight = reordered(block.shortcut.weight.data, block.groups)
            inputs = block.t_r.in_channels
            convolution = nn.Conv2d(inputs, len(weight), 1, self.stride, groups=inputs, bias=False)
            convolution.weight.data = weight
            reorder_bn(block.shortcut.bn, block.groups)
            self.shortcut = nn.Sequential(convolution, block.shortcut.bn)

    def forward(self, x: Tensor) -> Tensor:
        z = self.threshold(self.bn_c(self.t_c(self.relu(self.bn_r(self.t_r(x))))))
        weight = self.filters.repeat(self.channels, 1, 1, 1)
        t = F.conv2d(z, weight, None, self.stride, 1, groups=self.channels)
        return self.threshold(self.bn_s(t) + self.shortcut(x))


def reordered(values: Tensor, groups: int) -> Tensor:
    """From k-major to the authors' order along the first axis."""
    result = torch.empty_like(values)
    result[authors_order(len(values), groups)] = values
    return result


def reorder_inputs(convolution: nn.Conv2d, groups: int) -> None:
    convolution.weight.data = reordered(convolution.weight.data.transpose(0, 1), groups).transpose(0, 1).contiguous()


def reorder_bn(bn: nn.BatchNorm2d, groups: int) -> None:
    for values in (bn.weight.data, bn.bias.data, bn.running_mean, bn.running_var):
        values.copy_(reordered(values, groups))


def authors_form(model: nn.Module) -> nn.Module:
    """A copy of an `LSTNet` with a handler, in the authors' formulation."""
    model = copy.deepcopy(model)
    groups = 1
    for stage in model.stages:
        for i, block in enumerate(stage):
            stage[i] = AuthorsBlock(block, groups)
            groups = block.groups
    reorder_inputs(model.handler[0], groups)
    return model.to(memory_format=torch.contiguous_format)


def without_kernel(model: nn.Module) -> nn.Module:
    """The same network without the fused kernel."""
    model.register_forward_pre_hook(lambda *_: set_kernel(False))
    model.register_forward_hook(lambda *_: set_kernel(True))
    return model


def set_kernel(on: bool) -> None:
    os.environ[LST_KERNELS] = "fast" if on else "plain"


def variants(name: str, size: int, batch: int, training: bool, amp: bool) -> dict[str, Callable[[], object]]:
    """One step of each variant of `name`."""
    torch.manual_seed(0)
    images, labels = torch.randn(batch, 3, size, size), torch.arange(batch) % 10
    last = images.contiguous(memory_format=torch.channels_last)
    ours = create_model(name, num_classes=10, image_size=size)
    settle(ours, images[:8])
    resnet = create_model(CASES[name][0], num_classes=10, image_size=size)
    settle(resnet, images[:8])
    authors = authors_form(ours)
    with torch.no_grad():
        expected = authors.eval()(images[:4])
        for other in (ours.eval(), optimize_for_inference(ours)):
            assert (other(last[:4]) - expected).norm() <= 1e-4 * expected.norm()
    if training:
        steps = {"authors": (authors, images)}
        channels_last = {"plain": without_kernel(copy.deepcopy(ours)), "ours": ours, "resnet": resnet}
        steps |= {key: (model.to(memory_format=torch.channels_last), last) for key, model in channels_last.items()}
        return {key: training_step(model.train(), x, labels, amp) for key, (model, x) in steps.items()}
    plain = without_kernel(copy.deepcopy(ours).to(memory_format=torch.channels_last))
    fast = {"ours": optimize_for_inference(ours), "resnet": optimize_for_inference(resnet)}
    steps = {
        "authors": (authors, images),
        "plain": (plain, last),
        **{key: (model, last) for key, model in fast.items()},
    }
    return {key: inference_step(model.eval(), x, amp, in_pieces=key in fast) for key, (model, x) in steps.items()}


def settle(model: nn.Module, images: Tensor) -> None:
    """Running statistics of the images: an untrained LST-Net in evaluation mode grows without bound otherwise."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model(images)


def inference_step(model: nn.Module, images: Tensor, amp: bool, *, in_pieces: bool) -> Callable[[], object]:
    def step() -> Tensor:
        with torch.inference_mode(), in_bfloat16(amp):
            return logits_in_pieces(model, images) if in_pieces else model(images)

    return step


def training_step(model: nn.Module, images: Tensor, labels: Tensor, amp: bool) -> Callable[[], object]:
    optimiser = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9)

    def step() -> None:
        with in_bfloat16(amp):
            loss = F.cross_entropy(model(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def in_bfloat16(amp: bool) -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=amp)


def measure(steps: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Seconds a step of every variant in every round; the first two rounds, while memory settles, do not count."""
    seconds: dict[str, list[float]] = {key: [] for key in steps}
    for round_number in range(rounds + 2):
        for key, step in steps.items():
            started = clock()
            step()
            if round_number >= 2:
                seconds[key].append(clock() - started)
    return seconds


def ratio(of: list[float], to: list[float]) -> dict[str, float]:
    """How many times as fast as `of` is `to`, round by round: median and quartiles."""
    ratios = sorted(a / b for a, b in zip(of, to, strict=True))
    low, median, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return {"median": round(median, 3), "low": round(low, 3), "high": round(high, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--mode", choices=("both", "inference", "training"), default="both")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch-size", type=int, help="images a step; default 128 at 32 pixels, 8 at 224")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--allocator", action=argparse.BooleanOptionalAction, default=False)
    parser.add_argument("--amp", action="store_true", help="bfloat16 autocast around every variant")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--csv", type=Path, help="the table of docs/performance.md: replaces rows with so many threads")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.allocator:
        keep_memory_mapped()
    clock = time.perf_counter if arguments.clock == "wall" else time.process_time
    print(
        f"torch {torch.__version__}, {arguments.threads} threads, {arguments.clock} clock, {arguments.rounds} rounds, "
        f"kernel {'on' if kernels_ready() else 'off'}, allocator {'on' if arguments.allocator else 'off'}",
        file=sys.stderr,
    )
    records = []
    for name in arguments.nets:
        resnet, size, batch = CASES[name]
        batch = arguments.batch_size or batch
        macs = [record["macs"] for record in describe_models([name, resnet])]
        for mode in ("inference", "training"):
            if arguments.mode not in ("both", mode):
                continue
            seconds = measure(variants(name, size, batch, mode == "training", arguments.amp), arguments.rounds, clock)
            record = {
                "net": name,
                "mode": f"{mode}, bfloat16" if arguments.amp else mode,
                "batch_size": batch,
                "images_per_second": {k: round(batch / statistics.median(v), 1) for k, v in seconds.items()},
                "ours_over_authors": ratio(seconds["authors"], seconds["ours"]),
                "plain_over_authors": ratio(seconds["authors"], seconds["plain"]),
                "ours_over_resnet": ratio(seconds["resnet"], seconds["ours"]),
                "mac_ratio_to_resnet": round(macs[0] / macs[1], 3),
            }
            records.append(record)
            if not arguments.json:
                print_record(record)
    if arguments.json:
        print(json.dumps(records, indent=2))
    if arguments.csv:
        write_rows(arguments.csv, records, arguments.threads, arguments.clock)


def write_rows(path: Path, records: list[dict], threads: int, clock: str) -> None:
    """Adds the records to a table, in place of those of the same network, mode and number of threads."""
    rows = {}
    if path.exists():
        with path.open(newline="") as file:
            rows = {(row["network"], row["mode"], row["threads"]): row for row in csv.DictReader(file)}
    for record in records:
        row = {"network": TITLES[record["net"]], "mode": record["mode"], "threads": str(threads), "clock": clock}
        row["images_per_second"] = record["images_per_second"]["ours"]
        for of in ("authors", "resnet"):
            ratio = record[f"ours_over_{of}"]
            row |= {of: ratio["median"], f"{of}_low": ratio["low"], f"{of}_high": ratio["high"]}
        rows[row["network"], row["mode"], row["threads"]] = row | {"macs": record["mac_ratio_to_resnet"]}
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(next(iter(rows.values()))), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows.values())


def print_record(record: dict) -> None:
    speeds = "  ".join(f"{key} {value}" for key, value in record["images_per_second"].items())
    print(f"{record['net']} {record['mode']}, batch {record['batch_size']}: img/s {speeds}")
    for key in ("ours_over_authors", "plain_over_authors", "ours_over_resnet"):
        value = record[key]
        print(f"    {key.replace('_', ' '):22s} {value['median']:.2f}  ({value['low']:.2f} to {value['high']:.2f})")
    print(f"    MACs of ResNet's       {record['mac_ratio_to_resnet']:.2f}", flush=True)


if __name__ == "__main__":
    main()
