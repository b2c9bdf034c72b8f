"""Makes lst_robust/weights/catalogue.csv from the weights that are committed below results/.

python tools/weights.py            writes it
python tools/weights.py --check    compares it with the one that is there; exit code 1 where they differ
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from dataclasses import asdict, fields
from pathlib import Path

from lst_robust.models.checkpoint import read_metadata
from lst_robust.runtime.files import file_sha256
from lst_robust.weights.catalogue import CATALOGUE, PublishedWeights

ROOT = Path(__file__).parents[1]
FILE = ROOT / "lst_robust" / "weights" / CATALOGUE
PATTERNS = ("published/digits-c/*.safetensors", "published/*/checkpoints/*.safetensors")


def described(path: Path, results: Path) -> PublishedWeights:
    """What the catalogue says of a file. Where a suite has several seeds, the name says which."""
    metadata = read_metadata(path)
    place = path.relative_to(results)
    of_seeds = place.parent.name == "checkpoints"
    suite = place.parents[1 if of_seeds else 0].name
    model, seed = metadata["model"], metadata["train_seed"]
    return PublishedWeights(
        name=f"{model}-{suite}" + (f"-seed{seed}" if of_seeds else ""),
        model=model,
        suite=suite,
        seed=seed,
        file=place.as_posix(),
        bytes=path.stat().st_size,
        sha256=file_sha256(path),
    )


def catalogue(results: Path) -> str:
    """The whole file: a row for each committed file of weights, sorted by suite and name."""
    found = [described(path, results) for pattern in PATTERNS for path in results.glob(pattern)]
    found.sort(key=lambda weights: (weights.suite, weights.name))
    out = io.StringIO()
    writer = csv.DictWriter(out, [field.name for field in fields(PublishedWeights)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(weights) for weights in found)
    return out.getvalue()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args(arguments).check
    made = catalogue(ROOT / "results")
    if not check:
        FILE.write_text(made)
        return 0
    if FILE.read_text() == made:
        return 0
    print(f"{FILE.relative_to(ROOT)} is not what results/ holds: run python tools/weights.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
