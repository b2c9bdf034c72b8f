"""Makes the compact files of lst_robust/published/ from the files that their authors published.

python tools/published.py ORIGINALS            writes them
python tools/published.py ORIGINALS --check    compares them with those that are there; exit code 1 where one differs

ORIGINALS is a folder with these files (lst_robust/published/README.md says from where):

    robustbench_imagenet.csv, robustbench_cifar10.csv, robustbench_cifar100.csv
    imagenet_testbed_imagenet_c.csv     the testbed's robustness_top1s.csv, whole or only its columns on ImageNet-C

The originals hold accuracies: RobustBench fractions, the testbed percentages in float32. The compact files hold errors
in percent. Each is that of a whole number of images, which is checked, so that rounding loses nothing.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lst_robust.benchmark import CLEAN_CELL, CORRUPTIONS, SEVERITIES, Cell

FOLDER = Path(__file__).parents[1] / "lst_robust" / "published"
CELLS = (CLEAN_CELL, *(Cell(name, severity) for name in CORRUPTIONS for severity in SEVERITIES))
TESTBED_COLUMN = re.compile(r"imagenet-c\.([a-z_]+)\.([1-5])_(on-disk|in-memory)")
Errors = Mapping[Cell, float]


def of_robustbench(text: str, n: int) -> dict[str, Errors]:
    """Model -> its errors, from two header rows (corruption, severity) and a row of accuracies for each model."""
    names, severities, *rows = csv.reader(text.splitlines())
    cells = [Cell(name, int(severity)) for name, severity in zip(names[1:], severities[1:], strict=True)]
    return {
        model: {cell: error_of(100 * float(value), n) for cell, value in zip(cells, values, strict=True) if value}
        for model, *values in rows
    }


def of_testbed(text: str, way: str, n: int = 50_000) -> dict[str, Errors]:
    """Model -> its errors, from the columns of one way, "on-disk" or "in-memory", and that of the clean images."""
    found = {}
    for row in csv.DictReader(text.splitlines()):
        errors = {CLEAN_CELL: error_of(float(row["val"]), n)} if row["val"] else {}
        for column, value in row.items():
            match = TESTBED_COLUMN.fullmatch(column)
            if match and match[3] == way and value:
                errors[Cell(match[1], int(match[2]))] = error_of(float(value), n)
        found[row["model"]] = errors
    return found


def error_of(accuracy: float, n: int) -> float:
    """The error in percent to an accuracy in percent; ValueError unless it is that of a whole number of n images."""
    wrong = n * (100 - accuracy) / 100
    if abs(wrong - round(wrong)) > 0.01:
        raise ValueError(f"{accuracy} % is not the accuracy of a whole number of {n} images")
    return 100 * round(wrong) / n


def as_csv(models: Mapping[str, Errors], decimals: int) -> str:
    """One row a model, one column a cell; cells that no model has are left out."""
    cells = [cell for cell in CELLS if any(cell in errors for errors in models.values())]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["model", *(cell.name for cell in cells)])
    for model, errors in models.items():
        writer.writerow([model, *(f"{errors[cell]:.{decimals}f}" if cell in errors else "" for cell in cells)])
    return text.getvalue()


def compact_files(originals: Path) -> dict[str, str]:
    """Name -> content of each compact file."""
    made = {}
    for name, n in (("imagenet", 5_000), ("cifar10", 10_000), ("cifar100", 10_000)):
        text = (originals / f"robustbench_{name}.csv").read_text(encoding="utf-8")
        made[f"robustbench_{name}.csv"] = as_csv(of_robustbench(text, n), decimals=2)
    text = (originals / "imagenet_testbed_imagenet_c.csv").read_text(encoding="utf-8")
    corrupted: set[str] = set()
    for way in ("on-disk", "in-memory"):
        models = {model: errors for model, errors in of_testbed(text, way).items() if set(errors) - {CLEAN_CELL}}
        corrupted |= set(models)
        made[f"testbed_{way.replace('-', '_')}.csv"] = as_csv(models, decimals=3)
    rest = {model: errors for model, errors in of_testbed(text, "on-disk").items() if model not in corrupted}
    made["testbed_clean_only.csv"] = as_csv(rest, decimals=3)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("originals", type=Path)
    parser.add_argument("--check", action="store_true", help="compare only")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the compact files")
    asked = parser.parse_args(arguments)
    code = 0
    for name, text in compact_files(asked.originals).items():
        path = asked.folder / name
        if not asked.check:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path} is not what the originals give")
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
