"""Writes the tables of docs/ and of README.md from the results files of the benchmarks, and from the published results.

python -m benchmarks.tables
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import yaml

from benchmarks import (
    experiment_claims,
    tables_cluster,
    tables_experiment,
    tables_features,
    tables_gpu,
    tables_imagenet,
    tables_lst,
    tables_lst_inference,
    tables_performance,
    tables_readme,
)
from lst_robust.analysis.published import PublishedResult, published_results
from lst_robust.benchmark import CLEAN
from lst_robust.published import ALEXNET, GROUPS, PRINTED, SOURCES, pipeline_difference, published_models

ROOT = Path(__file__).parents[1]
DOCS, PUBLISHED = ROOT / "docs", ROOT / "results" / "published"


def distances() -> str:
    found = _identity("distance")
    wide = found.pivot(index="what", columns="network", values="value")
    wide = wide.loc[list(dict.fromkeys(found["what"]))]
    return wide.map(lambda value: "" if pd.isna(value) else f"{value:.1g}").rename_axis(None).to_markdown()


def cost() -> str:
    found = _identity("cost").set_index("what")
    images = found["network"].iloc[0].removeprefix("n = ")
    cell = found["value"]["one cell of resnet18"]
    first, again = (found["value"][what] for what in ("hashed the first time", "hashed again"))
    return (
        f"{images} drawn JPEG files of the size of ImageNet's are hashed in {first:.2f} s. When they are known, they\n"
        f"are looked at in {again:.3f} s. ResNet-18 decodes and classifies them in {cell:.0f} s. Of an evaluation of\n"
        f"96 such cells the hashing is {first / cell / 96:.3%}; of each cell of an official set, which is hashed by\n"
        f"itself, {first / cell:.2%} (two CPU cores, one round)."
    )


def preprocess() -> str:
    counts = pd.read_csv(PUBLISHED / "preprocess.csv").rename(columns=lambda name: name.replace("_", " "))
    return counts.to_markdown(index=False)


def mutants() -> str:
    """Mutants of functions and of constants together, a row a module."""
    counts = pd.read_csv(PUBLISHED / "mutants.csv").set_index("module")
    table = pd.DataFrame(
        {
            "mutants": counts["function_mutants"] + counts["constant_mutants"],
            "survived": counts["function_survivors"] + counts["constant_survivors"],
        }
    )
    table.loc["all"] = table.sum()
    table["killed"] = (100 * (1 - table["survived"] / table["mutants"])).map("{:.1f} %".format)
    return table.to_markdown()


def faults() -> str:
    """The last line of the tests, as a table."""
    counts = pd.read_csv(PUBLISHED / "faults.csv").iloc[0]
    table = pd.DataFrame(
        {
            "faults tried (killed processes, full and read-only disks, dead workers, ...)": [f"{counts['faults']:,}"],
            "bad or odd inputs": [f"{counts['bad_or_odd_inputs']:,}"],
            "generated inputs": [f"{counts['generated_inputs']:,}"],
            "finished cells lost": [f"{counts['lost_cells']} of {counts['finished_cells']}"],
        }
    )
    return table.to_markdown(index=False, disable_numparse=True)


def published() -> str:
    """The groups of published rows."""
    rows = []
    for group in GROUPS:
        models = [result for result in published_results([group.source]) if result.group == group]
        cells = {} if group.protocol == PRINTED else {c for m in published_models(group.file) for c in m.errors}
        corruptions = {cell.corruption for cell in cells} - {CLEAN}
        rows.append(
            {
                "set": f"`{group.source}`",
                "source": SOURCES[group.source].title,
                "images": f"{group.data}, {group.protocol}",
                "n": f"{group.n:,}",
                "models": len(models),
                "corruptions": len(models[0].ce) if group.protocol == PRINTED else len(corruptions),
                "clean error": "yes" if CLEAN in {cell.corruption for cell in cells} else "no",
                "CE against": group.normaliser or "–",
            }
        )
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


def pipelines() -> str:
    """What AlexNet's errors do to an mCE: those of imagenet-testbed beside those of ImageNet-C's authors."""
    found = pipeline_difference()
    printed = {result.model: result.metrics["mce19"] for result in published_results(["paper"])}
    rows = []
    for model, in_paper in (("resnet18", "ResNet-18"), ("resnet50", "ResNet-50")):
        own, authors = (_on_disk(model, name).metrics for name in ("suite", ALEXNET))
        rows.append(
            {
                "imagenet-testbed, official files": model,
                "mCE (15), own AlexNet": f"{own['mce15']:.2f}",
                "mCE (15), authors' AlexNet": f"{authors['mce15']:.2f}",
                "mCE (19), own AlexNet": f"{own['mce19']:.2f}",
                "mCE (19), authors' AlexNet": f"{authors['mce19']:.2f}",
                f"the paper's Table 4, {PRINTED}": f"{printed[in_paper]:.2f}",
            }
        )
    table = pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
    return (
        f"On {found.cell.name} of the official files the testbed's AlexNet has {found.on_disk:.2f} %, where the\n"
        f"authors of ImageNet-C publish {found.published:.2f} %. In memory the errors of the testbed's AlexNet are "
        f"{found.in_memory_gain:.1f} points lower\non average than on the official files.\n\n{table}"
    )


def _on_disk(model: str, normaliser: str) -> PublishedResult:
    return published_results(["testbed"], [model], normaliser=normaliser)[0]


def citation() -> str:
    """What CITATION.cff says, as BibTeX: the software, and the papers whose networks and benchmark it measures."""
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    software = {"title": said["title"], "author": said["authors"][0]["name"], "note": f"version {said['version']}"}
    entries = [_bibtex("misc", "lst-robust", {name: f"{{{value}}}" for name, value in software.items()})]
    for paper in said["references"]:
        fields = {
            "title": f"{{{paper['title']}}}",  # in two braces, so that capitals stay
            "author": " and ".join(f"{one['family-names']}, {one['given-names']}" for one in paper["authors"]),
            "booktitle": paper["conference"]["name"],
            "year": str(paper["year"]),
        }
        key = f"{paper['authors'][0]['family-names'].lower()}{paper['year']}"
        entries.append(_bibtex("inproceedings", key, fields))
    return "\n".join(["```bibtex", "\n\n".join(entries), "```"])


def _bibtex(kind: str, key: str, fields: dict[str, str]) -> str:
    width = max(map(len, fields))
    lines = [f"  {name:<{width}} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])


def _identity(table: str) -> pd.DataFrame:
    found = pd.read_csv(PUBLISHED / "identity.csv")
    return found[found["table"] == table]


BLOCKS: dict[str, tuple[str, Callable[[], str]]] = {
    "distances": ("identity.md", distances),
    "cost": ("identity.md", cost),
    "preprocess": ("identity.md", preprocess),
    "mutants": ("mutants.md", mutants),
    "faults": ("faults.md", faults),
    "many": ("imagenet-c.md", tables_imagenet.many),
    "leaderboard": ("imagenet-c.md", tables_imagenet.leaderboard),
    "leaderboard_clean": ("imagenet-c.md", tables_imagenet.clean),
    "leaderboard_protocols": ("imagenet-c.md", tables_imagenet.protocols),
    "leaderboard_resolution": ("imagenet-c.md", tables_imagenet.resolution),
    "experiment_summary": ("experiment.md", experiment_claims.summary),
    "experiment_answer": ("experiment.md", experiment_claims.answer),
    **{
        f"experiment_{make.__name__}_{suite}": ("experiment.md", partial(make, suite))
        for suite in experiment_claims.SUITES
        for make in tables_experiment.OF_A_SUITE
    },
    "features_answer": ("features.md", tables_features.answer),
    "features_sparsity": ("features.md", tables_features.sparsity),
    "features_differences": ("features.md", tables_features.sparsity_differences),
    "features_sizes": ("features.md", tables_features.by_size),
    "features_bn": ("features.md", tables_features.behind_bn),
    "features_st": ("features.md", tables_features.soft_thresholding),
    "features_change": ("features.md", tables_features.change),
    "features_change_differences": ("features.md", tables_features.change_differences),
    "features_frequencies": ("features.md", tables_features.frequencies),
    "published": ("published.md", published),
    "pipelines": ("published.md", pipelines),
    "corruptions": ("performance.md", tables_performance.corruptions),
    "corrupt_command": ("performance.md", tables_performance.corrupt_command),
    "jpeg": ("performance.md", tables_performance.jpeg),
    "overhead": ("performance.md", tables_performance.overhead),
    "lst_passes": ("lst-kernels.md", tables_lst.passes),
    "lst_passes_avx2": ("lst-kernels.md", tables_lst.passes_avx2),
    "lst_speed": ("performance.md", tables_lst.speed),
    "lst_speed_avx2": ("performance.md", tables_lst.speed_avx2),
    "lst_inference": ("lst-inference.md", tables_lst_inference.networks),
    "lst_inference_layers": ("lst-inference.md", tables_lst_inference.layers),
    "scheduler": ("cluster.md", tables_cluster.scheduler),
    "engine_starts": ("cluster.md", tables_cluster.starts),
    "fleet_assumptions": ("cluster.md", tables_cluster.assumptions),
    "fleet": ("cluster.md", tables_cluster.fleet),
    "torch_engine": ("gpu.md", tables_gpu.fidelity),
    "citation": ("cite.md", citation),
    "digits": ("start.md", tables_readme.digits),
    "interval": ("numbers.md", tables_readme.interval),
    "coverage": ("numbers.md", tables_readme.coverage),
    "counts": ("paper.md", tables_readme.counts),
    "misprints": ("paper.md", tables_readme.misprints),
    "table4": ("paper.md", tables_readme.table4),
    "table": ("../README.md", tables_readme.table),
    "differences": ("../README.md", tables_readme.differences),
}
"""Name of a block -> the file in docs/, and what makes its text."""


def with_block(text: str, name: str, block: str) -> str:
    """The text with another content of one of its marked blocks; ValueError where it has not one such block."""
    marked = rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)"
    changed, count = re.subn(marked, lambda found: f"{found[1]}{block}\n{found[2]}", text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"there are {count} blocks called {name}: write one pair of markers")
    return changed


def main() -> None:
    for name, (file, make) in BLOCKS.items():
        path = DOCS / file
        path.write_text(with_block(path.read_text(), name, make()))
        print(f"wrote the block {name} of {path}")


if __name__ == "__main__":
    main()
