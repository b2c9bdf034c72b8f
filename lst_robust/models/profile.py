"""Parameters and multiply-accumulates of the registered networks, beside what the paper prints.

Counting all networks takes a minute, so the counts of registered networks are kept in counts.csv, which the tests hold
against a new count; `write_counts()` writes it anew.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lst_robust.errors import UsageError
from lst_robust.models.entry import ModelEntry
from lst_robust.models.factory import create_model
from lst_robust.models.lst.transforms import SoftThreshold, SpatialTransform
from lst_robust.models.registry import model_info, model_names
from lst_robust.paper import printed_table
from lst_robust.runtime.files import write_output

COUNTS_FILE = Path(__file__).with_name("counts.csv")
WITHOUT_MACS = (nn.BatchNorm2d, nn.ReLU, nn.ReLU6, SoftThreshold)  # keep the shape, and are slow on the meta device


class Counts(NamedTuple):
    """`params`: trained numbers. `params_expanded`: the same with T_s repeated for each channel, as the paper counts
    it. `macs`: multiply-accumulates of convolutions and linear layers for one image."""

    params: int
    params_expanded: int
    macs: int


def count(model: nn.Module, image_size: int) -> Counts:
    """Counts of `model` from one real forward pass, on whatever device it lies (meta costs nothing)."""
    params = sum(parameter.numel() for parameter in model.parameters())
    repeated = sum(
        (module.channels - 1) * module.weight.numel()
        for module in model.modules()
        if isinstance(module, SpatialTransform) and module.shared
    )
    device = next((parameter.device for parameter in model.parameters()), None)  # some have none
    image = torch.empty(1, 3, image_size, image_size, device=device)
    training = model.training
    model.eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(image)
    model.train(training)
    return Counts(params, params + repeated, counter.get_total_flops() // 2)


def count_named(name: str, **options: Any) -> Counts:
    """Counts of a network at its own input size: those on file, or counted now when there are none."""
    return _counts_on_file().get((name, json.dumps(options))) or count_anew(name, **options)


def count_anew(name: str, **options: Any) -> Counts:
    """Counts of a network at its own input size. Its weights are not allocated, unless its code needs values, as some
    of torchvision's and those in files may."""
    try:
        return _count_built_on("meta", name, options)
    except (RuntimeError, UsageError):  # such as of .item() on a tensor without values
        if not (name.startswith("torchvision:") or ".py:" in name):
            raise
        return _count_built_on("cpu", name, options)


def _count_built_on(device: str, name: str, options: Mapping[str, Any]) -> Counts:
    with torch.device(device):
        model = create_model(name, **options).requires_grad_(False)  # torch's counter fails where one is an argument
    for module in model.modules():
        if isinstance(module, WITHOUT_MACS):
            module.forward = nn.Identity()  # type: ignore[method-assign]
    return count(model, model.config.input_size)  # type: ignore[union-attr, arg-type]


@cache
def _counts_on_file() -> dict[tuple[str, str], Counts]:
    rows = csv.DictReader(COUNTS_FILE.read_text(encoding="utf-8").splitlines()) if COUNTS_FILE.exists() else ()
    return {(row["name"], row["options"]): Counts(*(int(row[field]) for field in Counts._fields)) for row in rows}


def write_counts() -> None:
    """Counts every registered network, and every form of it that a printed row is compared with, into the file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "options", *Counts._fields])
    for name in model_names():
        printed = model_info(name).paper
        forms = [{}, dict(printed.options)] if printed else [{}]
        for options in {json.dumps(form): form for form in forms}.values():
            writer.writerow([name, json.dumps(options), *count_anew(name, **options)])
    write_output(COUNTS_FILE, text.getvalue().encode())


def describe_models(names: Iterable[str]) -> list[dict[str, Any]]:
    """One record a model: name, family, input_size, num_classes, params, params_expanded, macs, paper_params,
    paper_macs, verdict. The paper's values are None where it prints none. UsageError for an unknown name."""
    return [_describe(model_info(name)) for name in names]


def _describe(entry: ModelEntry) -> dict[str, Any]:
    counts = count_named(entry.name)
    printed = printed_row(entry)
    return {
        "name": entry.name,
        "family": entry.family,
        "input_size": entry.input_size,
        "num_classes": entry.num_classes,
        **counts._asdict(),
        "paper_params": _scaled(printed.get("params_m")),
        "paper_macs": _scaled(printed.get("macs_m")),
        "verdict": _verdict(entry, counts, printed),
    }


def printed_row(entry: ModelEntry) -> Mapping[str, str]:
    """The row of the paper's table that belongs to `entry`, as printed; {} when there is none."""
    if entry.paper is None:
        return {}
    row = entry.paper
    return _printed_tables()[row.table][row.family, row.depth, row.width, row.model]


@cache
def _printed_tables() -> dict[str, dict[tuple[str, ...], dict[str, str]]]:
    tables: dict[str, dict[tuple[str, ...], dict[str, str]]] = {}
    for table in ("table2", "table3"):
        tables[table] = {(r["family"], r["depth"], r["width"], r["model"]): r for r in printed_table(table)}
    return tables


def _scaled(millions: str | None) -> float | None:
    return round(float(millions) * 1e6) if millions else None


def _verdict(entry: ModelEntry, counts: Counts, printed: Mapping[str, str]) -> str:
    """How the counts stand to the printed ones, with the registry's note."""
    parts = []
    if printed.get("params_m") or printed.get("macs_m"):
        parts.append(_comparison(counts, printed))
        if entry.paper is not None and entry.paper.options:
            options = ", ".join(f"{key}={value}" for key, value in entry.paper.options.items())
            parts.append(f"with {options}: {_comparison(count_named(entry.name, **entry.paper.options), printed)}")
    return "; ".join([*parts, entry.note] if entry.note else parts)


def _comparison(counts: Counts, printed: Mapping[str, str]) -> str:
    stands = {
        "params": _difference(counts.params_expanded, printed.get("params_m")),
        "MACs": _difference(counts.macs, printed.get("macs_m")),
    }
    known = {what: text for what, text in stands.items() if text}
    if set(known.values()) == {"exact"}:
        return "exact" if len(known) == 2 else f"{next(iter(known))} exact"
    return ", ".join(f"{what} {text}" for what, text in known.items())


def _difference(counted: int, printed: str | None) -> str:
    """`exact` when the count rounds to the printed digits, else how far it is off, in percent."""
    if not printed:
        return ""
    if abs(counted / 1e6 - float(printed)) <= printed_unit(printed) / 2 + 1e-9:
        return "exact"
    percent = 100 * (counted / 1e6 / float(printed) - 1)
    return f"within {abs(percent):.2g}%" if abs(percent) < 5 else f"off by {percent:+.0f}%"


def printed_unit(printed: str) -> float:
    """The last printed digit's worth in millions: 0.01 for "8.03"; from 400 on the paper prints G with two digits."""
    if "." in printed:
        return 10.0 ** -len(printed.partition(".")[2])
    return 10.0 if float(printed) >= 400 else 1.0
